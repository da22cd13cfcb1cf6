"""Columns of a data frame to the types of a schema: strictly for data of Python, loosely for data of JSON."""

import base64
import binascii
from typing import Any

from stepwell.errors import StepwellException, invalid
from stepwell.types.kinds import AnyType, DataType, Kind
from stepwell.types.schema import ColSpec, Schema, TensorSpec

_BYTES = {DataType.integer: 4, DataType.long: 8, DataType.float: 4, DataType.double: 8}
_DTYPES = {it: it.to_numpy() for it in (DataType.boolean, *_BYTES, DataType.datetime)}
_WHOLE = (DataType.integer, DataType.long)
_GAPS = (
    " Hint: missing values are likely the cause. Whole numbers with gaps are floats in Python: make the column one of "
    "floats where the signature is inferred, or of pandas' Int64."
)


def is_of(dtype: Any, kind: Kind) -> bool:
    """Tell whether columns of a dtype are of a kind as they are; of texts and nested values it does not say."""
    if isinstance(kind, AnyType):
        return True
    return isinstance(kind, DataType) and kind in _DTYPES and dtype == _DTYPES[kind]


def cast(name: Any, column: Any, kind: DataType) -> Any:
    """Return a column (a Series) as one of a kind, if nothing is lost.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE, with the column's name, what it is and what it should be.
    """
    import pandas as pd

    if kind in (DataType.string, DataType.binary):
        if column.dtype == object or isinstance(column.dtype, pd.StringDtype):
            return column
        raise _refused(name, column, kind)
    if kind is DataType.datetime:
        return _to_times(name, column)
    if column.dtype == object:
        column = column.infer_objects()
    if kind is DataType.boolean:
        return _to_booleans(name, column)
    return _to_numbers(name, column, kind)


def _to_booleans(name: Any, column: Any) -> Any:
    if column.dtype in (bool, object):
        return column
    if str(column.dtype) == "boolean" and not column.isna().any():
        return column.astype(bool)
    raise _refused(name, column, DataType.boolean)


def _to_numbers(name: Any, column: Any, kind: DataType) -> Any:
    if column.dtype == object and kind is DataType.double:
        return _objects_to_floats(name, column)
    dtype = getattr(column.dtype, "numpy_dtype", column.dtype)
    source, size = getattr(dtype, "kind", ""), getattr(dtype, "itemsize", 0)
    fits = _fits_whole(source, size, kind) if kind in _WHOLE else _fits_float(column, source, size, kind)
    if not fits:
        hint = _GAPS if kind in _WHOLE and source == "f" and column.isna().any() else ""
        raise _refused(name, column, kind, hint)
    try:
        return column.astype(kind.to_numpy())
    except (TypeError, ValueError):
        raise _refused(name, column, kind, _GAPS) from None


def _fits_whole(source: str, size: int, kind: DataType) -> bool:
    return (source == "i" and size <= _BYTES[kind]) or (source == "u" and size < _BYTES[kind])


def _fits_float(column: Any, source: str, size: int, kind: DataType) -> bool:
    if source == "f":
        return size <= _BYTES[kind]
    if str(column.dtype) == "int64" and column.isin((0, 1)).all():
        return True
    return kind is DataType.double and source in "iu" and 0 < size <= 4


def _objects_to_floats(name: Any, column: Any) -> Any:
    import pandas as pd

    try:
        return pd.to_numeric(column).astype("float64")
    except (TypeError, ValueError):
        raise _refused(name, column, DataType.double) from None


def _to_times(name: Any, column: Any) -> Any:
    import pandas as pd

    if isinstance(column.dtype, pd.DatetimeTZDtype):
        raise invalid(
            f"Incompatible input types for column {name}. Times must be without a timezone, not {column.dtype}: use "
            "tz_convert(None)."
        )
    if getattr(column.dtype, "kind", "") == "M":
        return column.astype("datetime64[ns]")
    if column.dtype != object and not isinstance(column.dtype, pd.StringDtype):
        raise _refused(name, column, DataType.datetime)
    if pd.api.types.infer_dtype(column, skipna=True) not in (
        "string",
        "datetime",
        "datetime64",
        "date",
        "empty",
    ):
        raise _refused(name, column.infer_objects(), DataType.datetime)
    try:
        return pd.to_datetime(column, format="ISO8601").astype("datetime64[ns]")
    except (TypeError, ValueError) as failure:
        raise _refused(name, column, DataType.datetime, f" {failure}") from None


def _refused(name: Any, column: Any, kind: DataType, hint: str = "") -> StepwellException:
    return invalid(
        f"Incompatible input types for column {name}. Can not safely convert {column.dtype} to {kind.to_pandas()} "
        f"({kind.name}).{hint}"
    )


def frame_of_json(content: Any, schema: Schema | None) -> Any:
    """Return the data frame of `{"columns": …, "data": …}`, with the types of a schema, as loosely as MLflow does.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE when it is no such map, or a value cannot be of its type.
    """
    import pandas as pd

    if isinstance(content, list):
        frame = pd.DataFrame(content)
    else:
        try:
            frame = pd.DataFrame(content["data"], columns=content.get("columns"), index=content.get("index"))
        except (TypeError, KeyError, ValueError, AttributeError) as failure:
            raise invalid(f"The data is no data frame of columns and rows: {failure}") from None
    return cast_loosely(frame, schema)


def cast_loosely(frame: Any, schema: Schema | None) -> Any:
    """Return a data frame of JSON's values with the types of a schema: texts become times, bytes and numbers."""
    if schema is None or schema.is_tensor_spec():
        return frame
    dtypes = dict(zip(frame.columns.tolist(), frame.dtypes.tolist(), strict=True))
    names = list(dtypes)
    for position, spec in enumerate(schema.inputs):
        column = spec.name if spec.name is not None else (names[position] if position < len(names) else None)
        if (
            isinstance(spec, ColSpec)
            and isinstance(spec.type, DataType)
            and column in dtypes
            and not is_of(dtypes[column], spec.type)
        ):
            frame[column] = _loose(column, frame[column], spec)
    return frame


def _loose(name: Any, column: Any, spec: ColSpec) -> Any:
    import pandas as pd

    kind = spec.type
    assert isinstance(kind, DataType)
    try:
        if kind is DataType.binary:
            return column.map(_decoded)
        if kind is DataType.datetime:
            return pd.to_datetime(column).astype("datetime64[ns]")
        if kind is DataType.string or (not spec.required and column.isna().any()):
            return column
        return column.astype(kind.to_numpy())
    except (TypeError, ValueError, OverflowError) as failure:
        raise invalid(
            f"Data is not compatible with model signature. Failed to convert column {name} to type {kind.name}: "
            f"{failure}"
        ) from None


def _decoded(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return base64.b64decode(value)
    except (binascii.Error, ValueError):
        raise ValueError("it is no base64") from None


def arrays_of_json(content: Any, schema: Schema | None) -> Any:
    """Return the array, or the dict of arrays, of nested lists, with the dtypes of a schema."""
    import numpy as np

    specs = [it for it in schema.inputs if isinstance(it, TensorSpec)] if schema else []
    types = {it.name: it.type for it in specs}
    try:
        if isinstance(content, dict):
            return {key: np.array(it, dtype=types.get(key)) for key, it in content.items()}
        return np.array(content, dtype=specs[0].type if len(specs) == 1 else None)
    except (TypeError, ValueError) as failure:
        raise invalid(f"Data is not compatible with model signature: it is no array: {failure}") from None
