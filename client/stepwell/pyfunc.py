"""Models as functions, of any flavor: what scripts import as mlflow.pyfunc."""

from stepwell.models.pyfunc.loaded import PyFuncModel
from stepwell.models.pyfunc.loading import load_model

__all__ = ["PyFuncModel", "load_model"]
