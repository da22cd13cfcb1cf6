"""Models of PyTorch: what scripts import as mlflow.pytorch."""

from stepwell.autologging.pytorch import autolog
from stepwell.autologging.pytorch.watching import watch
from stepwell.models.flavors.pytorch import load_checkpoint, load_model, log_model, save_model
from stepwell.models.flavors.state_dicts import load_state_dict, log_state_dict, save_state_dict

__all__ = [
    "autolog",
    "load_checkpoint",
    "load_model",
    "load_state_dict",
    "log_model",
    "log_state_dict",
    "save_model",
    "save_state_dict",
    "watch",
]
