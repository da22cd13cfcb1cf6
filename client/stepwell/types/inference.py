"""The schema of example data: of data frames, arrays, sparse matrices, dicts, lists and values."""

from collections.abc import Mapping
from logging import getLogger
from typing import Any

from stepwell.errors import StepwellException
from stepwell.types.columns import ColSpec, TensorSpec
from stepwell.types.kind_inference import (
    ANY,
    NoKindError,
    all_optional,
    common,
    is_nothing,
    kind_of,
    kind_of_dtype,
)
from stepwell.types.kinds import AnyType, DataType, Kind
from stepwell.types.schema import Schema

_log = getLogger("stepwell")

# What pandas says that a column of objects holds. Those that are not here have no type in a schema.
_INFERRED = {
    "string": DataType.string,
    "bytes": DataType.binary,
    "boolean": DataType.boolean,
    "integer": DataType.long,
    "floating": DataType.double,
    "mixed-integer-float": DataType.double,
    "datetime": DataType.datetime,
    "datetime64": DataType.datetime,
    "date": DataType.datetime,
}


def infer_schema(data: Any) -> Schema:
    """Return the schema of data; that of anything, with a warning, where it has none."""
    try:
        return Schema(_parts(data))
    except (NoKindError, StepwellException) as failure:
        _log.warning(
            "No schema could be inferred from the data, so that the model takes and gives anything: %s.",
            str(failure).removesuffix("."),
        )
        return Schema([ColSpec(ANY)])


def _parts(data: Any) -> list[Any]:
    import numpy as np

    kind = type(data)
    if _is_pandas(data, "DataFrame"):
        return _of_frame(data)
    if _is_pandas(data, "Series"):
        return [_of_column(data, data.name)]
    if isinstance(data, np.ndarray):
        return [_tensor(data)]
    if getattr(data, "format", None) in ("csr", "csc") and hasattr(data, "toarray"):
        return [TensorSpec(data.dtype, (-1, *data.shape[1:]))]
    if hasattr(data, "model_dump"):
        data = data.model_dump()
    if isinstance(data, Mapping):
        return _of_dict(data)
    if isinstance(data, list):
        return _of_list(data)
    if hasattr(data, "__len__") and not isinstance(data, (str, bytes, bytearray, np.generic)):
        raise NoKindError(f"{kind.__module__}.{kind.__qualname__} has no type in a schema")
    return [ColSpec(kind_of(data))]


def _is_pandas(data: Any, name: str) -> bool:
    return any(it.__name__ == name and it.__module__.startswith("pandas") for it in type(data).__mro__)


def _tensor(array: Any, name: str | None = None) -> TensorSpec:
    if array.ndim == 0:
        raise NoKindError("an array without a dimension has no type in a schema")
    return TensorSpec(array.dtype, (-1, *array.shape[1:]), name)


def _of_dict(data: Mapping[Any, Any]) -> list[Any]:
    import numpy as np

    if not data or not all(isinstance(name, str) for name in data):
        raise NoKindError("a dict needs names, and they must be text")
    if all(isinstance(it, np.ndarray) for it in data.values()):
        return [_tensor(it, name) for name, it in data.items()]
    return [ColSpec(kind_of(it), name, not is_nothing(it)) for name, it in data.items()]


def _of_list(data: list[Any]) -> list[ColSpec]:
    if not data:
        return [ColSpec(DataType.string)]
    if all(isinstance(it, Mapping) for it in data):
        return _of_records(data)
    return [ColSpec(common(kind_of(it) for it in data))]


def _of_records(rows: list[Mapping[Any, Any]]) -> list[ColSpec]:
    names = {name: None for row in rows for name in row}
    if not names or not all(isinstance(name, str) for name in names):
        raise NoKindError("dicts need names, and they must be text")
    return [
        ColSpec(
            common(kind_of(row.get(name)) for row in rows),
            name,
            all(not is_nothing(row.get(name)) for row in rows),
        )
        for name in names
    ]


def _of_frame(frame: Any) -> list[ColSpec]:
    if not frame.columns.is_unique:
        raise NoKindError("the data frame has several columns of one name")
    return [_of_column(frame.iloc[:, at], _plain(name)) for at, name in enumerate(frame.columns)]


def _plain(name: Any) -> Any:
    return name.item() if hasattr(name, "item") else name


def _of_column(column: Any, name: Any) -> ColSpec:
    try:
        kind, required = _kind_of_column(column)
    except NoKindError as failure:
        raise NoKindError(f"column {name!r}: {failure}") from None
    return ColSpec(kind, name, required)


def _kind_of_column(column: Any) -> tuple[Kind, bool]:
    import pandas as pd

    dtype = column.dtype
    complete = not column.isna().any()
    if isinstance(dtype, pd.CategoricalDtype):
        return common(kind_of(it) for it in dtype.categories.tolist()), complete
    if isinstance(dtype, pd.StringDtype):
        return DataType.string, complete
    if isinstance(dtype, pd.DatetimeTZDtype):
        return DataType.datetime, complete
    if dtype.kind == "O":
        return _kind_of_objects(column, complete)
    return kind_of_dtype(getattr(dtype, "numpy_dtype", dtype)), complete


def _kind_of_objects(column: Any, complete: bool) -> tuple[Kind, bool]:
    import pandas as pd

    if not len(column):
        return DataType.string, True
    holds = pd.api.types.infer_dtype(column, skipna=True)
    if holds == "empty":
        return ANY, False
    if holds in _INFERRED:
        # A column of whole numbers with gaps is one of floats, as pandas reads it from a file.
        found = DataType.double if holds == "integer" and not complete else _INFERRED[holds]
        return found, complete
    if holds != "mixed":
        raise NoKindError(f"it holds {holds} values")
    kind = common(kind_of(it) for it in column.tolist() if not _is_nan(it))
    return (kind if complete or isinstance(kind, AnyType) else all_optional(kind)), complete


def _is_nan(value: Any) -> bool:
    return is_nothing(value) or (isinstance(value, float) and value != value)
