"""Models of TensorFlow: what scripts import as mlflow.tensorflow."""

from stepwell.autologging.tensorflow import autolog
from stepwell.models.flavors.tensorflow import load_model, log_model, save_model

__all__ = ["autolog", "load_model", "log_model", "save_model"]
