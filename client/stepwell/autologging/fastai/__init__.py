"""Autologging of fastai: `Learner.fit` and `fine_tune`; all other ways to train go through the first."""

from dataclasses import dataclass
from typing import Any

from stepwell import extras
from stepwell.autologging import imports, options
from stepwell.autologging.fastai import fitting
from stepwell.autologging.options import Options
from stepwell.errors import short

LIBRARY = "fastai"


@dataclass(frozen=True)
class FastAIOptions(Options):
    """Those of all."""


@short
def autolog(
    *,
    disable: bool = False,
    disable_for_unsupported_versions: bool = False,
    **keywords: Any,
) -> None:
    """Log every `fit` and `fine_tune` of a Learner: params, the optimizer's, schedules, metrics of epochs, the model.

    Args:
        disable: turn it off again; both are what they were.
        disable_for_unsupported_versions: taken for MLflow's sake.
        keywords: those of `Options`.

    Raises:
        StepwellException: NOT_IMPLEMENTED when fastai is not installed; INVALID_PARAMETER_VALUE.
    """
    chosen = FastAIOptions.of(keywords)
    if not disable:
        extras.library("fastai", "Autologging of fastai", "fastai")
    imports.forget(LIBRARY)
    fitting.leave()
    options.forget(LIBRARY)
    if disable:
        return
    options.choose(LIBRARY, chosen)
    # fine_tune is added to the Learner by a module of its own.
    for module in ("fastai.learner", "fastai.callback.schedule"):
        imports.when_imported(module, LIBRARY, fitting.follow)
