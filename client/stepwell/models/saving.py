"""From a model in memory to a folder: everything that flavors share. The folder appears whole, or not at all."""

import platform
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from logging import getLogger
from pathlib import Path
from typing import Any
from uuid import uuid4

from stepwell import settings
from stepwell.errors import StepwellException, invalid
from stepwell.models import examples, json_values, options, serving_input
from stepwell.models.environment import files, requirements
from stepwell.models.environment.requirements import Requirements
from stepwell.models.examples import Example
from stepwell.models.flavor import Flavor, Written
from stepwell.models.mlmodel import FILE, PYFUNC, Model
from stepwell.models.options import Saving
from stepwell.models.pyfunc.loaded import PyFuncModel
from stepwell.models.signature import ModelSignature, infer_signature

CODE_FOLDER = "code"

_log = getLogger("stepwell")


def save(flavor: Flavor, path: Any, given: Mapping[str, Any]) -> Model:
    """Save a model to a local folder, and return its description.

    Raises:
        StepwellException: RESOURCE_ALREADY_EXISTS when there is something at the path; INVALID_PARAMETER_VALUE.
    """
    chosen = options.saving(given)
    model = chosen.mlflow_model if chosen.mlflow_model is not None else Model()
    with new_folder(path) as folder:
        write(flavor, folder, model, chosen)
    return model


def write(flavor: Flavor, folder: Path, model: Model, chosen: Saving) -> None:
    """Write a model's files into an empty folder, the description last."""
    example = examples.example_of(chosen.input_example) if chosen.input_example is not None else None
    # Before the model is asked for a signature: what it makes of itself then may be nothing to keep.
    written = flavor.write(folder)
    wrapped = cache(flavor.wrapped)
    signature = _signature(flavor, wrapped, chosen, example)
    code = _copy_code(chosen.code_paths, folder)
    model.model_size_bytes = sum(it.stat().st_size for it in folder.rglob("*") if it.is_file())
    if example is not None:
        example.write(folder)
        model.saved_input_example_info = example.info
    _write_environment(flavor, folder, chosen, example)
    model.signature = signature or model.signature
    model.metadata = dict(chosen.metadata) if chosen.metadata else model.metadata
    _add_flavors(flavor, model, written, code)
    if example is not None and model.signature is not None:
        _try_request(wrapped, folder, model, example)
    model.save(folder / FILE)


@contextmanager
def new_folder(path: Any) -> Iterator[Path]:
    """Yield a folder beside a path; it moves there when the block ends well, and is gone otherwise.

    Raises:
        StepwellException: RESOURCE_ALREADY_EXISTS when something is there already.
    """
    target = settings.local_folder(path, "path")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise StepwellException(
            f"Path '{target}' already exists and is not empty; models are not written over others.",
            "RESOURCE_ALREADY_EXISTS",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = target.with_name(f".{target.name[:100]}-{uuid4().hex}")
    folder.mkdir()
    try:
        yield folder
        folder.rename(target)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _signature(
    flavor: Flavor, wrapped: Callable[[], Any], chosen: Saving, example: Example | None
) -> ModelSignature | None:
    if isinstance(chosen.signature, ModelSignature):
        return chosen.signature
    found = None
    if chosen.signature is None and example is not None:
        found = _inferred(wrapped, example)
    if found is None and flavor.needs_signature:
        raise invalid(f"A model of {flavor.name} needs a signature, or an input example that gives one.")
    return found


def _inferred(wrapped: Callable[[], Any], example: Example) -> ModelSignature | None:
    """Return the signature of an example and what the model makes of it; a model that fails has none."""
    try:
        predict = wrapped().predict
        output = predict(example.data, params=example.params) if example.params else predict(example.data)
        return infer_signature(example.data, output, example.params)
    except Exception as failure:  # noqa: BLE001 - the model is the user's code; what it cannot do is no reason to lose it
        _log.warning(
            "The model failed on the input example, so that it is saved without a signature: %s: %s",
            type(failure).__name__,
            failure,
        )
        return None


def _try_request(wrapped: Callable[[], Any], folder: Path, model: Model, example: Example) -> None:
    """Say what a server of the model would say to a request with the example, if it would refuse it."""
    try:
        request = serving_input.parsed(json_values.dumps(example.serving), model.get_input_schema())
        PyFuncModel(model, wrapped(), folder, {}).predict(request.data, params=request.params)
    except Exception as failure:  # noqa: BLE001 - as above
        _log.warning(
            "A server of the model would refuse a request with the input example (%s): %s: %s",
            examples.SERVING_FILE,
            type(failure).__name__,
            failure,
        )


def _copy_code(code_paths: Any, folder: Path) -> str | None:
    for given in code_paths or ():
        source = Path(given)
        if not source.exists():
            raise invalid(f"code_paths: {source} does not exist.")
        target = folder / CODE_FOLDER / source.resolve().name
        target.parent.mkdir(exist_ok=True)
        if target.exists():
            raise invalid(f"code_paths: two of them have the name {target.name!r}.")
        if source.is_dir():
            shutil.copytree(source, target, ignore=lambda around, names: _left_out(folder, around, names))
        else:
            shutil.copyfile(source, target)
    return CODE_FOLDER if code_paths else None


def _left_out(folder: Path, around: str, names: list[str]) -> list[str]:
    """Return what is not copied: compiled files, and the folder that is being written."""
    return [
        name
        for name in names
        if name == "__pycache__"
        or name.endswith((".pyc", ".pyo"))
        or Path(around, name).resolve() == folder.resolve()
    ]


def _write_environment(flavor: Flavor, folder: Path, chosen: Saving, example: Example | None) -> None:
    if chosen.conda_env is not None:
        conda_env, found = files.read_conda(chosen.conda_env)
        files.write(folder, found, conda_env)
    else:
        files.write(folder, _requirements(flavor, chosen, example))


def _requirements(flavor: Flavor, chosen: Saving, example: Example | None) -> Requirements:
    if chosen.pip_requirements is not None:
        return requirements.given(chosen.pip_requirements, "pip_requirements")
    # Of the example only its class counts: it is data.
    kinds = [type(example.data)] if example is not None else []
    found = requirements.found([*flavor.parts(), *kinds], flavor.distributions)
    if chosen.extra_pip_requirements is None:
        return found
    return requirements.joined(
        found, requirements.given(chosen.extra_pip_requirements, "extra_pip_requirements")
    )


def _add_flavors(flavor: Flavor, model: Model, written: Written, code: str | None) -> None:
    in_pyfunc = {"code": code} if code else {}
    model.add_flavor(
        PYFUNC,
        loader_module=flavor.loader_module,
        python_version=platform.python_version(),
        env=dict(files.ENV),
        **in_pyfunc,
        **written.pyfunc,
    )
    if written.config is not None:
        model.add_flavor(flavor.name, code=code, **written.config)
