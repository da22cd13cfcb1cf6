"""Which kind values of Python and numpy have, and which kind several of them have together."""

import datetime
from collections.abc import Iterable, Mapping
from typing import Any

from stepwell.types.kinds import DEPTH_MAX, AnyType, Array, DataType, Kind, Object, Property

ANY = AnyType()

# Of numpy, by kind and bytes.
_NUMBERS = {
    ("b", 1): DataType.boolean,
    ("i", 1): DataType.integer,
    ("i", 2): DataType.integer,
    ("i", 4): DataType.integer,
    ("i", 8): DataType.long,
    ("u", 1): DataType.integer,
    ("u", 2): DataType.integer,
    ("u", 4): DataType.long,
    ("f", 2): DataType.float,
    ("f", 4): DataType.float,
    ("f", 8): DataType.double,
}
_OTHERS = {"U": DataType.string, "S": DataType.binary, "M": DataType.datetime}


class NoKindError(Exception):
    """The values have no kind of a schema, or no common one."""


def kind_of_dtype(dtype: Any) -> DataType:
    """Return the kind of a dtype of numpy; NoKindError for uint64, complex numbers, times between times, objects."""
    kind = getattr(dtype, "kind", "")
    found = _NUMBERS.get((kind, getattr(dtype, "itemsize", 0))) or _OTHERS.get(kind)
    if found is None:
        raise NoKindError(f"{dtype} has no type in a schema")
    return found


def kind_of(value: Any, depth: int = 0) -> Kind:
    """Return the kind of a value; None is anything."""
    if depth > DEPTH_MAX:
        raise NoKindError(f"it is nested deeper than {DEPTH_MAX}")
    if is_nothing(value):
        return ANY
    if isinstance(value, list):
        return _array(value, depth)
    if isinstance(value, Mapping):
        return _object(value, depth)
    return _of_numpy(value, depth) if hasattr(value, "dtype") else _of_scalar(value)


def is_nothing(value: Any) -> bool:
    """Tell whether a value stands for none: None, and pandas' NA and NaT."""
    return value is None or type(value).__name__ in ("NAType", "NaTType")


def common(kinds: Iterable[Kind]) -> Kind:
    """Return what all have in common; `any` for none at all."""
    found: Kind = ANY
    for kind in kinds:
        found = merged(found, kind)
    return found


def merged(one: Kind, other: Kind) -> Kind:
    """Return the kind of values of both.

    Raises:
        NoKindError: they have nothing in common.
    """
    if one == other or isinstance(other, AnyType):
        return one
    if isinstance(one, AnyType):
        return other
    if isinstance(one, Array) and isinstance(other, Array):
        return Array(merged(one.dtype, other.dtype))
    if isinstance(one, Object) and isinstance(other, Object):
        return _merged_objects(one, other)
    raise NoKindError(f"{one!r} and {other!r} are in one place")


def _merged_objects(one: Object, other: Object) -> Object:
    left = {it.name: it for it in one.properties}
    right = {it.name: it for it in other.properties}
    found = [
        Property(
            name, merged(left[name].dtype, right[name].dtype), left[name].required and right[name].required
        )
        if name in left and name in right
        else Property(name, (left.get(name) or right[name]).dtype, False)
        for name in {**left, **right}
    ]
    return Object(found)


def all_optional(kind: Kind) -> Kind:
    """Return a kind whose properties may be missing: what is left of an object beside rows without one."""
    if isinstance(kind, Object):
        return Object([Property(it.name, it.dtype, False) for it in kind.properties])
    return kind


def _array(items: Iterable[Any], depth: int) -> Kind:
    given = list(items)
    found = common(kind_of(it, depth + 1) for it in given)
    return ANY if isinstance(found, AnyType) else Array(found)


def _object(value: Mapping[Any, Any], depth: int) -> Object:
    if not value or not all(isinstance(name, str) for name in value):
        raise NoKindError("a dict needs names, and they must be text")
    return Object([Property(name, kind_of(it, depth + 1), not is_nothing(it)) for name, it in value.items()])


def _of_numpy(value: Any, depth: int) -> Kind:
    if (
        getattr(value, "ndim", None) is None
        or not hasattr(value, "tolist")
        or type(value).__module__ != "numpy"
    ):
        raise NoKindError(f"{type(value).__name__} has no type in a schema")
    if value.ndim == 0:
        if value.dtype.kind == "f" and value.dtype.itemsize == 2:
            raise NoKindError("a single float16 has no type in a schema")
        if not hasattr(value, "__array_finalize__"):
            return kind_of_dtype(value.dtype)
        raise NoKindError("an array without a dimension has no type in a schema")
    if value.dtype.kind == "O":
        return _array(value.tolist(), depth)
    found: Kind = kind_of_dtype(value.dtype)
    for _ in range(value.ndim):
        found = Array(found)
    return found


def _of_scalar(value: Any) -> DataType:
    for kind, found in (
        (bool, DataType.boolean),
        (int, DataType.long),
        (float, DataType.double),
        (str, DataType.string),
        (bytes, DataType.binary),
        (bytearray, DataType.binary),
        (datetime.date, DataType.datetime),
    ):
        if isinstance(value, kind):
            return found
    raise NoKindError(f"{type(value).__name__} has no type in a schema")
