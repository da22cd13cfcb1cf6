"""load_model: from a URI to a PyFuncModel, by the module that MLmodel names."""

from collections.abc import Mapping
from importlib import import_module
from logging import getLogger
from pathlib import Path
from typing import Any

from stepwell.errors import StepwellException, invalid, short
from stepwell.models import flavors, inside, loading, mlmodel
from stepwell.models.mlmodel import PYFUNC, Model
from stepwell.models.pyfunc.loaded import PyFuncModel

_log = getLogger("stepwell")


@short
def load_model(
    model_uri: Any,
    suppress_warnings: bool = False,
    dst_path: str | None = None,
    model_config: Any = None,
) -> PyFuncModel:
    """Load a model of any flavor as a function.

    Args:
        model_uri: a local path, runs:/<run id>/<path>, models:/<name>/<version, stage or latest>,
            models:/<name>@<alias>, models:/<model id>.
        suppress_warnings: not to say that installed versions are others than it was saved with.
        dst_path: where the files go; a temporary folder if not given.
        model_config: a dict, or the path of a YAML file: replaces values that the model was saved with.

    Raises:
        StepwellException: RESOURCE_DOES_NOT_EXIST when there is no such model, or it is no function;
            INVALID_PARAMETER_VALUE when it is damaged or names paths outside of itself; PERMISSION_DENIED when it
            holds a pickle and STEPWELL_ALLOW_PICKLE is false.
    """
    folder, model = loading.opened(model_uri, dst_path)
    config = model.flavor(PYFUNC)
    loading.prepare(folder, model, config, quiet=suppress_warnings)
    merged = _merged(config.get("config"), read_config(model_config))
    return PyFuncModel(model, implementation_of(folder, model, merged), folder, merged)


def implementation_of(folder: Path, model: Model, model_config: Mapping[str, Any]) -> Any:
    """Return the object with predict that the flavor python_function names."""
    config = model.flavor(PYFUNC)
    name = config.get("loader_module")
    if not isinstance(name, str) or not name:
        raise invalid("MLmodel: python_function names no loader_module; the model cannot be loaded.")
    flavor = flavors.flavor_of_loader(name)
    if flavor is not None:
        return flavor.load_wrapped(folder, model, model_config)
    path = str(inside.named(config, "data", folder) or folder)
    try:
        module = import_module(name)
    except ModuleNotFoundError as missing:
        if missing.name and name.startswith(missing.name):
            raise StepwellException(
                f"The model is loaded by the module {name}, which is not here; install what it belongs to"
                f"{' (Stepwell has no flavor of that name)' if name.startswith('mlflow') else ''}.",
                "RESOURCE_DOES_NOT_EXIST",
            ) from None
        raise
    load = module._load_pyfunc
    return load(path, dict(model_config)) if model_config else load(path)


def read_config(model_config: Any) -> dict[str, Any]:
    """Return a config that is given as a dict or as the path of a YAML file."""
    if model_config is None:
        return {}
    if isinstance(model_config, Mapping):
        return dict(model_config)
    file = Path(model_config)
    if not file.is_file():
        raise invalid(f"model_config must be a dict or the path of a YAML file; {model_config!r} is no file.")
    value = mlmodel.yaml().safe_load(file.read_text(encoding="utf-8"))
    if not isinstance(value, Mapping):
        raise invalid(f"model_config: {file} must be a map of names, not {type(value).__name__}.")
    return dict(value)


def _merged(saved: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the saved config with what replaces it; what it has no place for is told."""
    known = dict(saved) if isinstance(saved, Mapping) else {}
    unknown = sorted(set(given) - set(known))
    if unknown:
        _log.warning(
            "The model was saved without these keys of model_config, which are left out: %s.", unknown
        )
    return {key: given.get(key, it) for key, it in known.items()}
