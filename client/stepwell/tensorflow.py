"""Models of TensorFlow: what scripts import as mlflow.tensorflow."""

from stepwell.models.flavors.tensorflow import load_model, log_model, save_model

__all__ = ["load_model", "log_model", "save_model"]
