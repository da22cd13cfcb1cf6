"""Models of Keras: what scripts import as mlflow.keras."""

from stepwell.autologging.keras import autolog
from stepwell.models.flavors.keras import load_model, log_model, save_model

__all__ = ["autolog", "load_model", "log_model", "save_model"]
