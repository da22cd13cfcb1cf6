"""Models: their folders, flavors, signatures; what scripts import as mlflow.models. Loaded with the first use.

stepwell.sklearn …, pyfunc     the face: save_model, log_model, load_model
flavors/     pyfunc/           how each library's models are written, loaded and wrapped; functions and classes
saving       logged            a folder that appears whole; files of a run or of a model of its own
loading      places            from a URI to a folder, from a folder to an object
examples     enforcement/      what goes in: examples, and data held against the signature
environment/                   what the model needs to run again
mlmodel      signature         the description
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stepwell.models.code_models import ModelConfig, set_model
    from stepwell.models.info import ModelInfo
    from stepwell.models.mlmodel import Model
    from stepwell.models.rewriting import get_model_info
    from stepwell.models.serving_input import convert_input_example_to_serving_input, validate_serving_input
    from stepwell.models.signature import ModelSignature, infer_signature, set_signature

__all__ = [
    "Model",
    "ModelConfig",
    "ModelInfo",
    "ModelSignature",
    "convert_input_example_to_serving_input",
    "get_model_info",
    "infer_signature",
    "set_model",
    "set_signature",
    "validate_serving_input",
]

_WHERE = {
    "Model": "mlmodel",
    "ModelConfig": "code_models",
    "ModelInfo": "info",
    "ModelSignature": "signature",
    "convert_input_example_to_serving_input": "serving_input",
    "get_model_info": "rewriting",
    "infer_signature": "signature",
    "set_model": "code_models",
    "set_signature": "signature",
    "validate_serving_input": "serving_input",
}


# Modules that scripts reach as attributes, without importing them.
_MODULES = frozenset({"signature"})


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    if name in _WHERE:
        return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
