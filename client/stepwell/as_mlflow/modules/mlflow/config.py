"""What scripts import as mlflow.config."""

from stepwell.as_mlflow.standing_in import stand_in
from stepwell.errors import StepwellException


def enable_async_logging(enable: bool = True) -> None:
    """Do nothing: no log call ever waits. Raises StepwellException NOT_IMPLEMENTED when each is to wait."""
    if not enable:
        raise StepwellException(
            "Log calls never wait for the server here. For one that does: log_metric(..., synchronous=True).",
            "NOT_IMPLEMENTED",
        )


stand_in(globals(), "stepwell")
