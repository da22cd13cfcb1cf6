"""Autologging of PyTorch: Lightning's Trainer, of both its packages, and what plain loops give a SummaryWriter."""

import sys
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

from stepwell.autologging import imports, options
from stepwell.autologging.checkpoints import CheckpointOptions
from stepwell.autologging.patches import Patches
from stepwell.autologging.pytorch import lightning, summaries
from stepwell.errors import StepwellException, invalid, short

LIBRARY = "pytorch"
TRAINERS = ("lightning.pytorch", "pytorch_lightning")
WRITERS = ("torch.utils.tensorboard.writer", "tensorboardX.writer")

_patches = Patches()


@dataclass(frozen=True)
class PyTorchOptions(CheckpointOptions):
    """Beside the keywords of all: see `autolog`."""

    log_every_n_epoch: int = 1
    log_every_n_step: int | None = None

    def __post_init__(self) -> None:
        """Refuse what means nothing. StepwellException INVALID_PARAMETER_VALUE."""
        for name in ("log_every_n_epoch", "log_every_n_step"):
            number = getattr(self, name)
            is_left_out = number is None and name == "log_every_n_step"
            if not is_left_out and not (type(number) is int and number > 0):
                raise invalid(f"{name} is a whole number above 0, not {number!r}.")
        super().__post_init__()


@short
def autolog(
    *,
    disable: bool = False,
    disable_for_unsupported_versions: bool = False,
    **keywords: Any,
) -> None:
    """Log every `fit` of Lightning's Trainer, and what is given to a SummaryWriter (scalars, hparams, images).

    Args:
        disable: turn it off again; every method is what it was.
        disable_for_unsupported_versions: taken for MLflow's sake.
        keywords: those of `Options`, log_every_n_epoch, log_every_n_step (also metrics of so many steps; of a
            SummaryWriter only such global steps), checkpoint (whether to log them), checkpoint_monitor,
            checkpoint_mode ("min" or "max"), checkpoint_save_best_only, checkpoint_save_weights_only,
            checkpoint_save_freq ("epoch" or a number of steps).

    Raises:
        StepwellException: NOT_IMPLEMENTED when PyTorch is not installed; INVALID_PARAMETER_VALUE.
    """
    chosen = PyTorchOptions.of(keywords)
    if not disable and not any(name in sys.modules or find_spec(name) for name in ("torch", "tensorboardX")):
        raise StepwellException(
            "Autologging of PyTorch needs torch, which is not installed: pip install torch.",
            "NOT_IMPLEMENTED",
        )
    imports.forget(LIBRARY)
    _patches.revert()
    options.forget(LIBRARY)
    if disable:
        return
    options.choose(LIBRARY, chosen)
    for module in TRAINERS:
        imports.when_imported(module, LIBRARY, partial(lightning.follow, _patches, module))
    for module in WRITERS:
        imports.when_imported(module, LIBRARY, partial(summaries.follow, _patches, module))
