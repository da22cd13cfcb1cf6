"""Models of scikit-learn: what scripts import as mlflow.sklearn."""

from stepwell.autologging.sklearn import autolog
from stepwell.models.flavors.sklearn import load_model, log_model, save_model

__all__ = ["autolog", "load_model", "log_model", "save_model"]
