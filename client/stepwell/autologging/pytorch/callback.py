"""The callback of Lightning that autologging adds to a fit: it never fails, and goes along to other processes."""

from collections.abc import Mapping
from typing import Any

from stepwell.autologging.calls import LoggedCall
from stepwell.autologging.checkpoints import PER_EPOCH, Checkpoints


def callback_for(package: Any, call: LoggedCall, checkpoints: Checkpoints | None) -> Any:
    """Return a callback of one of Lightning's packages that logs a fit to a call."""
    return _Callbacks.of(package)(call, checkpoints)


def numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return metrics as numbers."""
    return {key: float(value) for key, value in metrics.items()}


class _Teller:
    """What the callbacks of both packages do."""

    def __init__(self, call: LoggedCall, checkpoints: Checkpoints | None) -> None:
        self._call = call
        self._checkpoints = checkpoints
        self._chosen: Any = call.options
        # What was logged by step is not by epoch, and the other way round, so that steps of a metric are of one kind.
        self._by_step: set[str] = set()
        self._by_epoch: set[str] = set()
        self._steps_per_batch = 1

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Log what is trained with."""
        self._steps_per_batch = max(1, len(trainer.optimizers))
        if trainer.is_global_zero:
            self._call.attempt(self._log_start, trainer)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any) -> None:
        """Log metrics of steps, and a checkpoint, where they are due."""
        if not trainer.is_global_zero:
            return
        step, every = trainer.global_step, self._chosen.log_every_n_step
        if every and (step // self._steps_per_batch + 1) % every == 0:
            self._call.attempt(self._log_step, trainer, step)
        if self._checkpoints is not None:
            often = self._checkpoints.wanted.checkpoint_save_freq
            if isinstance(often, int) and step and step % often == 0:
                self._call.attempt(self._offer, trainer)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Log metrics of an epoch, and a checkpoint, where they are due."""
        if trainer.sanity_checking or not trainer.is_global_zero:
            return
        self._call.attempt(self._log_epoch, trainer)
        if self._checkpoints is not None and self._checkpoints.wanted.checkpoint_save_freq == PER_EPOCH:
            self._call.attempt(self._offer, trainer)

    def _log_start(self, trainer: Any) -> None:
        self._call.set_tags({"Mode": "training"})
        params: dict[str, Any] = {"epochs": trainer.max_epochs}
        if trainer.optimizers:
            optimizer = trainer.optimizers[0]
            optimizer = getattr(optimizer, "_optimizer", optimizer)  # Lightning's wrapper has the real one
            params |= {"optimizer_name": type(optimizer).__name__, **getattr(optimizer, "defaults", {})}
        self._call.log_params(params)

    def _log_step(self, trainer: Any, step: int) -> None:
        metrics = trainer.callback_metrics
        found = {
            name: float(value)
            for name, value in metrics.items()
            if name not in self._by_epoch and f"{name}_step" not in metrics
        }
        if found:
            self._by_step.update(found)
            self._call.log_metrics(found, step=step)

    def _log_epoch(self, trainer: Any) -> None:
        found = {key: it for key, it in trainer.callback_metrics.items() if key not in self._by_step}
        self._by_epoch.update(found)
        if found and (trainer.current_epoch + 1) % self._chosen.log_every_n_epoch == 0:
            self._call.log_metrics(numbers(found), step=trainer.current_epoch)

    def _offer(self, trainer: Any) -> None:
        assert self._checkpoints is not None
        weights_only = self._checkpoints.wanted.checkpoint_save_weights_only

        def save(file: Any) -> None:
            # Not trainer.save_checkpoint, which waits for the other processes of the job.
            content = trainer._checkpoint_connector.dump_checkpoint(weights_only)
            trainer.strategy.save_checkpoint(content, str(file))

        self._checkpoints.offer(
            trainer.current_epoch, trainer.global_step, numbers(trainer.callback_metrics), save
        )


class _Callbacks:
    """A class of callbacks for each package: each knows its own base alone. Kept here, so that pickles find them."""

    made: dict[str, type] = {}  # noqa: RUF012 - of the process

    @classmethod
    def of(cls, package: Any) -> Any:
        name = package.__name__
        if name not in cls.made:
            kind = type("Callback", (_Teller, package.Callback), {"__reduce__": _reduced, "package": name})
            cls.made[name] = kind
        return cls.made[name]


def _reduced(self: Any) -> tuple[Any, ...]:
    return _again, (self.package, self._call, self._checkpoints)


def _again(package: str, call: LoggedCall, checkpoints: Checkpoints | None) -> Any:
    from importlib import import_module

    return callback_for(import_module(package), call, checkpoints)
