"""LightGBM: `lightgbm.train(…, callbacks=[StepwellCallback()])`, or an estimator's `fit(callbacks=…)`."""

import weakref
from typing import Any

from stepwell.integrations.boosting import Rounds


class StepwellCallback:
    """Logs each evaluation of each round as the metric `<data>-<metric>`, as MLflow names it.

    The run is the active one, if there is one; else it is started with the training, and ends with it. LightGBM tells
    nobody of early stopping: then it ends when the callback goes, which is at once unless somebody keeps it.

    Args:
        run_id: another run.
        every: only every n-th round, and the last one.
    """

    # After the evaluation, and before early stopping, which ends a round by an exception.
    order = 25
    before_iteration = False

    def __init__(self, run_id: str | None = None, *, every: int = 1) -> None:
        self._rounds = Rounds(run_id, every)
        # At the end of the process all runs are ended anyway.
        weakref.finalize(self, self._rounds.end).atexit = False

    def __call__(self, env: Any) -> None:
        """Log what was evaluated in a round."""
        if env.iteration == env.begin_iteration:
            self._rounds.end()
        last = env.iteration == env.end_iteration - 1
        if env.iteration % self._rounds.every == 0 or last:
            found = {
                f"{data}-{name}": float(value) for data, name, value, *_ in env.evaluation_result_list or ()
            }
            self._rounds.log(found, env.iteration)
        if last:
            self._rounds.end()
