"""Pickles, which execute code when they are read: who allows it, who is told, and names that only MLflow has.

Models that MLflow saved refer to a few of its classes; the unpickler finds ours in their place: no module of that name
appears in the process. Models that are saved here name MLflow's class, so that either side loads them.
"""

import bz2
import gzip
import lzma
import pickle
import pkgutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from logging import getLogger
from pathlib import Path
from types import FunctionType
from typing import Any

from stepwell import extras, settings
from stepwell.errors import StepwellException, invalid

# What pickles of MLflow name, and where it is here.
_HERE = {
    ("mlflow.pyfunc.model", "PythonModel"): ("stepwell.models.pyfunc.python_model", "PythonModel"),
    ("mlflow.pyfunc.model", "PythonModelContext"): (
        "stepwell.models.pyfunc.python_model",
        "PythonModelContext",
    ),
    ("mlflow.pyfunc.model", "_FunctionPythonModel"): ("stepwell.models.pyfunc.python_model", "FunctionModel"),
    ("mlflow.models.signature", "_TypeHints"): ("stepwell.models.pyfunc.validation", "TypeHints"),
    ("mlflow.exceptions", "MlflowException"): ("stepwell.errors", "StepwellException"),
    ("mlflow.pyfunc.utils.data_validation", "FuncInfo"): ("stepwell.models.pyfunc.validation", "FuncInfo"),
    ("mlflow.pyfunc.utils.data_validation", "_validate_model_input"): (
        "stepwell.models.pyfunc.validation",
        "validate_model_input",
    ),
}

# Of these, what is written by its name.
_WRITTEN = (
    "mlflow.pyfunc.model:PythonModel",
    "mlflow.pyfunc.model:PythonModelContext",
    "mlflow.pyfunc.model:_FunctionPythonModel",
    "mlflow.pyfunc.utils.data_validation:_validate_model_input",
)
_UNREAD = ("mlflow.types", "mlflow.models.signature")

_OPEN: dict[str | None, Callable[..., Any]] = {
    None: open,
    "gzip": gzip.open,
    "bzip2": bz2.open,
    "lzma": lzma.open,
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


def load(file: Path, compression: str | None = None) -> Any:
    """Return the object of a pickle, which may be compressed by "gzip", "bzip2" or "lzma".

    Raises:
        StepwellException: PERMISSION_DENIED as in `check_allowed`; INVALID_PARAMETER_VALUE as in `explained`.
    """
    check_allowed(file)
    if compression not in _OPEN:
        raise invalid(f"{file.name} of the model is compressed by {compression!r}, which is not known here.")
    with _OPEN[compression](file, "rb") as stream, explained(file):
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
    """Finds what is named as MLflow's without MLflow, whether that is installed or not."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _HERE:
            return of_mlflow(f"{module}:{name}")
        if (module, name) == ("pkgutil", "resolve_name"):
            return of_mlflow
        if module.startswith(_UNREAD):
            return Unread
        return super().find_class(module, name)


class Unread:
    """Stands for what a pickle holds of MLflow's schemas: MLmodel says the same, and is read instead."""

    def __init__(self, *arguments: Any) -> None:
        pass


def of_mlflow(name: str) -> Any:
    """Return what stands here for "module:name" of MLflow; anything else as pkgutil.resolve_name finds it."""
    module, _, attribute = name.partition(":")
    if (module, attribute) not in _HERE:
        return pkgutil.resolve_name(name)
    ours, ours_name = _HERE[module, attribute]
    return getattr(import_module(ours), ours_name)


def dump(value: Any, stream: Any) -> None:
    """Write an object by cloudpickle, which takes along what is defined in the script.

    Our PythonModel is written as the name of MLflow's, to be looked up where it is read.
    """
    cloudpickle = extras.load("cloudpickle", "Saving this model", "models")
    names = {of_mlflow(name): name for name in _WRITTEN}

    class Pickler(cloudpickle.CloudPickler):  # type: ignore[misc, name-defined]
        def reducer_override(self, obj: Any) -> Any:
            if isinstance(obj, (type, FunctionType)) and obj in names:
                return pkgutil.resolve_name, (names[obj],)
            return super().reducer_override(obj)

    Pickler(stream).dump(value)
