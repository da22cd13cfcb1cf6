"""Data held against columns: it becomes a data frame with these, in their order."""

from collections.abc import Mapping
from logging import getLogger
from typing import Any

from stepwell.errors import invalid
from stepwell.models.enforcement import casts, nested
from stepwell.models.enforcement.frames import to_frame
from stepwell.types.kinds import AnyType, DataType, SparkMLVector
from stepwell.types.schema import ColSpec, Schema

_log = getLogger("stepwell")


def enforce(data: Any, schema: Schema) -> Any:
    """Return a data frame with a schema's columns; raises as `enforcement.enforce`."""
    specs = [it for it in schema.inputs if isinstance(it, ColSpec)]
    if len(specs) == 1 and specs[0].name is None and isinstance(specs[0].type, AnyType):
        return data
    frame = to_frame(data, specs)
    if _is_as_wanted(frame, specs):
        return frame
    if specs[0].name is None:
        return _by_position(frame, specs)
    return _by_name(frame, schema, {it.name: it for it in specs})


def _is_as_wanted(frame: Any, specs: list[ColSpec]) -> bool:
    """Tell whether a frame has the schema's columns and types already: then nothing of it is touched."""
    return (
        len(specs) == frame.shape[1]
        and (specs[0].name is None or [it.name for it in specs] == frame.columns.tolist())
        and all(casts.is_of(dtype, it.type) for dtype, it in zip(frame.dtypes.tolist(), specs, strict=True))
    )


def _by_name(frame: Any, schema: Schema, specs: Mapping[Any, ColSpec]) -> Any:
    extra = [name for name in frame.columns if name not in specs]
    missing = [name for name in schema.required_input_names() if name not in frame.columns]
    if missing:
        note = f" Note that there were extra inputs: {extra}." if extra else ""
        raise invalid(f"Model is missing inputs {missing}.{note}")
    if extra:
        _log.warning("These columns are not in the model's signature and are left out: %s.", extra)
    return _frame(
        {name: _column(name, frame[name], it) for name, it in specs.items() if name in frame.columns}
    )


def _by_position(frame: Any, specs: list[ColSpec]) -> Any:
    count = frame.shape[1]
    if count < len(specs):
        raise invalid(
            f"Model inference is missing inputs. The model signature declares {len(specs)} inputs but the provided "
            f"value only has {count} inputs. Note: the inputs were not named in the signature so we can only verify "
            "their count."
        )
    if count > len(specs):
        _log.warning(
            "The model's signature has %d columns; the last %d are left out.", len(specs), count - len(specs)
        )
    return _frame(
        {frame.columns[at]: _column(frame.columns[at], frame.iloc[:, at], it) for at, it in enumerate(specs)}
    )


def _frame(columns: Mapping[Any, Any]) -> Any:
    import pandas as pd

    frame = pd.DataFrame(dict(columns))
    if columns and all(isinstance(name, tuple) for name in columns):
        frame.columns = pd.MultiIndex.from_tuples(list(columns))
    return frame


def _column(name: Any, column: Any, spec: ColSpec) -> Any:
    if isinstance(spec.type, (AnyType, SparkMLVector)):
        return column
    if (
        not spec.required
        and column.dtype == object
        and spec.type is not DataType.double
        and column.isna().all()
    ):
        return column
    if isinstance(spec.type, DataType):
        return casts.cast(name, column, spec.type)
    return nested.enforce_column(name, column, spec)
