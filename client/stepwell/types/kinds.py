"""What a value can be: the words of MLflow's schemas, in Python and in JSON.

DataType     boolean integer long float double string binary datetime
Array        a list of one kind         {"type": "array", "items": …}
Object       named properties           {"type": "object", "properties": {name: {…, "required": true}}}
Map          names and one kind         {"type": "map", "values": …}
AnyType      anything                   {"type": "any"}
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias, Union

from stepwell.errors import invalid

if TYPE_CHECKING:
    import numpy as np

# Kinds within kinds; MLflow has no limit, but reading is recursive.
DEPTH_MAX = 64


class DataType(Enum):
    """A single value."""

    boolean = "boolean"
    integer = "integer"
    long = "long"
    float = "float"
    double = "double"
    string = "string"
    binary = "binary"
    datetime = "datetime"

    def __repr__(self) -> str:
        return self.name

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"type": self.name}

    def to_numpy(self) -> "np.dtype[Any]":
        """Return the dtype that values of this kind have in arrays."""
        import numpy as np

        return np.dtype(_NUMPY[self])

    def to_pandas(self) -> "np.dtype[Any]":
        """Return the dtype that columns of this kind have: strings and bytes are objects."""
        import numpy as np

        return np.dtype("O") if self in (DataType.string, DataType.binary) else self.to_numpy()

    def to_python(self) -> type:
        """Return the class of Python's own values."""
        import datetime

        return {**_PYTHON, DataType.datetime: datetime.datetime}[self]


_NUMPY = {
    DataType.boolean: "bool",
    DataType.integer: "int32",
    DataType.long: "int64",
    DataType.float: "float32",
    DataType.double: "float64",
    DataType.string: "str",
    DataType.binary: "bytes",
    DataType.datetime: "datetime64[ns]",
}
_PYTHON: dict[DataType, type] = {
    DataType.boolean: bool,
    DataType.integer: int,
    DataType.long: int,
    DataType.float: float,
    DataType.double: float,
    DataType.string: str,
    DataType.binary: bytes,
}


@dataclass(frozen=True, repr=False)
class AnyType:
    """Anything, also nothing."""

    def __repr__(self) -> str:
        return "Any"

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"type": "any"}


@dataclass(frozen=True, repr=False)
class SparkMLVector:
    """A vector of Spark ML; it is read and written, and data is not held against it."""

    def __repr__(self) -> str:
        return "SparkML vector"

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"type": "sparkml_vector"}


@dataclass(frozen=True, repr=False, init=False)
class Array:
    """A list whose items are all of one kind."""

    dtype: "Kind"

    def __init__(self, dtype: "Kind | str") -> None:
        object.__setattr__(self, "dtype", to_kind(dtype))

    def __repr__(self) -> str:
        return f"Array({self.dtype!r})"

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"type": "array", "items": self.dtype.to_dict()}


@dataclass(frozen=True, repr=False, init=False)
class Map:
    """A dict of any names, whose values are all of one kind."""

    value_type: "Kind"

    def __init__(self, value_type: "Kind | str") -> None:
        object.__setattr__(self, "value_type", to_kind(value_type))

    def __repr__(self) -> str:
        return f"Map(str -> {self.value_type!r})"

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"type": "map", "values": self.value_type.to_dict()}


@dataclass(frozen=True, repr=False, init=False)
class Property:
    """One name of an Object; not required means that it may be missing or None."""

    name: str
    dtype: "Kind"
    required: bool

    def __init__(self, name: str, dtype: "Kind | str", required: bool = True) -> None:
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "dtype", to_kind(dtype))
        object.__setattr__(self, "required", bool(required))

    def __repr__(self) -> str:
        return f"{self.name}: {self.dtype!r} ({'required' if self.required else 'optional'})"

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {self.name: {**self.dtype.to_dict(), "required": self.required}}


@dataclass(frozen=True, repr=False, init=False)
class Object:
    """A dict of known names, in order of name."""

    properties: tuple[Property, ...]

    def __init__(self, properties: Sequence[Property]) -> None:
        given = tuple(properties)
        if not given or not all(isinstance(it, Property) for it in given):
            raise invalid(f"An Object needs a list of at least one Property, not {properties!r}.")
        names = [it.name for it in given]
        if len(set(names)) < len(names):
            raise invalid(f"An Object's properties need different names, not {names}.")
        object.__setattr__(self, "properties", tuple(sorted(given, key=lambda it: it.name)))

    def __repr__(self) -> str:
        return f"{{{', '.join(map(repr, self.properties))}}}"

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        properties: dict[str, Any] = {}
        for it in self.properties:
            properties |= it.to_dict()
        return {"type": "object", "properties": properties}


Kind: TypeAlias = Union[DataType, Array, Object, Map, AnyType, SparkMLVector]  # noqa: UP007 - evaluated here

_KINDS = (DataType, Array, Object, Map, AnyType, SparkMLVector)
_WORDS: dict[str, Kind] = {
    **{it.name: it for it in DataType},
    "any": AnyType(),
    "sparkml_vector": SparkMLVector(),
}


def to_kind(kind: object) -> Kind:
    """Return a kind, or the one that a word such as "double" stands for.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE for something else.
    """
    if isinstance(kind, _KINDS):
        return kind
    if isinstance(kind, str) and kind in _WORDS:
        return _WORDS[kind]
    raise invalid(f"{kind!r} is no type of a schema; use Array, Object, Map or one of {', '.join(_WORDS)}.")


def kind_of_dict(value: Any, depth: int = 0) -> Kind:
    """Return the kind that a JSON form says.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE when it says none, or is nested deeper than DEPTH_MAX.
    """
    if depth > DEPTH_MAX:
        raise invalid(f"The schema is nested deeper than {DEPTH_MAX} types.")
    word = value.get("type") if isinstance(value, Mapping) else None
    if word == "array":
        return Array(kind_of_dict(value.get("items"), depth + 1))
    if word == "map":
        return Map(kind_of_dict(value.get("values"), depth + 1))
    if word == "object":
        return Object(_properties(value.get("properties"), depth))
    return to_kind(word)


def _properties(value: Any, depth: int) -> list[Property]:
    if not isinstance(value, Mapping):
        raise invalid(f"An object's properties must be a map of names, not {value!r}.")
    return [
        Property(str(name), kind_of_dict(it, depth + 1), it.get("required", True))
        for name, it in value.items()
    ]
