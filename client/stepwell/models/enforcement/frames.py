"""What becomes a data frame: dicts, lists, arrays, single values."""

from collections.abc import Mapping, Sequence
from typing import Any

from stepwell.errors import invalid
from stepwell.types.kinds import Array, Map, Object
from stepwell.types.schema import ColSpec


def to_frame(data: Any, specs: Sequence[ColSpec]) -> Any:
    """Return data as a data frame.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE for what is none.
    """
    from stepwell import extras

    pd = extras.load("pandas", "Data held against columns", "pandas")
    if isinstance(data, pd.DataFrame):
        return data
    if isinstance(data, pd.Series):
        return data.to_frame()
    if hasattr(data, "model_dump"):
        data = data.model_dump()
    try:
        if isinstance(data, Mapping):
            return _of_dict(pd, data, {it.name: it for it in specs})
        if isinstance(data, list) and _is_nested_column(data, specs):
            return pd.DataFrame({0: data})
        if isinstance(data, (list, str, bytes, bool, int, float)) or _is_array(data):
            return pd.DataFrame(data if isinstance(data, list) or (_is_array(data) and data.ndim) else [data])
    except ValueError as failure:
        raise invalid(f"The data cannot become a data frame: {failure}") from None
    raise invalid(f"Expected input to be DataFrame. Found: {type(data).__name__}")


def _of_dict(pd: Any, data: Mapping[Any, Any], specs: Mapping[Any, ColSpec]) -> Any:
    """A dict is columns, or a single row: that depends on how deep its lists are beside the schema's."""
    if any(_depth(value) > _depth_of(specs.get(name)) for name, value in data.items()):
        return pd.DataFrame(
            {name: list(it) if _is_array(it) and it.ndim > 1 else it for name, it in data.items()}
        )
    return pd.DataFrame([dict(data)])


def _is_nested_column(data: list[Any], specs: Sequence[ColSpec]) -> bool:
    """A single column without a name, whose values are lists or dicts themselves."""
    return len(specs) == 1 and specs[0].name is None and isinstance(specs[0].type, (Array, Object, Map))


def _depth(value: Any) -> int:
    """How many lists are around the first value."""
    if _is_array(value):
        return int(value.ndim)
    depth = 0
    while isinstance(value, list):
        depth += 1
        value = next((it for it in value if it is not None), None)
    return depth


def _depth_of(spec: ColSpec | None) -> int:
    kind, depth = (spec.type if spec else None), 0
    while isinstance(kind, Array):
        kind, depth = kind.dtype, depth + 1
    return depth


def _is_array(value: Any) -> bool:
    return type(value).__module__ == "numpy" and hasattr(value, "ndim")
