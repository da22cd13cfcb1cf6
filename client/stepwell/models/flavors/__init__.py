"""The libraries whose models Stepwell writes and loads: one file each, imported when it is asked for."""

from importlib import import_module

from stepwell.models.flavor import Flavor

# By loader_module in MLmodel: module below `stepwell.models`, and class.
_LOADERS = {
    "mlflow.fastai": ("flavors.fastai", "FastAI"),
    "mlflow.keras": ("flavors.keras", "Keras"),
    "mlflow.lightgbm": ("flavors.lightgbm", "LightGBM"),
    "mlflow.pyfunc.loaders.code_model": ("pyfunc.flavors", "CodeFlavor"),
    "mlflow.pyfunc.model": ("pyfunc.flavors", "PythonFlavor"),
    "mlflow.pytorch": ("flavors.pytorch", "PyTorch"),
    "mlflow.sklearn": ("flavors.sklearn", "Sklearn"),
    "mlflow.tensorflow": ("flavors.tensorflow", "TensorFlow"),
    "mlflow.xgboost": ("flavors.xgboost", "XGBoost"),
}


def flavor_of_loader(loader_module: str) -> type[Flavor] | None:
    """Return the flavor that loads what names this loader; None if there is none here."""
    if loader_module not in _LOADERS:
        return None
    module, kind = _LOADERS[loader_module]
    found: type[Flavor] = getattr(import_module(f"stepwell.models.{module}"), kind)
    return found
