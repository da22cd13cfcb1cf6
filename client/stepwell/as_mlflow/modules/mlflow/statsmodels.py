"""What scripts import as mlflow.statsmodels: nothing but what programs call that turn all autologging off."""

from typing import Any

from stepwell.as_mlflow.standing_in import missing, stand_in
from stepwell.errors import StepwellException


def autolog(*_: Any, disable: bool = False, **__: Any) -> None:
    """Leave it off. Raises StepwellException NOT_IMPLEMENTED when it is to be on."""
    if not disable:
        raise StepwellException(missing("mlflow.statsmodels.autolog"), "NOT_IMPLEMENTED")


stand_in(globals())
