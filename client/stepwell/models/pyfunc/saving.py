"""save_model and log_model of functions: which kind of function it is, and its signature from type hints."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict, Unpack

from stepwell.errors import invalid, short
from stepwell.models import logged, saving
from stepwell.models.flavor import Flavor
from stepwell.models.info import ModelInfo
from stepwell.models.options import LogOptions, SaveOptions
from stepwell.models.pyfunc import hints
from stepwell.models.pyfunc.flavors import CodeFlavor, LoaderFlavor, PythonFlavor, as_model
from stepwell.models.pyfunc.loading import read_config
from stepwell.models.pyfunc.python_model import hints_of
from stepwell.models.signature import ModelSignature


class FunctionOptions(TypedDict, total=False):
    """What a function is.

    python_model: a PythonModel, a function of one argument, or the path of a script that calls set_model.
    artifacts: files and folders for it: names, and paths or URIs; see PythonModelContext.
    model_config: a dict, or the path of a YAML file; see PythonModelContext.
    loader_module, data_path: instead of python_model: a module with _load_pyfunc(path), and what it loads.
    """

    python_model: Any
    artifacts: Mapping[str, Any] | None
    model_config: Any
    loader_module: str | None
    data_path: Any


class SaveFunction(SaveOptions, FunctionOptions, total=False):
    """Keywords of pyfunc.save_model."""


class LogFunction(LogOptions, FunctionOptions, total=False):
    """Keywords of pyfunc.log_model."""


@short
def save_model(path: Any, **options: Unpack[SaveFunction]) -> None:
    """Save a function as a model to a local folder.

    Args:
        path: of the folder, which must not be there yet, or be empty.
        options: see `FunctionOptions` and `SaveOptions`.

    Raises:
        StepwellException: RESOURCE_ALREADY_EXISTS; INVALID_PARAMETER_VALUE.
    """
    flavor, rest = _flavor(options)
    saving.save(flavor, path, rest)


@short
def log_model(artifact_path: str | None = None, **options: Unpack[LogFunction]) -> ModelInfo:
    """Log a function as a model; see `FunctionOptions` and `LogOptions`."""
    flavor, rest = _flavor(options)
    return logged.log(flavor, artifact_path, rest)


def _flavor(options: Mapping[str, Any]) -> tuple[Flavor, dict[str, Any]]:
    """Return what the function is, and the options that all flavors share."""
    own = {key: options.get(key) for key in FunctionOptions.__annotations__}
    rest = {key: it for key, it in options.items() if key not in own}
    classes = sorted(key for key in ("python_model", "artifacts") if own[key])
    loaders = sorted(key for key in ("loader_module", "data_path") if own[key])
    if classes and loaders:
        raise invalid(
            f"The following sets of parameters cannot be specified together: {classes} and {loaders}. A model is a "
            "python_model, with its artifacts, or a loader_module, with its data_path."
        )
    config = read_config(own["model_config"])
    if own["loader_module"]:
        return LoaderFlavor(str(own["loader_module"]), own["data_path"], config), rest
    if own["python_model"] is None:
        raise invalid(
            "Either `loader_module` or `python_model` must be specified. A `loader_module` should be a "
            "python module, a `python_model` an instance of PythonModel, a function, or the path of a script."
        )
    flavor = _python_flavor(own["python_model"], own["artifacts"], config)
    return flavor, _with_hints(flavor, rest)


def _python_flavor(python_model: Any, artifacts: Any, config: Mapping[str, Any]) -> PythonFlavor:
    if not isinstance(python_model, (str, Path)):
        return PythonFlavor(as_model(python_model), artifacts, config)
    script = Path(python_model)
    if script.suffix != ".py" or not script.is_file():
        raise invalid(
            f"python_model is {str(python_model)!r}; a model from code is the path of a .py file that is there."
        )
    return CodeFlavor(script, artifacts, config)


def _with_hints(flavor: PythonFlavor, rest: dict[str, Any]) -> dict[str, Any]:
    """Let the type hints of predict be the signature, where they say one: they override another."""
    found = hints_of(flavor.python_model)
    inputs = hints.schema_of(found.input)
    given = rest.get("signature")
    if inputs is None or not isinstance(given, (ModelSignature, bool, type(None))):
        return rest
    params = given.params if isinstance(given, ModelSignature) else None
    signature = ModelSignature(inputs, hints.output_schema_of(found.output), params)
    signature._is_signature_from_type_hint = True
    return {**rest, "signature": signature}
