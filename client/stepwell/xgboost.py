"""Models of XGBoost: what scripts import as mlflow.xgboost."""

from stepwell.models.flavors.xgboost import load_model, log_model, save_model

__all__ = ["load_model", "log_model", "save_model"]
