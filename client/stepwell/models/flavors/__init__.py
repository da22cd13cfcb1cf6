"""The libraries whose models Stepwell writes and loads: one file each, imported when it is asked for."""

from importlib import import_module

from stepwell.models.flavor import Flavor

# By loader_module in MLmodel: module below this one, and class.
_LOADERS = {
    "mlflow.fastai": ("fastai", "FastAI"),
    "mlflow.keras": ("keras", "Keras"),
    "mlflow.lightgbm": ("lightgbm", "LightGBM"),
    "mlflow.pytorch": ("pytorch", "PyTorch"),
    "mlflow.sklearn": ("sklearn", "Sklearn"),
    "mlflow.tensorflow": ("tensorflow", "TensorFlow"),
    "mlflow.xgboost": ("xgboost", "XGBoost"),
}


def flavor_of_loader(loader_module: str) -> type[Flavor] | None:
    """Return the flavor that loads what names this loader; None if there is none here."""
    if loader_module not in _LOADERS:
        return None
    module, kind = _LOADERS[loader_module]
    found: type[Flavor] = getattr(import_module(f"{__name__}.{module}"), kind)
    return found
