"""Models of fastai: what scripts import as mlflow.fastai."""

from stepwell.autologging.fastai import autolog
from stepwell.models.flavors.fastai import load_model, log_model, save_model

__all__ = ["autolog", "load_model", "log_model", "save_model"]
