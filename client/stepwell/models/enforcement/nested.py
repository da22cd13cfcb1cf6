"""Columns of lists, objects and maps, value by value."""

import datetime
from collections.abc import Mapping
from typing import Any

from stepwell.errors import StepwellException, invalid
from stepwell.models.enforcement import casts
from stepwell.types.kind_inference import is_nothing
from stepwell.types.kinds import AnyType, Array, DataType, Kind, Map, Object, SparkMLVector
from stepwell.types.schema import ColSpec

_PYTHON: dict[DataType, tuple[type, ...]] = {
    DataType.boolean: (bool,),
    DataType.integer: (int,),
    DataType.long: (int,),
    DataType.float: (float, int),
    DataType.double: (float, int),
    DataType.string: (str,),
    DataType.binary: (bytes, bytearray),
    DataType.datetime: (datetime.date, datetime.datetime),
}


def enforce_column(name: Any, column: Any, spec: ColSpec) -> Any:
    """Return a column (a Series) whose values are all of a kind; raises with its name and what is wrong."""
    import pandas as pd

    try:
        values = [enforce_value(it, spec.type, required=spec.required) for it in column.tolist()]
    except StepwellException as failure:
        raise invalid(f"Failed to enforce schema for column {name!r}: {failure.message}") from None
    return pd.Series(values, index=column.index, dtype=object, name=column.name)


def enforce_value(value: Any, kind: Kind, *, required: bool = True) -> Any:
    """Return a value of a kind.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE, with what was expected and what came.
    """
    if is_nothing(value) and not required:
        return None
    if isinstance(kind, (AnyType, SparkMLVector)):
        return value
    if isinstance(kind, Array):
        return _array(value, kind)
    if isinstance(kind, Object):
        return _object(value, kind)
    if isinstance(kind, Map):
        return _map(value, kind)
    return _single(value, kind)


def _array(value: Any, kind: Array) -> Any:
    import numpy as np

    dimensions = value.ndim if isinstance(value, np.ndarray) else 1
    if not isinstance(value, (list, np.ndarray)) or dimensions == 0:
        raise invalid(f"Expected data to be list or numpy array, got {type(value).__name__}")
    if not isinstance(kind.dtype, DataType):
        items = [enforce_value(it, kind.dtype) for it in value]
        return items if isinstance(value, list) else np.array(items, dtype=value.dtype)
    if dimensions > 1:
        raise invalid(f"Expected {kind!r}, got an array of {dimensions} dimensions")
    if not len(value):
        return value
    cast = _cast(value, kind.dtype)
    return cast.tolist() if isinstance(value, list) else cast.to_numpy()


def _cast(value: Any, kind: DataType) -> Any:
    import pandas as pd

    series = pd.Series(value)
    if series.dtype == object and any(isinstance(it, (list, dict)) for it in value):
        raise invalid(f"Expected items of type {kind.name}, got lists or dicts")
    try:
        return casts.cast("", series, kind)
    except StepwellException as failure:
        text = failure.message.removeprefix("Incompatible input types for column . ")
        raise invalid(f"Incompatible items of Array({kind.name}). {text}") from None


def _object(value: Any, kind: Object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise invalid(
            f"Failed to enforce schema of {str(value)[:100]!r} with type '{kind!r}'. Expected data to be dictionary, "
            f"got {type(value).__name__}"
        )
    known = {it.name: it for it in kind.properties}
    unknown = [name for name in value if name not in known]
    if unknown:
        raise invalid(f"Invalid properties not defined in the schema found: {unknown}")
    missing = [it.name for it in kind.properties if it.required and it.name not in value]
    if missing:
        raise invalid(f"Missing required properties: {missing}")
    return {
        name: _of_key(name, it, known[name].dtype, required=known[name].required)
        for name, it in value.items()
    }


def _map(value: Any, kind: Map) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise invalid(f"Expected data to be a dict, got {type(value).__name__}")
    if not all(isinstance(name, str) for name in value):
        raise invalid("Expected all keys in the map type data are string type.")
    return {name: _of_key(name, it, kind.value_type) for name, it in value.items()}


def _of_key(name: str, value: Any, kind: Kind, *, required: bool = True) -> Any:
    try:
        return enforce_value(value, kind, required=required)
    except StepwellException as failure:
        raise invalid(f"Failed to enforce schema for key `{name}`. {failure.message}") from None


def _single(value: Any, kind: DataType) -> Any:
    plain = value.item() if type(value).__module__ == "numpy" and getattr(value, "ndim", 1) == 0 else value
    right = isinstance(plain, _PYTHON[kind]) and isinstance(plain, bool) is (kind is DataType.boolean)
    if kind is DataType.datetime and isinstance(plain, str):
        right = _is_iso(plain)
    if not right:
        raise invalid(
            f"Expected type {kind.name}, received type {type(value).__name__} ({str(value)[:100]!r})"
        )
    return float(plain) if kind in (DataType.float, DataType.double) else plain


def _is_iso(text: str) -> bool:
    try:
        datetime.datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
