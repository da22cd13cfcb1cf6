"""Autologging of Keras: `Model.fit`, with any backend."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from stepwell import extras
from stepwell.autologging import imports, options
from stepwell.autologging.keras import fitting
from stepwell.autologging.options import Options
from stepwell.errors import invalid, short
from stepwell.models.flavors.keras import Keras

LIBRARY = "keras"


@dataclass(frozen=True)
class FitOptions(Options):
    """What `fit` logs, whichever library's autolog is on: see the two."""

    log_every_epoch: bool = True
    log_every_n_steps: int | None = None
    every_n_iter: int = 1

    def __post_init__(self) -> None:
        """Refuse what means nothing. StepwellException INVALID_PARAMETER_VALUE."""
        super().__post_init__()
        for name in ("log_every_n_steps", "every_n_iter"):
            number = getattr(self, name)
            if number is not None and not (type(number) is int and number > 0):
                raise invalid(f"{name} is a whole number above 0, not {number!r}.")
        if not self.log_every_epoch and self.log_every_n_steps is None:
            raise invalid("With log_every_epoch=False, log_every_n_steps says after how many steps to log.")


@dataclass(frozen=True)
class KerasOptions(FitOptions):
    """Beside those: see `autolog`."""

    save_exported_model: bool = False
    save_model_kwargs: dict[str, Any] | None = None


@short
def autolog(
    *,
    disable: bool = False,
    disable_for_unsupported_versions: bool = False,
    **keywords: Any,
) -> None:
    """Log every `fit` of Keras: params, the optimizer's, metrics of each epoch or step, the summary, the model.

    Args:
        disable: turn it off again; `fit` is what it was.
        disable_for_unsupported_versions: taken for MLflow's sake.
        keywords: those of `Options`, and log_every_epoch, log_every_n_steps (metrics also after so many steps),
            every_n_iter (of epochs, only each such), save_exported_model, save_model_kwargs.

    Raises:
        StepwellException: NOT_IMPLEMENTED when Keras is not installed; INVALID_PARAMETER_VALUE.
    """
    chosen = KerasOptions.of(keywords)
    if not disable:
        extras.library("keras", "Autologging of Keras", "keras")
    imports.forget(LIBRARY)
    fitting.leave(LIBRARY)
    options.forget(LIBRARY)
    if disable:
        return
    options.choose(LIBRARY, chosen)

    def flavor(model: Any, signature: Any) -> Keras:
        return Keras(model, chosen.save_exported_model, chosen.save_model_kwargs, signature)

    made = fitting.Follower(LIBRARY, "optimizer_", flavor)
    imports.when_imported("keras", LIBRARY, partial(fitting.follow, made))
