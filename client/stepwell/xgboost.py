"""Models of XGBoost: what scripts import as mlflow.xgboost."""

from stepwell.autologging.xgboost import autolog
from stepwell.models.flavors.xgboost import load_model, log_model, save_model

__all__ = ["autolog", "load_model", "log_model", "save_model"]
