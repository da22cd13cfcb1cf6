"""XGBoost: `xgboost.train(…, evals=…, callbacks=[StepwellCallback()])`, or an estimator's `callbacks`."""

from typing import Any

from stepwell import extras
from stepwell.integrations.boosting import Rounds

_callback = extras.library("xgboost.callback", "StepwellCallback", "xgboost")


class StepwellCallback(_callback.TrainingCallback):  # type: ignore[name-defined]
    """Logs each evaluation of each round as the metric `<data>-<metric>`, as MLflow names it, and the best round.

    The run is the active one, if there is one; else it is started with the training, and ends with it.

    Args:
        run_id: another run.
        every: only every n-th round, and the last one.
    """

    def __init__(self, run_id: str | None = None, *, every: int = 1) -> None:
        super().__init__()
        self._rounds = Rounds(run_id, every)
        self._left: tuple[dict[str, float], int] | None = None

    def before_training(self, model: Any) -> Any:
        """Find the run, or start it."""
        self._rounds.begin()
        return model

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        """Log what was evaluated; training goes on."""
        found = {
            f"{data}-{name}": _last(values)
            for data, metrics in evals_log.items()
            for name, values in metrics.items()
        }
        self._left = (found, epoch)
        if epoch % self._rounds.every == 0:
            self._log_left()
        return False

    def after_training(self, model: Any) -> Any:
        """Log what is left, and the best round where it stopped early."""
        self._log_left()
        try:
            best = {"best_iteration": float(model.best_iteration), "best_score": float(model.best_score)}
        except AttributeError:  # it did not stop early
            best = {}
        self._rounds.log(best, 0)
        self._rounds.end()
        return model

    def _log_left(self) -> None:
        if self._left is not None:
            self._rounds.log(*self._left)
            self._left = None


def _last(values: Any) -> float:
    last = values[-1]
    return float(last[0] if isinstance(last, tuple) else last)  # of cross-validation: mean and deviation
