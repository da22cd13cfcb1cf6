"""Models from code: a script that calls set_model(object) is the model; it runs anew wherever it is loaded."""

import sys
from collections.abc import Mapping
from contextvars import ContextVar
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any
from uuid import uuid4

from stepwell.errors import invalid, short

# Of MLflow, when it is in the process: what its scripts set, and what it looks for in ours.
_MLFLOWS_MODULE, _MLFLOWS_NAME = "mlflow.models.model", "__mlflow_model__"

# What the script that runs has set, and the config that it runs with.
_set: ContextVar[list[Any] | None] = ContextVar("stepwell_code_model", default=None)
_config: ContextVar[dict[str, Any] | None] = ContextVar("stepwell_code_model_config", default=None)


@short
def set_model(model: Any) -> None:
    """Say, in a script that is saved as a model, which object is the model.

    Args:
        model: a PythonModel, or a function of one argument.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE for something else.
    """
    if not hasattr(model, "predict") and not callable(model):
        raise invalid(f"set_model takes a PythonModel or a function, not {type(model).__name__}.")
    found = _set.get()
    if found is not None:
        found.append(model)
    if _MLFLOWS_MODULE in sys.modules:  # which may be what runs the script
        setattr(sys.modules[_MLFLOWS_MODULE], _MLFLOWS_NAME, model)


class ModelConfig:
    """The config that a script runs with: `model_config` of the model, or `development_config` outside of one."""

    def __init__(self, *, development_config: Any = None) -> None:
        from stepwell.models.pyfunc.loading import read_config

        given = _config.get()
        self._values = dict(given) if given is not None else read_config(development_config)

    def get(self, key: str) -> Any:
        """Return a value; KeyError when there is none."""
        return self._values[key]

    def to_dict(self) -> dict[str, Any]:
        """Return all values."""
        return dict(self._values)


def run(script: Path, model_config: Mapping[str, Any] | None = None) -> Any:
    """Run a script, and return what it sets.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE when it sets nothing.
    """
    spec = spec_from_file_location(f"stepwell_code_model_{uuid4().hex}", script)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    found: list[Any] = []
    tokens = _set.set(found), _config.set(dict(model_config or {}))
    theirs = sys.modules.get(_MLFLOWS_MODULE)
    before = getattr(theirs, _MLFLOWS_NAME, None)
    sys.modules[spec.name] = module  # dataclasses and pickles look there
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[spec.name]
        raise
    finally:
        _set.reset(tokens[0])
        _config.reset(tokens[1])
    if not found:
        set_there = getattr(sys.modules.get(_MLFLOWS_MODULE), _MLFLOWS_NAME, None)
        found = [set_there] if set_there is not None and set_there is not before else []
    if not found:
        raise invalid(
            f"{script.name} sets no model: a script that is a model calls stepwell.models.set_model(model) at its end."
        )
    return found[-1]
