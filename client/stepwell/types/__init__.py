"""The types of schemas; what scripts import as mlflow.types."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stepwell.types.schema import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec

__all__ = ["ColSpec", "DataType", "ParamSchema", "ParamSpec", "Schema", "TensorSpec"]


def __getattr__(name: str) -> Any:
    if name == "schema":
        return import_module(f"{__name__}.schema")
    if name in __all__:
        return getattr(import_module(f"{__name__}.schema"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
