"""Keras 3: `model.fit(callbacks=[StepwellCallback()])`; by MLflow's name, `stepwell.keras.MlflowCallback`."""

from typing import Any

import stepwell
from stepwell import extras
from stepwell.errors import invalid
from stepwell.integrations.joining import Joined, join, numbers

_callbacks = extras.library("keras.callbacks", "StepwellCallback", "keras")

PARAM_CHARS_MAX = 500


class StepwellCallback(_callbacks.Callback):  # type: ignore[name-defined]
    """Logs the optimizer's params, a summary of the model, and metrics of each epoch, or of every n steps.

    The run is the active one, if there is one; else it is started with the training, and ends with it.

    Args:
        run: the active run if not given; what start_run or StepwellClient.create_run returned.
        log_every_epoch: metrics go to the epoch.
        log_every_n_steps: metrics go to the number of the batch, over all epochs; then `log_every_epoch` is False.
        model_id: of a logged model that the metrics say something of.
    """

    def __init__(
        self,
        run: Any = None,
        log_every_epoch: bool = True,
        log_every_n_steps: int | None = None,
        model_id: str | None = None,
    ) -> None:
        super().__init__()
        if log_every_epoch and log_every_n_steps is not None:
            raise invalid("`log_every_n_steps` goes with log_every_epoch=False.")
        if not log_every_epoch and not log_every_n_steps:
            raise invalid("Without log_every_epoch, `log_every_n_steps` is a whole number from 1 on.")
        if run is not None and not hasattr(run, "info"):
            raise invalid(f"run is what start_run() or create_run() returned, not {run!r}.")
        self._run_id: str | None = run.info.run_id if run is not None else None
        self._every_epoch, self._every_steps = log_every_epoch, log_every_n_steps
        self._model_id = model_id
        self._joined: Joined | None = None
        self._batches = 0

    def on_train_begin(self, logs: Any = None) -> None:
        """Start the run, and log what is known before."""
        self._start()
        optimizer = self.model.optimizer.get_config()
        params = {f"optimizer_{key}": str(value)[:PARAM_CHARS_MAX] for key, value in optimizer.items()}
        stepwell.log_params(params, run_id=self._run_id)
        lines: list[str] = []
        self.model.summary(print_fn=lambda line, **_: lines.append(str(line)))
        stepwell.log_text("\n".join(lines), "model_summary.txt", run_id=self._run_id)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Log metrics of an epoch."""
        if self._every_epoch:
            self._log(logs, epoch)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Log metrics of every n-th batch."""
        if self._every_steps and self._batches % self._every_steps == 0:
            self._log(logs, self._batches)
        self._batches += 1

    def on_test_end(self, logs: Any = None) -> None:
        """Log metrics of an evaluation, named validation_…."""
        self._start()
        self._log({f"validation_{key}": value for key, value in (logs or {}).items()}, None)

    def on_train_end(self, logs: Any = None) -> None:
        """End the run, if it was started here."""
        if self._joined is not None:
            self._joined.end()

    def _start(self) -> None:
        if self._run_id is None:
            self._joined = join()
            self._run_id = self._joined.run_id

    def _log(self, logs: Any, step: int | None) -> None:
        stepwell.log_metrics(numbers(logs), step=step, run_id=self._run_id, model_id=self._model_id)


MlflowCallback = StepwellCallback
