"""Models as functions, of any flavor: what scripts import as mlflow.pyfunc."""

from stepwell.models.environment.dependencies import get_model_dependencies
from stepwell.models.pyfunc.loaded import PyFuncModel
from stepwell.models.pyfunc.loading import load_model
from stepwell.models.pyfunc.python_model import PythonModel, PythonModelContext
from stepwell.models.pyfunc.saving import log_model, save_model

__all__ = [
    "PyFuncModel",
    "PythonModel",
    "PythonModelContext",
    "get_model_dependencies",
    "load_model",
    "log_model",
    "save_model",
]
