"""The callbacks of Keras that autologging adds to a fit; none of them fails."""

from collections.abc import Mapping, Sequence
from typing import Any

from stepwell.autologging.calls import LoggedCall
from stepwell.autologging.checkpoints import PER_EPOCH, Checkpoints

SUMMARY_FILE = "model_summary.txt"


def callbacks_for(call: LoggedCall, prefix: str, checkpoints: Checkpoints | None) -> list[Any]:
    """Return callbacks that log a fit.

    Args:
        call: what it is logged to; its options say how often.
        prefix: what params of the optimizer begin with.
        checkpoints: what logs checkpoints; None for nothing.
    """
    import keras

    chosen: Any = call.options

    class Epochs(keras.callbacks.Callback):  # type: ignore[misc]
        """Tells of epochs, and of evaluations."""

        def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
            call.attempt(_log_model, call, self.model, prefix)

        def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
            call.attempt(call.write_steps)

        def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
            if logs and chosen.log_every_epoch and epoch % chosen.every_n_iter == 0:
                call.log_step(logs, epoch)
            if checkpoints is not None and checkpoints.wanted.checkpoint_save_freq == PER_EPOCH:
                call.attempt(_offer, checkpoints, self.model, epoch, logs)

        def on_test_end(self, logs: Mapping[str, Any] | None = None) -> None:
            if logs:
                call.log_step({f"validation_{key}": value for key, value in logs.items()}, 0)

    every = chosen.log_every_n_steps

    class Steps(Epochs):
        """Tells of steps, too: of a class of its own, because Keras takes pains for whoever wants to hear of them."""

        _before = 0
        _epoch = 0

        def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
            self._epoch = epoch
            self._before = call.attempt(_iterations, self.model) or 0

        def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
            step = self._before + batch + 1
            if every and logs and step % every == 0:
                call.log_step(logs, step)
            if checkpoints is not None and _is_due(checkpoints, step):
                call.attempt(_offer, checkpoints, self.model, self._epoch, logs, step)

    wants_steps = every is not None or (
        checkpoints is not None and checkpoints.wanted.checkpoint_save_freq != PER_EPOCH
    )
    return [Steps() if wants_steps else Epochs()]


def early_stopping_of(callbacks: Sequence[Any]) -> Any:
    """Return the callback that ends a training early; None if there is none."""
    import keras

    return next((it for it in callbacks if isinstance(it, keras.callbacks.EarlyStopping)), None)


def _log_model(call: LoggedCall, model: Any, prefix: str) -> None:
    """Log what a model is trained with, and how it is built."""
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None:
        call.attempt(
            call.log_params, {f"{prefix}{key}": value for key, value in optimizer.get_config().items()}
        )
    lines: list[str] = []
    model.summary(print_fn=lambda line, *_, **__: lines.append(line))
    call.later(call.log_bytes, "\n".join(lines).encode(), SUMMARY_FILE)


def _iterations(model: Any) -> int:
    return int(model.optimizer.iterations.numpy())


def _is_due(checkpoints: Checkpoints, step: int) -> bool:
    frequency = checkpoints.wanted.checkpoint_save_freq
    return isinstance(frequency, int) and step % frequency == 0


def _offer(
    checkpoints: Checkpoints, model: Any, epoch: int, logs: Mapping[str, Any] | None, step: int | None = None
) -> None:
    reached = step if step is not None else _iterations(model)
    save = model.save_weights if checkpoints.wanted.checkpoint_save_weights_only else model.save
    checkpoints.offer(epoch, reached, checkpoints.call.numbers(logs or {}), lambda file: save(str(file)))
