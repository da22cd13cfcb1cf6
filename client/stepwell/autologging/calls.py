"""One logged call: the run that it logs to, and how a fault of ours stays a warning."""

from collections.abc import Callable
from logging import getLogger
from typing import Any

from stepwell.autologging.options import Options
from stepwell.runs import active
from stepwell.runs.active import ActiveRun

AUTOLOGGING_TAG = "mlflow.autologging"

_log = getLogger("stepwell")


class LoggedCall:
    """A run for one call: the active one, which stays as it is, or one that begins and ends with it."""

    def __init__(self, library: str, options: Options) -> None:
        self.library = library
        self.options = options
        found = active.active_run()
        self.is_own = found is None
        self.run: ActiveRun = found or active.start_run(
            tags={AUTOLOGGING_TAG: library, **(options.extra_tags or {})}
        )
        self.has_failed = False

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.run.info.run_id

    def attempt(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Do something, and return what it returns; None when it fails, which is told."""
        try:
            return work(*arguments)
        except Exception as failure:  # noqa: BLE001 - whatever it is, training goes on
            self.has_failed = True
            if not self.options.silent:
                tell(self.library, failure)
            return None

    def end(self, status: str = "FINISHED") -> None:
        """End the run, if it is the call's own; FAILED also when something could not be logged."""
        if self.is_own:
            self.attempt(active.end_run, "FAILED" if self.has_failed else status)


def begin(library: str, options: Options) -> LoggedCall | None:
    """Return the call's run; None when nothing is to be logged, or no run can be had, which is told."""
    if options.exclusive and active.active_run() is not None:
        return None
    try:
        return LoggedCall(library, options)
    except Exception as failure:  # noqa: BLE001 - as above
        if not options.silent:
            tell(library, failure)
        return None


def tell(library: str, failure: Exception) -> None:
    """Say that something was not logged."""
    _log.warning(
        "Encountered unexpected error during %s autologging: %s: %s. The training is not affected.",
        library,
        type(failure).__name__,
        failure,
    )
