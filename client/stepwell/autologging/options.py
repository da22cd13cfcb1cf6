"""What autolog was told, by library."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self, TypeVar

from stepwell.errors import invalid


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

    @classmethod
    def of(cls, keywords: Mapping[str, Any]) -> Self:
        """Return what keywords say. TypeError for one that there is not; StepwellException for a wrong value."""
        known = {each.name for each in fields(cls)}
        if unknown := sorted(set(keywords) - known):
            raise TypeError(
                f"autolog() takes no {', '.join(unknown)}; there is: {', '.join(sorted({'disable', *known}))}."
            )
        return cls(**keywords)

    def __post_init__(self) -> None:
        """Refuse what means nothing. StepwellException INVALID_PARAMETER_VALUE."""
        if not isinstance(self.extra_tags, (Mapping, type(None))):
            raise invalid(f"extra_tags are a dictionary of names and values, not {self.extra_tags!r}.")


Chosen = TypeVar("Chosen", bound=Options)

_chosen: dict[str, Options] = {}
# Libraries that were turned on with all the others, and by no call of their own.
_with_all: set[str] = set()


def choose(library: str, options: Options) -> None:
    """Turn a library's autologging on."""
    _chosen[library] = options
    _with_all.discard(library)


def choose_for_all(library: str) -> None:
    """Note that a library was turned on with all the others: the next such call may tell it something else."""
    _with_all.add(library)


def was_told(library: str) -> bool:
    """Tell whether a library is on by a call of its own."""
    return library in _chosen and library not in _with_all


def forget(library: str) -> None:
    """Turn it off."""
    _chosen.pop(library, None)
    _with_all.discard(library)


def chosen(library: str) -> Options | None:
    """Return what it was told; None while it is off."""
    return _chosen.get(library)


def chosen_as(library: str, kind: type[Chosen]) -> Chosen | None:
    """Return what it was told, which is of this kind; None while it is off."""
    found = _chosen.get(library)
    return found if isinstance(found, kind) else None
