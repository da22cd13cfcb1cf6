"""What scripts import as mlflow.exceptions."""

from stepwell.errors import StepwellException

MlflowException = StepwellException

__all__ = ["MlflowException", "StepwellException"]
