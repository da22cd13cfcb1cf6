"""What autolog was told, by library."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Options:
    """Keywords that autolog of every library takes, by MLflow's names.

    log_input_examples, log_model_signatures, log_models, log_datasets: what is logged beside params and metrics.
    exclusive: not while a run of the user's is active.
    silent: no warnings of ours.
    registered_model_name: the model becomes a version of this one.
    extra_tags: of runs that are started for a call.
    """

    log_input_examples: bool = False
    log_model_signatures: bool = True
    log_models: bool = True
    log_datasets: bool = True
    exclusive: bool = False
    silent: bool = False
    registered_model_name: str | None = None
    extra_tags: Mapping[str, Any] | None = None


_chosen: dict[str, Options] = {}


def choose(library: str, options: Options) -> None:
    """Turn a library's autologging on."""
    _chosen[library] = options


def forget(library: str) -> None:
    """Turn it off."""
    _chosen.pop(library, None)


def chosen(library: str) -> Options | None:
    """Return what it was told; None while it is off."""
    return _chosen.get(library)
