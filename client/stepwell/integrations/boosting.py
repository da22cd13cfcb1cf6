"""What XGBoost and LightGBM have in common: evaluations, round by round."""

import stepwell
from stepwell import values
from stepwell.integrations.joining import Joined, join, metric_name

EVERY_MAX = 2**31 - 1


class Rounds:
    """Logs what was evaluated in each round to a run: the active one, or one that is started and ended here.

    `every` is how many rounds lie between two that are logged; INVALID_PARAMETER_VALUE for what is no such number.
    """

    def __init__(self, run_id: str | None, every: object) -> None:
        self.every = values.to_integer("every", every, 1, EVERY_MAX)
        self._run_id = run_id
        self._joined: Joined | None = None

    def log(self, found: dict[str, float], step: int) -> None:
        """Log what was evaluated in a round."""
        self.begin()
        if found:
            metrics = {metric_name(name): value for name, value in found.items()}
            stepwell.log_metrics(metrics, step=step, run_id=self._run_id)

    def log_params(self, params: dict[str, object]) -> None:
        """Log params that have a value."""
        self.begin()
        given = {key: value for key, value in params.items() if value is not None}
        stepwell.log_params(given, run_id=self._run_id)

    def begin(self) -> None:
        """Find the run, or start it."""
        if self._run_id is None:
            self._joined = join()
            self._run_id = self._joined.run_id

    def end(self) -> None:
        """End the run, if it was started here."""
        if self._joined is not None:
            self._joined.end()
            self._joined, self._run_id = None, None
