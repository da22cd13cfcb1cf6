"""What scripts import as mlflow.tracking."""

from stepwell.client import StepwellClient
from stepwell.fluent import get_tracking_uri, is_tracking_uri_set, set_tracking_uri

MlflowClient = StepwellClient

__all__ = ["MlflowClient", "StepwellClient", "get_tracking_uri", "is_tracking_uri_set", "set_tracking_uri"]
