"""Models of PyTorch: what pyfunc makes of data, devices, modes, formats, state dicts, checkpoints."""

import logging
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

import stepwell
from stepwell import StepwellException
from stepwell.models import infer_signature
from stepwell.models.flavors.pytorch import Network
from tests.harness.servers.processes import ServerProcess

pytestmark = [pytest.mark.xdist_group("flavors"), pytest.mark.filterwarnings("ignore")]

ROWS = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]], dtype="float32")


class Scaled(torch.nn.Module):
    """Multiplies by a factor that can be given with a prediction."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(2, 1)

    def forward(self, rows: torch.Tensor, factor: float = 1.0) -> torch.Tensor:
        return self.linear(rows) * factor


@pytest.fixture
def module() -> torch.nn.Module:
    torch.manual_seed(3)
    return Scaled()


@pytest.fixture
def saved(module: torch.nn.Module, tmp_path: Path) -> Path:
    stepwell.pytorch.save_model(module, tmp_path / "model")
    return tmp_path / "model"


def expected(module: torch.nn.Module, rows: Any = ROWS) -> np.ndarray:
    with torch.no_grad():
        return module(torch.from_numpy(rows)).numpy()


def test_the_files_are_those_of_mlflow(saved: Path) -> None:
    files = {path.relative_to(saved).as_posix() for path in saved.rglob("*") if path.is_file()}
    environment = {"MLmodel", "conda.yaml", "python_env.yaml", "requirements.txt"}
    assert files == environment | {"data/model.pth", "data/pickle_module_info.txt"}
    assert (saved / "data/pickle_module_info.txt").read_text() == "mlflow.pytorch.pickle_module"
    flavors = yaml.safe_load((saved / "MLmodel").read_text())["flavors"]
    version = str(torch.__version__)
    assert flavors["pytorch"] == {"model_data": "data", "pytorch_version": version, "code": None}
    pyfunc = flavors["python_function"]
    assert pyfunc["loader_module"] == "mlflow.pytorch"
    assert pyfunc["data"] == "data"
    assert pyfunc["config"] == {"device": None}
    assert pyfunc["pickle_module_name"] == "mlflow.pytorch.pickle_module"


def test_requirements_name_what_the_module_is_made_of(tmp_path: Path) -> None:
    stepwell.pytorch.save_model(torch.nn.Sequential(torch.nn.Linear(2, 1)), tmp_path / "model")
    lines = (tmp_path / "model/requirements.txt").read_text().splitlines()
    public = str(torch.__version__).partition("+")[0]
    assert f"torch=={public}" in lines
    assert any(line.startswith("cloudpickle==") for line in lines)
    assert not [line for line in lines if line.startswith(("xgboost", "keras", "lightgbm"))]


def test_an_array_gives_an_array_and_a_frame_a_frame(saved: Path, module: torch.nn.Module) -> None:
    loaded = stepwell.pyfunc.load_model(str(saved))
    predicted = loaded.predict(ROWS)
    assert isinstance(predicted, np.ndarray)
    np.testing.assert_allclose(predicted, expected(module))
    frame = pd.DataFrame(ROWS.astype("float64"), columns=["a", "b"], index=[7, 8, 9])
    of_frame = loaded.predict(frame)
    assert isinstance(of_frame, pd.DataFrame)
    assert list(of_frame.index) == [7, 8, 9]
    np.testing.assert_allclose(of_frame.to_numpy(), expected(module))
    assert isinstance(loaded.get_raw_model(), Scaled)


@pytest.mark.parametrize("data", [ROWS.tolist(), {"rows": ROWS}, torch.from_numpy(ROWS)])
def test_other_data_is_refused(saved: Path, data: Any) -> None:
    with pytest.raises(TypeError, match=f"not {type(data).__name__}"):
        stepwell.pyfunc.load_model(str(saved)).predict(data)


def test_params_of_the_signature_go_to_the_module(module: torch.nn.Module, tmp_path: Path) -> None:
    signature = infer_signature(ROWS, expected(module), {"factor": 1.0})
    stepwell.pytorch.save_model(module, tmp_path / "model", signature=signature)
    loaded = stepwell.pyfunc.load_model(str(tmp_path / "model"))
    np.testing.assert_allclose(loaded.predict(ROWS, params={"factor": 2.0}), 2 * expected(module))


def test_a_device_is_chosen_when_loading(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # There is no GPU here, but torch has a device without memory.
    def device_of(loaded: Any) -> str:
        return next(loaded.get_raw_model().parameters()).device.type

    assert device_of(stepwell.pyfunc.load_model(str(saved))) == "cpu"
    config = {"device": "meta"}
    assert device_of(stepwell.pyfunc.load_model(str(saved), model_config=config)) == "meta"
    monkeypatch.setenv("STEPWELL_DEFAULT_PREDICTION_DEVICE", "meta")
    assert device_of(stepwell.pyfunc.load_model(str(saved))) == "meta"
    assert next(stepwell.pytorch.load_model(str(saved)).parameters()).device.type == "cpu"
    assert next(stepwell.pytorch.load_model(str(saved), device="meta").parameters()).device.type == "meta"
    with pytest.raises(ValueError, match="when the model is loaded"):
        Network(stepwell.pytorch.load_model(str(saved)), "cpu").predict(ROWS, {"device": "cuda"})


def test_an_example_gives_the_signature_and_changes_nothing(tmp_path: Path) -> None:
    module = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2), torch.nn.Dropout())
    module.train()
    module[1].eval()  # frozen, as in fine-tuning
    before = {name: value.clone() for name, value in module.state_dict().items()}
    stepwell.pytorch.save_model(module, tmp_path / "model", input_example=ROWS)
    assert [part.training for part in (module, *module)] == [True, True, False, True]
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    loaded = stepwell.pyfunc.load_model(str(tmp_path / "model"))
    inputs = loaded.metadata.signature.inputs.to_dict()
    assert inputs == [{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 2]}}]
    np.testing.assert_array_equal(loaded.input_example, ROWS)
    # In evaluation mode, so that nothing is dropped.
    np.testing.assert_array_equal(loaded.predict(ROWS), loaded.predict(ROWS))
    with pytest.raises(StepwellException, match="float64 does not match expected dtype float32"):
        loaded.predict(ROWS.astype("float64"))


def test_rows_that_cannot_be_written_to(saved: Path, module: torch.nn.Module) -> None:
    rows = ROWS.copy()
    rows.flags.writeable = False
    np.testing.assert_allclose(stepwell.pyfunc.load_model(str(saved)).predict(rows), expected(module))


def test_pt2_takes_as_many_rows_as_come(module: torch.nn.Module, tmp_path: Path) -> None:
    stepwell.pytorch.save_model(
        module.train(), tmp_path / "model", serialization_format="pt2", input_example=ROWS
    )
    assert module.training
    assert (tmp_path / "model/data/model.pt2").is_file()
    loaded = stepwell.pyfunc.load_model(str(tmp_path / "model"))
    rows = np.ones((9, 2), dtype="float32")
    np.testing.assert_allclose(loaded.predict(rows), expected(module, rows), rtol=1e-6)


def test_pt2_without_an_example(module: torch.nn.Module, tmp_path: Path) -> None:
    with pytest.raises(StepwellException, match="needs an input_example"):
        stepwell.pytorch.save_model(module, tmp_path / "model", serialization_format="pt2")
    with pytest.raises(StepwellException, match="Use one of pickle, pt2"):
        stepwell.pytorch.save_model(module, tmp_path / "model", serialization_format="onnx")


def test_what_is_no_module(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"should be a torch\.nn\.Module, not dict"):
        stepwell.pytorch.save_model({}, tmp_path / "model")


def test_a_pickle_module_that_is_not_here(saved: Path) -> None:
    (saved / "data/pickle_module_info.txt").write_text("pickles_of_somebody")
    with pytest.raises(StepwellException, match="pickles_of_somebody"):
        stepwell.pytorch.load_model(str(saved))


def test_a_damaged_file_is_named(saved: Path) -> None:
    (saved / "data/model.pth").write_bytes(b"no zip file at all")
    with pytest.raises(StepwellException, match=r"model\.pth"):
        stepwell.pytorch.load_model(str(saved))


def test_other_versions_are_told(saved: Path, caplog: pytest.LogCaptureFixture) -> None:
    (saved / "requirements.txt").write_text("torch==1.0.0")
    with caplog.at_level(logging.WARNING, logger="stepwell"):
        stepwell.pyfunc.load_model(str(saved))
    assert "torch 1.0.0" in caplog.text


def test_without_torch(module: torch.nn.Module, saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(StepwellException, match="needs torch, which is not installed: pip install torch"):
        stepwell.pytorch.load_model(str(saved))


def test_state_dicts(module: torch.nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPWELL_ALLOW_PICKLE", "false")  # weights are none
    stepwell.pytorch.save_state_dict(module.state_dict(), tmp_path / "weights")
    loaded = stepwell.pytorch.load_state_dict(str(tmp_path / "weights"))
    assert all(torch.equal(value, loaded[name]) for name, value in module.state_dict().items())
    with pytest.raises(StepwellException, match="STEPWELL_ALLOW_PICKLE"):
        stepwell.pytorch.load_state_dict(str(tmp_path / "weights"), weights_only=False)
    with pytest.raises(TypeError, match="must be a dict"):
        stepwell.pytorch.save_state_dict(module, tmp_path / "module")
    with pytest.raises(StepwellException, match=r"no state_dict\.pth"):
        stepwell.pytorch.load_state_dict(str(tmp_path))


class TestWithServer:
    """What goes to a run and comes back."""

    @pytest.fixture(autouse=True)
    def server(self, shared_server: ServerProcess) -> None:
        stepwell.set_tracking_uri(shared_server.tracking_uri)

    def test_models_and_weights_of_a_run(self, module: torch.nn.Module) -> None:
        with stepwell.start_run() as run:
            info = stepwell.pytorch.log_model(module, name="best_model", step=4)
            stepwell.pytorch.log_state_dict(module.state_dict(), "weights")
        np.testing.assert_allclose(stepwell.pyfunc.load_model(info.model_uri).predict(ROWS), expected(module))
        by_run = stepwell.pytorch.load_model(f"runs:/{run.info.run_id}/best_model")
        np.testing.assert_allclose(expected(by_run), expected(module))
        loaded = stepwell.pytorch.load_state_dict(f"runs:/{run.info.run_id}/weights")
        assert loaded.keys() == module.state_dict().keys()

    def test_checkpoints(self, module: torch.nn.Module, tmp_path: Path) -> None:
        class Restored:
            @staticmethod
            def load_from_checkpoint(path: str, **keywords: Any) -> Any:
                return torch.load(path), keywords

        with stepwell.start_run() as run:
            for epoch in (0, 1):
                file = tmp_path / "checkpoint.pth"
                torch.save({"epoch": epoch}, file)
                stepwell.log_artifact(file, f"checkpoints/epoch_{epoch}")
            with pytest.raises(StepwellException, match="no logged checkpoint"):
                stepwell.pytorch.load_checkpoint(Restored)
            stepwell.set_tag("mlflow.latest_checkpoint_artifact", "checkpoints/epoch_1/checkpoint.pth")
            assert stepwell.pytorch.load_checkpoint(Restored, kwargs={"a": 1}) == ({"epoch": 1}, {"a": 1})
        run_id = run.info.run_id
        assert stepwell.pytorch.load_checkpoint(Restored, run_id, epoch=0) == ({"epoch": 0}, {})
        with pytest.raises(StepwellException, match="Only one of 'epoch' and 'global_step'"):
            stepwell.pytorch.load_checkpoint(Restored, run_id, epoch=0, global_step=1)
        with pytest.raises(StepwellException, match="no active run"):
            stepwell.pytorch.load_checkpoint(Restored)


def test_files_that_go_along(module: torch.nn.Module, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("a b c")
    stepwell.pytorch.save_model(module, tmp_path / "model", extra_files=[tmp_path / "words.txt"])
    said = yaml.safe_load((tmp_path / "model" / "MLmodel").read_text())
    assert said["flavors"]["pytorch"]["extra_files"] == [{"path": "extra_files/words.txt"}]
    assert (tmp_path / "model" / "extra_files" / "words.txt").read_text() == "a b c"
    stepwell.pytorch.load_model(tmp_path / "model")
    with pytest.raises(StepwellException, match="two of them have the name"):
        stepwell.pytorch.save_model(module, tmp_path / "other", extra_files=[tmp_path / "words.txt"] * 2)
    with pytest.raises(StepwellException, match="extra_files must be a list"):
        stepwell.pytorch.save_model(module, tmp_path / "third", extra_files="words.txt")
