"""Models of LightGBM: what scripts import as mlflow.lightgbm."""

from stepwell.models.flavors.lightgbm import load_model, log_model, save_model

__all__ = ["load_model", "log_model", "save_model"]
