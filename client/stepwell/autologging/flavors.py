"""stepwell.autolog(): every library that we know, also those that are imported later."""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

from stepwell.autologging import imports, options
from stepwell.errors import invalid


@dataclass(frozen=True)
class Library:
    """Where a library's autologging is, and the modules whose import turns it on: any of them."""

    place: str
    modules: tuple[str, ...]


LIBRARIES = {
    "sklearn": Library("stepwell.autologging.sklearn", ("sklearn",)),
    "xgboost": Library("stepwell.autologging.xgboost", ("xgboost",)),
    "lightgbm": Library("stepwell.autologging.lightgbm", ("lightgbm",)),
    "keras": Library("stepwell.autologging.keras", ("keras",)),
    "tensorflow": Library("stepwell.autologging.tensorflow", ("tensorflow",)),
    "pytorch": Library(
        "stepwell.autologging.pytorch",
        ("pytorch_lightning", "lightning.pytorch", "torch.utils.tensorboard.writer", "tensorboardX.writer"),
    ),
    "fastai": Library("stepwell.autologging.fastai", ("fastai.learner",)),
}


def autolog(
    log_input_examples: bool = False,
    log_model_signatures: bool = True,
    log_models: bool = True,
    log_datasets: bool = True,
    log_traces: bool = True,
    disable: bool = False,
    exclusive: bool = False,
    disable_for_unsupported_versions: bool = False,
    silent: bool = False,
    extra_tags: Mapping[str, Any] | None = None,
    exclude_flavors: Iterable[str] | None = None,
) -> None:
    """Log the training calls of all libraries by themselves: those that are imported, and those that will be.

    A library whose own autolog() was called keeps what that was told.

    Args:
        log_input_examples: log the first rows with a model.
        log_model_signatures: log what a model takes and gives.
        log_models: log the trained models.
        log_datasets: note which data was trained on.
        log_traces: taken for MLflow's sake; there are none.
        disable: turn it off again, for all of them; every method is what it was.
        exclusive: not while a run of the user's is active.
        disable_for_unsupported_versions: taken for MLflow's sake.
        silent: no warnings of ours.
        extra_tags: of runs that are started for a call.
        exclude_flavors: libraries to leave alone.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE.
    """
    if isinstance(exclude_flavors, str):
        raise invalid(f"exclude_flavors is a list, such as [{exclude_flavors!r}].")
    left_out = set(exclude_flavors or ())
    keywords: dict[str, Any] = {
        "log_input_examples": log_input_examples,
        "log_model_signatures": log_model_signatures,
        "log_models": log_models,
        "log_datasets": log_datasets,
        "exclusive": exclusive,
        "silent": silent,
        "extra_tags": extra_tags,
    }
    options.Options.of(keywords)
    for name, library in LIBRARIES.items():
        imports.forget(_owner(name))
        if name in left_out:
            continue
        if disable:
            _disable(library)
        elif not options.was_told(name):
            for module in library.modules:
                imports.when_imported(module, _owner(name), partial(_turn_on, name, keywords))


def _owner(name: str) -> str:
    return f"{name} with all"


def _turn_on(name: str, keywords: dict[str, Any]) -> None:
    if not options.was_told(name):
        import_module(LIBRARIES[name].place).autolog(**keywords)
        options.choose_for_all(name)


def _disable(library: Library) -> None:
    if library.place in sys.modules:
        sys.modules[library.place].autolog(disable=True)
