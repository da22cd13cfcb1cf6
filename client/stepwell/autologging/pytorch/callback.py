"""The callback of Lightning that autologging adds to a fit: it never fails, and goes along to other processes."""

from collections.abc import Mapping
from functools import partial
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from stepwell.autologging.calls import LoggedCall
from stepwell.autologging.checkpoints import PER_EPOCH, Checkpoints

BATCH_END = "on_train_batch_end"
# What a connector of Lightning is asked for each batch of a training, when its metrics have been collected.
COLLECTED = "update_train_step_metrics"
# Hooks of each batch that nothing is done in: to be called there costs as much as to log a metric.
UNHEARD = (
    "on_after_backward",
    "on_before_backward",
    "on_before_optimizer_step",
    "on_before_zero_grad",
    "on_train_batch_start",
    "on_validation_batch_end",
    "on_validation_batch_start",
)


def callback_for(package: Any, call: LoggedCall, checkpoints: Checkpoints | None) -> Any:
    """Return a callback of one of Lightning's packages that logs a fit to a call."""
    return _Callbacks.of(package)(call, checkpoints)


def numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return metrics as numbers."""
    return {key: float(value) for key, value in metrics.items()}


def stacked(metrics: Mapping[str, Any]) -> Any:
    """Return metrics of another device than the processor as one tensor: for each by itself it would be waited.

    None where they are of the processor, or of several kinds.
    """
    values = list(metrics.values())
    if not values or getattr(values[0], "is_cpu", True):
        return None
    import torch

    kinds = {(type(it), getattr(it, "dtype", None), getattr(it, "device", None)) for it in values}
    if len(kinds) > 1 or any(it.ndim for it in values):
        return None
    return torch.stack(values)


class _Teller:
    """What the callbacks of both packages do.

    Metrics of a step are taken where Lightning has collected them, right behind its callbacks: who asks for them in one
    makes it collect them twice. It has no hook there, so its connector is told to call us, for this fit.
    """

    def __init__(self, call: LoggedCall, checkpoints: Checkpoints | None) -> None:
        self._call = call
        self._checkpoints = checkpoints
        self._chosen: Any = call.options
        # What was logged by step is not by epoch, and the other way round, so that steps of a metric are of one kind.
        self._by_step: set[str] = set()
        self._by_epoch: set[str] = set()
        self._steps_per_batch = 1
        # The names of a step's metrics, as they came last, and those of them that are logged.
        self._names: tuple[str, ...] = ()
        self._logged: list[str] = []
        self._connector: Any = None
        # The step of which we were told last.
        self._step: int | None = None

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Log what is trained with."""
        self._steps_per_batch = max(1, len(trainer.optimizers))
        if trainer.is_global_zero:
            self._call.attempt(self._log_start, trainer)
            if self._chosen.log_every_n_step:
                self._call.attempt(self._follow, trainer)
        if not self._wants_batches() and getattr(self, UNHEARD[0], _Teller) is None:
            vars(self)[BATCH_END] = None

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Leave Lightning as it was."""
        self.leave()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Log the step behind which another callback has failed."""
        step = trainer.global_step
        if self._connector is not None and step != self._step and self._is_due(step):
            self._call.attempt(self._log_asked, trainer, step)
        self.leave()

    def leave(self) -> None:
        """Leave Lightning as it was."""
        self._call.attempt(self._call.write_steps)
        vars(self).pop(BATCH_END, None)
        connector, self._connector = self._connector, None
        if connector is not None and _is_of(self, vars(connector).get(COLLECTED)):
            delattr(connector, COLLECTED)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any) -> None:
        """Log metrics of steps, and a checkpoint, where they are due."""
        if not trainer.is_global_zero:
            return
        step = trainer.global_step
        if self._connector is None and self._is_due(step):
            self._call.attempt(self._log_asked, trainer, step)
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

    def _wants_batches(self) -> bool:
        saves = self._checkpoints is not None and self._checkpoints.wanted.checkpoint_save_freq != PER_EPOCH
        return saves or (self._connector is None and self._chosen.log_every_n_step is not None)

    def _is_due(self, step: int) -> bool:
        every = self._chosen.log_every_n_step
        return bool(every) and (step // self._steps_per_batch + 1) % every == 0

    def _follow(self, trainer: Any) -> None:
        """Be told of a step when its metrics are there. In a Lightning that we don't know, they are asked for."""
        connector = getattr(trainer, "_logger_connector", None)
        is_known = callable(getattr(connector, COLLECTED, None)) and COLLECTED not in vars(connector)
        if is_known and isinstance(getattr(connector, "_callback_metrics", None), dict):
            setattr(connector, COLLECTED, partial(_Teller._collected, self, connector, trainer))
            self._connector, self._step = connector, trainer.global_step

    def _collected(self, connector: Any, trainer: Any) -> None:
        self._step = step = trainer.global_step
        if self._is_due(step):
            self._call.attempt(self._log_step, connector._callback_metrics, step)
        getattr(type(connector), COLLECTED)(connector)

    def _log_asked(self, trainer: Any, step: int) -> None:
        self._log_step(trainer.callback_metrics, step)

    def _log_step(self, metrics: Mapping[str, Any], step: int) -> None:
        names = tuple(metrics)
        if names != self._names:
            self._names = names
            self._logged = [
                name for name in names if name not in self._by_epoch and f"{name}_step" not in metrics
            ]
            self._by_step.update(self._logged)
        if self._logged:
            self._log({name: metrics[name] for name in self._logged}, step)

    def _log(self, metrics: Mapping[str, Any], step: int) -> None:
        waiting = stacked(metrics)
        if waiting is None:
            self._call.log_step(self._call.numbers(metrics), step)  # Lightning may write over tensors
        else:
            self._call.log_waiting_step(tuple(metrics), waiting, step)

    def _log_epoch(self, trainer: Any) -> None:
        found = {key: it for key, it in trainer.callback_metrics.items() if key not in self._by_step}
        self._by_epoch.update(found)
        self._names = ()
        if found and (trainer.current_epoch + 1) % self._chosen.log_every_n_epoch == 0:
            self._log(found, trainer.current_epoch)

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
            known = {"__reduce__": _reduced, "package": name}
            unheard = dict.fromkeys(UNHEARD) if _passes_over(name) else {}
            cls.made[name] = type("Callback", (_Teller, package.Callback), {**known, **unheard})
        return cls.made[name]


def _passes_over(package: str) -> bool:
    """Tell whether a Lightning passes a callback over that has None for a hook."""
    callback = SimpleNamespace(state_key="", **dict.fromkeys(UNHEARD))
    trainer = SimpleNamespace(callbacks=[callback], lightning_module=None, profiler=None)
    try:
        import_module(f"{package}.trainer.call")._call_callback_hooks(trainer, UNHEARD[0])
    except Exception:  # noqa: BLE001 - it is another one, whatever it says
        return False
    return True


def _is_of(teller: _Teller, function: Any) -> bool:
    return isinstance(function, partial) and teller in function.args


def _reduced(self: Any) -> tuple[Any, ...]:
    return _again, (self.package, self._call, self._checkpoints)


def _again(package: str, call: LoggedCall, checkpoints: Checkpoints | None) -> Any:
    return callback_for(import_module(package), call, checkpoints)
