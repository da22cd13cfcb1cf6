"""Models of LightGBM: what scripts import as mlflow.lightgbm."""

from stepwell.autologging.lightgbm import autolog
from stepwell.models.flavors.lightgbm import load_model, log_model, save_model

__all__ = ["autolog", "load_model", "log_model", "save_model"]
