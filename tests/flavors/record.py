"""Records the cases as MLflow saves them, for `test_recorded`:

    python -m tests.flavors.record [ENVIRONMENT ...]    # in the Python of the tree; makes the environments it needs

Writes `recorded/<version of MLflow>/`, a few kilobytes a case, without any path of the machine that it ran on.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from tests.flavors.cases import CASES
from tests.flavors.environments import python_of
from tests.harness.environments import ROOT

RECORDED = Path(__file__).parent / "recorded"
BYTES_MAX = 50_000
# Environment -> the libraries that are recorded in it.
RECORDINGS = {
    "mlflow-2.22": {"sklearn", "torch", "xgboost", "lightgbm", "keras"},
    "mlflow-3.12": {"sklearn", "torch", "xgboost", "lightgbm", "keras"},
    "mlflow-3.17": {"sklearn", "torch", "xgboost", "lightgbm", "keras"},
    "tensorflow": {"tensorflow"},
    "fastai": {"fastai"},
}


def main() -> None:
    """Record anew what the environments named, or all of them, have."""
    for environment in sys.argv[1:] or RECORDINGS:
        python = python_of(environment)
        version = _output(python, "-c", "import mlflow; print(mlflow.__version__)").strip()
        with tempfile.TemporaryDirectory() as folder:
            _output(
                python, "-m", "tests.flavors.write", "mlflow", folder, *_names(environment), tracking=folder
            )
            for file in sorted(Path(folder).glob("*.json")):
                if CASES[file.stem].library in RECORDINGS[environment]:
                    _keep(file.with_suffix(""), RECORDED / version.rpartition(".")[0])


def _names(environment: str) -> list[str]:
    """Return the cases of an environment that is made for one library; of the others all that they know."""
    libraries = RECORDINGS[environment]
    return [case.name for case in CASES.values() if case.library in libraries] if len(libraries) == 1 else []


def _keep(place: Path, target: Path) -> None:
    """Copy a case that was written into the tree."""
    for archive in (path for path in place.rglob("*") if path.suffix in (".pt2", ".pth")):
        _forget_source_lines(archive)
    _look_at(place, [str(place.parent), str(ROOT), str(Path.home()), sys.prefix])
    shutil.rmtree(target / place.name, ignore_errors=True)
    shutil.copytree(place, target / place.name)
    shutil.copy(place.with_suffix(".json"), target)


def _output(python: Path, *arguments: str, tracking: str = tempfile.gettempdir()) -> str:
    """Run a program, with a folder for what MLflow makes by the way; return what it printed."""
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "CUDA_VISIBLE_DEVICES": ""}
    quiet["MLFLOW_TRACKING_URI"] = f"file://{tracking}/mlruns"
    backend = {} if python.parts[-3] == "tensorflow" else {"KERAS_BACKEND": "torch"}
    environment = {**os.environ, **quiet, **backend}
    return subprocess.run(
        [python, *arguments], cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def _forget_source_lines(archive: Path) -> None:
    """Blank what torch notes of each operation: the line of source that it came from, with the path of the file."""
    with zipfile.ZipFile(archive) as old:
        members = {info.filename: old.read(info) for info in old.infolist()}
    if archive.suffix == ".pth" and not any(name.endswith(".debug_pkl") for name in members):
        return  # no script
    with zipfile.ZipFile(archive, "w") as new:
        for name, content in members.items():
            if name.endswith(".json"):
                new.writestr(name, json.dumps(_blank(json.loads(content))))
            elif not name.endswith(".debug_pkl"):
                new.writestr(name, content)


def _blank(value: Any) -> Any:
    if isinstance(value, list):
        return [_blank(item) for item in value]
    if isinstance(value, dict):
        return {key: "" if key == "stack_trace" else _blank(item) for key, item in value.items()}
    return value


def _look_at(place: Path, paths: list[str]) -> None:
    """Refuse a case that is large or tells where it was made."""
    files = [path for path in place.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    assert size <= BYTES_MAX, f"{place.name} has {size:,} bytes"
    for file in files:
        members = [file.read_bytes()]
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                members = [archive.read(name) for name in archive.namelist()]
        told = [path for path in paths for content in members if path.encode() in content]
        assert not told, f"{file} names {told}"


if __name__ == "__main__":
    main()
