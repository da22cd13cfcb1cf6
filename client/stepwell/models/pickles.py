"""Pickles, which execute code when they are read: who allows it, who is told, and names that only MLflow has.

Models that MLflow saved refer to a few of its classes; they are found here when MLflow is not installed, by the
unpickler alone: no module of that name appears in the process.
"""

import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from logging import getLogger
from pathlib import Path
from typing import Any

from stepwell import settings
from stepwell.errors import StepwellException, invalid

# What pickles of MLflow name, and where it is here.
_HERE = {
    ("mlflow.pyfunc.model", "PythonModel"): ("stepwell.models.pyfunc.python_model", "PythonModel"),
    ("mlflow.pyfunc.model", "PythonModelContext"): (
        "stepwell.models.pyfunc.python_model",
        "PythonModelContext",
    ),
    ("mlflow.pyfunc.model", "_FunctionPythonModel"): ("stepwell.models.pyfunc.python_model", "FunctionModel"),
    ("mlflow.models.signature", "_TypeHints"): ("stepwell.models.pyfunc.python_model", "TypeHints"),
    ("mlflow.models.signature", "ModelSignature"): ("stepwell.models.signature", "ModelSignature"),
    ("mlflow.exceptions", "MlflowException"): ("stepwell.errors", "StepwellException"),
    ("mlflow.pyfunc.utils.data_validation", "FuncInfo"): ("stepwell.models.pyfunc.validation", "FuncInfo"),
    ("mlflow.pyfunc.utils.data_validation", "_validate_model_input"): (
        "stepwell.models.pyfunc.validation",
        "validate_model_input",
    ),
}

_log = getLogger("stepwell")
_told = False


def check_allowed(file: Path) -> None:
    """Say, once in a process, that a pickle executes code; refuse it where the environment says so.

    Raises:
        StepwellException: PERMISSION_DENIED under STEPWELL_ALLOW_PICKLE=false.
    """
    global _told
    if not settings.allow_pickle():
        raise StepwellException(
            f"{file.name} of the model is a pickle, and reading it would execute code: STEPWELL_ALLOW_PICKLE is false. "
            "Save the model in another format (skops, ONNX, state dicts), or allow pickles of people whom you trust.",
            "PERMISSION_DENIED",
        )
    if not _told:
        _told = True
        _log.warning(
            "Loading this model reads a pickle, which executes code of whoever saved it; load models only from people "
            "whom you trust. STEPWELL_ALLOW_PICKLE=false refuses. (This is said once.)"
        )


def load(file: Path) -> Any:
    """Return the object of a pickle.

    Raises:
        StepwellException: PERMISSION_DENIED as in `check_allowed`; INVALID_PARAMETER_VALUE as in `explained`.
    """
    check_allowed(file)
    with file.open("rb") as stream, explained(file):
        return _Unpickler(stream).load()


@contextmanager
def explained(file: Path) -> Iterator[None]:
    """Say what is wrong with a pickle that cannot be read in the block.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE when it needs a module that is missing, or is damaged.
    """
    try:
        yield
    except ModuleNotFoundError as missing:
        raise invalid(
            f"{file.name} of the model needs the module {missing.name!r}, which is not installed here; the model's "
            "requirements.txt says what it needs, and code_paths take modules of your own along."
        ) from missing
    except (pickle.UnpicklingError, EOFError) as damage:
        raise invalid(f"{file} is no pickle, or damaged: {damage}") from damage


class _Unpickler(pickle.Unpickler):
    """Finds what is named as MLflow's, when MLflow itself is not there."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return super().find_class(module, name)
        except ModuleNotFoundError as missing:
            if (missing.name or "").partition(".")[0] != "mlflow":
                raise
            return of_mlflow(module, name)


def of_mlflow(module: str, name: str) -> Any:
    """Return what stands here for something that MLflow has; ModuleNotFoundError when nothing does."""
    if (module, name) not in _HERE:
        raise ModuleNotFoundError(f"No module named {module!r} (for its {name})", name=module)
    ours, ours_name = _HERE[module, name]
    return getattr(import_module(ours), ours_name)


def has_mlflow() -> bool:
    """Tell whether MLflow is installed, without importing it."""
    return find_spec("mlflow") is not None


def pickler() -> Callable[..., Any]:
    """Return cloudpickle's dump, which takes along what is defined in the script."""
    from stepwell import extras

    dump: Callable[..., Any] = extras.load("cloudpickle", "Saving this model", "models").dump
    return dump
