"""Environments for models: made once for the same requirements, told when they cannot be made."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stepwell import StepwellException, pyfunc
from stepwell.commands.models import _without_env_manager
from stepwell.serving import environments


@pytest.fixture(autouse=True)
def nothing_of_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without Stepwell itself, which would build the page."""
    monkeypatch.setattr(environments, "stepwell_requirement", lambda: "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def saved(folder: Path, *requirements: str) -> Path:
    pyfunc.save_model(folder, python_model=lambda data: data, pip_requirements=list(requirements))
    return folder


@pytest.mark.parametrize("manager", [environments.VIRTUALENV, environments.UV])
def test_an_environment_is_made_once(tmp_path: Path, caplog: pytest.LogCaptureFixture, manager: str) -> None:
    # Another model that needs the same; MLflow is not needed.
    models = [saved(tmp_path / "one", "mlflow==1.0"), saved(tmp_path / "two")]
    with ThreadPoolExecutor() as threads:
        (python,) = set(threads.map(lambda model: environments.build(model, manager), models))
    assert environments.build(models[0], manager) == python
    assert len([it for it in caplog.records if "Making an environment" in it.getMessage()]) == 1
    told = subprocess.run([python, "-c", "import sys; print(sys.prefix)"], stdout=subprocess.PIPE, check=True)
    assert Path(told.stdout.decode().strip()).samefile(python.parent.parent)


def test_what_cannot_be_installed_is_told_and_not_kept(tmp_path: Path) -> None:
    model = saved(tmp_path / "model", str(tmp_path / "no_such_package"))
    for _ in range(2):
        with pytest.raises(StepwellException, match=r"(?s)could not be made.*no_such_package") as refused:
            environments.build(model, environments.VIRTUALENV)
        assert refused.value.error_code == "INVALID_STATE"


def test_uv_is_named_when_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environments.shutil, "which", lambda name: None)
    monkeypatch.setitem(sys.modules, "uv", None)
    with pytest.raises(StepwellException, match="pip install uv, or use virtualenv"):
        environments.build(saved(tmp_path / "model"), environments.UV)


def test_the_command_goes_on_there_without_the_option() -> None:
    given = ["models", "serve", "-m", "x", "--env-manager", "uv", "-p", "1", "--env-manager=uv"]
    assert _without_env_manager(given) == ["models", "serve", "-m", "x", "-p", "1"]
