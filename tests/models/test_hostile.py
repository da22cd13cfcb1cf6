"""Models of strangers: paths that leave the folder, links, damaged descriptions."""

from pathlib import Path
from typing import Any

import pytest
import yaml

import stepwell
from stepwell import StepwellException, pyfunc
from stepwell.models import examples
from stepwell.models.flavors import flavor_of_loader


@pytest.fixture
def saved(pipeline: Any, tmp_path: Path) -> Path:
    stepwell.sklearn.save_model(pipeline, tmp_path / "model")
    (tmp_path / "outside.pkl").write_bytes((tmp_path / "model" / "model.pkl").read_bytes())
    return tmp_path / "model"


def change(folder: Path, flavor: str, **config: Any) -> None:
    said = yaml.safe_load((folder / "MLmodel").read_text())
    said["flavors"][flavor].update(config)
    (folder / "MLmodel").write_text(yaml.safe_dump(said))


@pytest.mark.parametrize(
    "path", ["../outside.pkl", "/etc/passwd", "a/../../outside.pkl", "C:\\x", "..", "model.pkl\0"]
)
@pytest.mark.parametrize(
    ("flavor", "field"),
    [
        ("sklearn", "pickled_model"),
        ("sklearn", "code"),
        ("python_function", "code"),
        ("python_function", "data"),
    ],
)
def test_paths_that_leave_the_folder_are_refused(saved: Path, flavor: str, field: str, path: str) -> None:
    change(saved, flavor, **{field: path})
    if field == "data":
        change(saved, "python_function", loader_module="json")
    load = stepwell.sklearn.load_model if flavor == "sklearn" else pyfunc.load_model
    with pytest.raises(StepwellException, match=field) as refused:
        load(saved)
    assert refused.value.error_code == "INVALID_PARAMETER_VALUE"


@pytest.mark.parametrize("path", ["../outside.pkl", "/etc/passwd", "a/../../outside.pkl"])
@pytest.mark.parametrize(
    ("loader", "field", "more"),
    [
        ("mlflow.sklearn", "pickled_model", {}),
        ("mlflow.pytorch", "model_data", {}),
        ("mlflow.xgboost", "data", {}),
        ("mlflow.lightgbm", "data", {}),
        ("mlflow.keras", "data", {}),
        ("mlflow.keras", "data", {"save_exported_model": True}),
        ("mlflow.tensorflow", "data", {}),
        ("mlflow.tensorflow", "saved_model_dir", {"model_type": "tf2-module"}),
        ("mlflow.fastai", "data", {}),
        ("mlflow.pyfunc.model", "python_model", {}),
    ],
)
def test_paths_of_every_library_are_refused_before_it_sees_them(
    saved: Path, loader: str, field: str, more: dict[str, Any], path: str
) -> None:
    flavor = flavor_of_loader(loader)
    assert flavor is not None
    with pytest.raises(StepwellException, match=f"`{field}`") as refused:
        flavor.load(saved, {**more, field: path})
    assert refused.value.error_code == "INVALID_PARAMETER_VALUE"


def test_files_beside_a_network_are_in_its_folder(saved: Path) -> None:
    network = flavor_of_loader("mlflow.pytorch")
    assert network is not None
    with pytest.raises(StepwellException, match="`extra_files`"):
        network.load(saved, {"model_data": "data", "extra_files": [{"path": "../outside.pkl"}]})


@pytest.mark.parametrize("field", ["artifact_path", "serving_input_path"])
def test_examples_that_leave_the_folder_are_refused(saved: Path, field: str) -> None:
    said = yaml.safe_load((saved / "MLmodel").read_text())
    said["saved_input_example_info"] = {"type": "json_object", field: "../outside.pkl"}
    (saved / "MLmodel").write_text(yaml.safe_dump(said))
    model = stepwell.models.Model.load(saved)
    with pytest.raises(StepwellException, match=f"`{field}`"):
        (examples.read if field == "artifact_path" else examples.read_serving)(saved, model)


def test_artifacts_that_leave_the_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    pyfunc.save_model(
        tmp_path / "model", python_model=lambda it: it, artifacts={"a": str(tmp_path / "a.txt")}
    )
    change(tmp_path / "model", "python_function", artifacts={"a": {"path": "../a.txt", "uri": ""}})
    with pytest.raises(StepwellException, match="artifacts 'a'"):
        pyfunc.load_model(tmp_path / "model")


def test_links_that_leave_the_folder_are_refused(saved: Path) -> None:
    (saved / "model.pkl").unlink()
    (saved / "model.pkl").symlink_to(saved.parent / "outside.pkl")
    with pytest.raises(StepwellException, match="symbolic link that leaves its folder"):
        stepwell.sklearn.load_model(saved)


def test_links_within_the_folder_are_fine(saved: Path) -> None:
    (saved / "model.pkl").rename(saved / "other.pkl")
    (saved / "model.pkl").symlink_to("other.pkl")
    stepwell.sklearn.load_model(saved)


def test_a_folder_may_be_reached_by_a_link(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "latest").symlink_to(saved)
    stepwell.sklearn.load_model(tmp_path / "latest")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: [", "no YAML"),
        ("- 1", "map of names"),
        ("flavors: 3", "flavors must be a map"),
        ("!!python/object/apply:os.system ['true']", "no YAML"),
        ("flavors: {python_function: {}}", "names no loader_module"),
        ("flavors: {python_function: {loader_module: mlflow.nothing}}", "no flavor of that name"),
        ("flavors: {python_function: {loader_module: no_such_module_here}}", "no_such_module_here"),
        ("flavors: {}", 'Model does not have the "python_function" flavor'),
        ("{}", 'Model does not have the "python_function" flavor'),
    ],
)
def test_damaged_descriptions(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "MLmodel").write_text(text)
    with pytest.raises(StepwellException, match=why):
        pyfunc.load_model(tmp_path)


def test_a_description_says_nothing_and_is_still_one(tmp_path: Path) -> None:
    (tmp_path / "MLmodel").write_text("{}")
    assert stepwell.models.get_model_info(str(tmp_path)).flavors == {}


def test_what_is_no_model(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(StepwellException) as refused:
            pyfunc.load_model(place)
        assert refused.value.error_code == "RESOURCE_DOES_NOT_EXIST"


def test_strangers_and_the_future_do_no_harm(saved: Path) -> None:
    said = yaml.safe_load((saved / "MLmodel").read_text())
    said |= {"mlflow_version": "99.1", "unknown": {"deep": [1]}, "prompts": None}
    said["flavors"]["from_the_future"] = {"x": 1}
    said["flavors"]["python_function"] |= {"env": "conda.yaml", "more": 1}
    (saved / "MLmodel").write_text(yaml.safe_dump(said))
    pyfunc.load_model(saved)
    info = stepwell.models.get_model_info(saved)
    assert (info.mlflow_version, info.flavors["from_the_future"]) == ("99.1", {"x": 1})


def test_a_damaged_pickle_says_so(saved: Path) -> None:
    (saved / "model.pkl").write_bytes(b"\x80\x04nonsense")
    with pytest.raises(StepwellException, match="damaged"):
        stepwell.sklearn.load_model(saved)


def test_a_pickle_of_a_missing_module_names_it(saved: Path) -> None:
    (saved / "model.pkl").write_bytes(b"cno_such_module_here\nThing\n.")
    with pytest.raises(StepwellException, match="'no_such_module_here'"):
        stepwell.sklearn.load_model(saved)
