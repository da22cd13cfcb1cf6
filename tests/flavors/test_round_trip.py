"""Every form that a flavor has on disk: saved, described, loaded again, refused when it lies."""

import json
import os
from pathlib import Path

import pytest
import yaml

import stepwell
from stepwell import StepwellException
from tests.flavors.cases import CASES, Case
from tests.flavors.read import read
from tests.flavors.write import write

pytestmark = [pytest.mark.xdist_group("flavors"), pytest.mark.filterwarnings("ignore")]

HERE = [case for case in CASES.values() if case.has_library()]
LIGHT = {"keras", "lightgbm", "sklearn", "torch", "xgboost"}
# Which field of its own entry in MLmodel names a form's files.
FILES = {
    "fastai": "data",
    "keras": "data",
    "lightgbm": "data",
    "pytorch": "model_data",
    "sklearn": "pickled_model",
    "tensorflow": "data",
    "xgboost": "data",
}


@pytest.fixture(params=HERE, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    """Each form whose library is here."""
    return request.param


@pytest.fixture
def saved(case: Case, tmp_path: Path) -> Path:
    """The form, saved by Stepwell."""
    write(stepwell, tmp_path, [case.name])
    return tmp_path / case.name


def test_nothing_is_left_out_silently() -> None:
    missing = sorted(LIGHT - {case.library for case in HERE})
    assert not missing or HERE[0].library in ("tensorflow", "fastai"), f"not installed here: {missing}"


def test_predicts_what_it_did(saved: Path) -> None:
    assert read(stepwell, saved) == ""


def test_describes_itself_as_mlflow_does(saved: Path, case: Case) -> None:
    described = yaml.safe_load((saved / "MLmodel").read_text())
    flavor = case.name.partition("_")[0]
    assert set(described["flavors"]) == {"python_function", flavor}
    assert described["flavors"]["python_function"]["loader_module"] == f"mlflow.{flavor}"
    assert described["model_size_bytes"] > 0
    for file in ("conda.yaml", "python_env.yaml", "requirements.txt"):
        assert (saved / file).is_file()
    assert str(saved.parent) not in (saved / "MLmodel").read_text()


def test_paths_that_leave_the_model_are_refused(saved: Path, case: Case) -> None:
    file = saved / "MLmodel"
    described = yaml.safe_load(file.read_text())
    flavor = case.name.partition("_")[0]
    field = "saved_model_dir" if described["flavors"][flavor].get("saved_model_dir") else FILES[flavor]
    described["flavors"][flavor][field] = "../elsewhere"
    file.write_text(yaml.safe_dump(described))
    with pytest.raises(StepwellException, match=r"\.\./elsewhere"):
        getattr(stepwell, flavor).load_model(str(saved))


def test_another_flavor_is_named(saved: Path, case: Case) -> None:
    flavor = case.name.partition("_")[0]
    other = "sklearn" if flavor != "sklearn" else "xgboost"
    with pytest.raises(StepwellException, match=f'does not have the "{other}" flavor') as caught:
        getattr(stepwell, other).load_model(str(saved))
    assert caught.value.error_code == "RESOURCE_DOES_NOT_EXIST"


def test_pickles_are_refused_where_they_are_not_allowed(
    saved: Path, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPWELL_ALLOW_PICKLE", "false")
    pickled = PICKLED.get(case.name)
    if pickled is None:
        assert read(stepwell, saved) == ""
        return
    with pytest.raises(StepwellException, match=f"{pickled}.*STEPWELL_ALLOW_PICKLE") as caught:
        stepwell.pyfunc.load_model(str(saved))
    assert caught.value.error_code == "PERMISSION_DENIED"


# What is a pickle, or holds one; the others load where no pickle may.
PICKLED = {
    "sklearn_cloudpickle": "model.pkl",
    "sklearn_pickle": "model.pkl",
    "pytorch_module": "model.pth",
    "pytorch_of_a_frame": "model.pth",
    "pytorch_exported": "model.pt2",
    "lightgbm_classifier": "model.pkl",
    "fastai_learner": "model.fastai",
}


def test_a_save_that_fails_leaves_nothing(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("stepwell.models.environment.files.write", fail)
    with pytest.raises(OSError, match="disk full"):
        write(stepwell, tmp_path, [case.name])
    assert os.listdir(tmp_path) == []  # noqa: PTH208


def test_the_recorded_input_is_what_was_predicted_on(saved: Path) -> None:
    recorded = json.loads(saved.with_suffix(".json").read_text())
    recorded["predicted"] = None
    saved.with_suffix(".json").write_text(json.dumps(recorded))
    assert "instead of None" in read(stepwell, saved)
