"""Checkpoints of a training, as files of its run: the best so far, or one for each epoch or so many steps."""

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from logging import getLogger
from pathlib import Path

from stepwell import beside
from stepwell.autologging.calls import LoggedCall
from stepwell.autologging.options import Options
from stepwell.errors import invalid
from stepwell.models.flavors.checkpoints import FOLDER, LATEST_TAG

PER_EPOCH = "epoch"

_log = getLogger("stepwell")


@dataclass(frozen=True)
class CheckpointOptions(Options):
    """What autolog of some libraries is told of checkpoints, by MLflow's names: see theirs."""

    checkpoint: bool = True
    checkpoint_monitor: str = "val_loss"
    checkpoint_mode: str = "min"
    checkpoint_save_best_only: bool = True
    checkpoint_save_weights_only: bool = False
    checkpoint_save_freq: str | int = PER_EPOCH

    def __post_init__(self) -> None:
        """Refuse what means nothing. StepwellException INVALID_PARAMETER_VALUE."""
        super().__post_init__()
        if self.checkpoint_mode not in ("min", "max"):
            raise invalid(f"checkpoint_mode is 'min' or 'max', not {self.checkpoint_mode!r}.")
        frequency = self.checkpoint_save_freq
        if frequency != PER_EPOCH and not (type(frequency) is int and frequency > 0):
            raise invalid(f"checkpoint_save_freq is 'epoch' or a number of steps, not {frequency!r}.")


@dataclass
class Checkpoints:
    """Logs what `save` writes; `suffix` is that of its files."""

    call: LoggedCall
    wanted: CheckpointOptions
    suffix: str
    _best: float | None = None
    _has_told: bool = False

    def offer(
        self, epoch: int, step: int, metrics: Mapping[str, float], save: Callable[[Path], object]
    ) -> None:
        """Log a checkpoint, if it is to be kept: written now, sent beside the training."""
        if self.wanted.checkpoint_save_best_only and not self._is_best(metrics):
            return
        folder, prefix = self._place(epoch, step)
        weights = ".weights" if self.wanted.checkpoint_save_weights_only else ""
        name = f"{prefix}checkpoint{weights}{self.suffix}"
        described = {**metrics, "epoch": epoch, "global_step": step}
        local = Path(tempfile.mkdtemp(prefix="stepwell-"))
        try:
            save(local / name)
            (local / f"{prefix}checkpoint_metrics.json").write_text(json.dumps(described, indent=2))
        except BaseException:
            shutil.rmtree(local, ignore_errors=True)
            raise
        beside.leave(self.call.run_id, lambda: self.call.attempt(self._send, local, folder, name))

    def _send(self, local: Path, folder: str, name: str) -> None:
        try:
            self.call.client.log_artifacts(self.call.run_id, local, folder)
            self.call.set_tags({LATEST_TAG: f"{folder}/{name}"})
        finally:
            shutil.rmtree(local, ignore_errors=True)

    def _place(self, epoch: int, step: int) -> tuple[str, str]:
        """Return the folder of a checkpoint, and what its files' names begin with."""
        if self.wanted.checkpoint_save_best_only:
            return FOLDER, "latest_"
        part = f"epoch_{epoch}" if self.wanted.checkpoint_save_freq == PER_EPOCH else f"global_step_{step}"
        return f"{FOLDER}/{part}", ""

    def _is_best(self, metrics: Mapping[str, float]) -> bool:
        value = metrics.get(self.wanted.checkpoint_monitor)
        if value is None:
            if not self._has_told and not self.call.options.silent:
                _tell_missing(self.wanted.checkpoint_monitor)
            self._has_told = True
            return False
        is_min = self.wanted.checkpoint_mode == "min"
        if self._best is not None and not (value < self._best if is_min else value > self._best):
            return False
        self._best = value
        return True


def _tell_missing(monitor: str) -> None:
    """Say that checkpoints are not logged, once a training."""
    _log.warning(
        "No checkpoints are logged: the best is to be kept, by %s, which this training has not. Name another metric "
        "with checkpoint_monitor, or give checkpoint_save_best_only=False.",
        monitor,
    )
