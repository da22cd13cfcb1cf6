"""Models of Keras: what scripts import as mlflow.keras."""

from stepwell.models.flavors.keras import load_model, log_model, save_model

__all__ = ["load_model", "log_model", "save_model"]
