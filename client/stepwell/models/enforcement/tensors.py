"""Data held against tensors: it becomes an array, or a dict of arrays by name."""

from collections.abc import Mapping
from logging import getLogger
from typing import Any

from stepwell.errors import invalid
from stepwell.models.examples import is_array, is_frame
from stepwell.types.schema import Schema, TensorSpec

_log = getLogger("stepwell")


def enforce(data: Any, schema: Schema) -> Any:
    """Return arrays as a schema says; raises as `enforcement.enforce`."""
    specs = [it for it in schema.inputs if isinstance(it, TensorSpec)]
    return _named(data, specs) if schema.has_input_names() else _unnamed(data, specs[0])


def _unnamed(data: Any, spec: TensorSpec) -> Any:
    if is_frame(data):
        return _checked(_of_frame(data, spec), spec)
    if _is_series(data):
        return _checked(data.to_numpy(), spec)
    if is_array(data) or _is_sparse(data):
        return _checked(data, spec)
    raise invalid(
        "This model contains a tensor-based model signature with no input names, which suggests a numpy array input or "
        f"a pandas dataframe input with proper column values, but an input of type {type(data).__name__} was found."
    )


def _named(data: Any, specs: list[TensorSpec]) -> dict[str, Any]:
    if (is_array(data) or _is_sparse(data)) and len(specs) == 1:
        data = {specs[0].name: data}
    if not is_frame(data) and not isinstance(data, Mapping):
        raise invalid(
            "This model contains a tensor-based model signature with input names, which suggests a dictionary input "
            "mapping input name to tensor, or a pandas DataFrame, but "
            f"an input of type {type(data).__name__} was found."
        )
    missing = [it.name for it in specs if it.name not in data]
    extra = [name for name in data if name not in {it.name for it in specs}]
    if missing:
        note = f" Note that there were extra inputs: {extra}." if extra else ""
        raise invalid(f"Model is missing inputs {missing}.{note}")
    if extra:
        _log.warning("These inputs are not in the model's signature and are left out: %s.", extra)
    if is_frame(data):
        return {str(it.name): _checked(_stacked(data[it.name], it), it) for it in specs}
    return {str(it.name): _checked(_array(data[it.name], it), it) for it in specs}


def _array(value: Any, spec: TensorSpec) -> Any:
    if is_array(value) or _is_sparse(value):
        return value
    raise invalid(
        "This model contains a tensor-based model signature with input names, which suggests a dictionary input "
        f"mapping input name to a numpy array, but a dict with value type {type(value).__name__} was found for "
        f"{spec.name!r}."
    )


def _of_frame(frame: Any, spec: TensorSpec) -> Any:
    """Return the array of a data frame: its columns side by side, or the lists of its only column."""
    if _has_lists(frame):
        return _stacked(frame.iloc[:, 0], spec)
    if len(spec.shape) != 2 or spec.shape[1] not in (-1, frame.shape[1]):
        raise invalid(
            "This model contains a model signature with an unnamed input. Since the input data is a pandas DataFrame "
            f"containing multiple columns, the input shape must be of the structure (-1, {frame.shape[1]}), not "
            f"{spec.shape}."
        )
    return frame.to_numpy()


def _has_lists(frame: Any) -> bool:
    if frame.shape[1] != 1 or not len(frame):
        return False
    return isinstance(frame.iloc[0, 0], list) or is_array(frame.iloc[0, 0])


def _stacked(column: Any, spec: TensorSpec) -> Any:
    import numpy as np

    try:
        return np.array(column.tolist(), dtype=spec.type)
    except (TypeError, ValueError) as failure:
        raise invalid(
            f"Column {column.name!r} cannot become an array of {spec.dtype_name}: {failure}"
        ) from None


def _checked(array: Any, spec: TensorSpec) -> Any:
    name = "" if spec.name is None else f" {spec.name!r}"
    same = array.dtype.kind == spec.type.kind if spec.type.kind in "US" else array.dtype == spec.type
    if not same:
        raise invalid(f"dtype of input{name} {array.dtype} does not match expected dtype {spec.dtype_name}")
    fits = len(array.shape) == len(spec.shape) and all(
        wanted in (-1, length) for wanted, length in zip(spec.shape, array.shape, strict=True)
    )
    if not fits:
        raise invalid(f"Shape of input{name} {array.shape} does not match expected shape {spec.shape}.")
    return array


def _is_series(data: Any) -> bool:
    return any(it.__name__ == "Series" and it.__module__.startswith("pandas") for it in type(data).__mro__)


def _is_sparse(data: Any) -> bool:
    return getattr(data, "format", None) in ("csr", "csc") and hasattr(data, "toarray")
