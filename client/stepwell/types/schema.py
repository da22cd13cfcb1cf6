"""Schemas: the columns or tensors that a model takes or gives; what scripts import as mlflow.types.schema."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from stepwell.errors import invalid
from stepwell.types.columns import ColSpec, TensorSpec
from stepwell.types.kinds import AnyType, Array, DataType, Kind, Map, Object, Property, SparkMLVector
from stepwell.types.params import ParamSchema, ParamSpec

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "AnyType",
    "Array",
    "ColSpec",
    "DataType",
    "Kind",
    "Map",
    "Object",
    "ParamSchema",
    "ParamSpec",
    "Property",
    "Schema",
    "SparkMLVector",
    "TensorSpec",
]


class Schema:
    """Columns or tensors, all with names or all without.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE when there is none, columns and tensors are mixed, only some have
            names, or an unnamed one is optional.
    """

    def __init__(self, inputs: Sequence[ColSpec | TensorSpec]) -> None:
        self.inputs = list(inputs) if isinstance(inputs, (list, tuple)) else []
        _check(self.inputs, inputs)

    def is_tensor_spec(self) -> bool:
        """Tell whether it is of tensors, and not of columns."""
        return isinstance(self.inputs[0], TensorSpec)

    def has_input_names(self) -> bool:
        """Tell whether its parts have names."""
        return self.inputs[0].name is not None

    def input_names(self) -> list[Any]:
        """Return the names; positions from 0 where there are none."""
        return [position if it.name is None else it.name for position, it in enumerate(self.inputs)]

    def required_input_names(self) -> list[Any]:
        """Return the names of what must be there."""
        return [name for name, it in zip(self.input_names(), self.inputs, strict=True) if it.required]

    def optional_input_names(self) -> list[Any]:
        """Return the names of what may be missing."""
        return [name for name, it in zip(self.input_names(), self.inputs, strict=True) if not it.required]

    def input_dict(self) -> dict[Any, ColSpec | TensorSpec]:
        """Return the parts by name, or position."""
        return dict(zip(self.input_names(), self.inputs, strict=True))

    def input_types(self) -> list[Any]:
        """Return the kinds of columns, or the dtypes of tensors."""
        return [it.type for it in self.inputs]

    def input_types_dict(self) -> dict[Any, Any]:
        """Return them by name, or position."""
        return dict(zip(self.input_names(), self.input_types(), strict=True))

    def numpy_types(self) -> "list[np.dtype[Any]]":
        """Return dtypes; INVALID_PARAMETER_VALUE where a column has none, such as one of lists."""
        return [_dtype(it) for it in self.inputs]

    def pandas_types(self) -> "list[np.dtype[Any]]":
        """Return the dtypes of a data frame's columns; of columns only."""
        return [_frame_dtype(it) for it in self.inputs]

    def to_dict(self) -> list[dict[str, Any]]:
        """Return the JSON form."""
        return [it.to_dict() for it in self.inputs]

    def to_json(self) -> str:
        """Return the JSON form as text."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_json(cls, text: str) -> "Schema":
        """Return the schema that JSON says.

        Raises:
            StepwellException: INVALID_PARAMETER_VALUE when it says none.
        """
        try:
            parts = json.loads(text)
        except (TypeError, ValueError, RecursionError):
            raise invalid(f"A schema must be a JSON list, not {_start(text)!r}.") from None
        if not isinstance(parts, list) or not all(isinstance(it, Mapping) for it in parts):
            raise invalid(f"A schema must be a JSON list of maps, not {_start(text)!r}.")
        return cls([_part(it) for it in parts])

    def __len__(self) -> int:
        return len(self.inputs)

    def __iter__(self) -> Iterator[ColSpec | TensorSpec]:
        return iter(self.inputs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schema) and self.inputs == other.inputs

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"[{', '.join(map(repr, self.inputs))}]"


def _part(value: Mapping[str, Any]) -> ColSpec | TensorSpec:
    return TensorSpec.from_dict(value) if value.get("type") == "tensor" else ColSpec.from_dict(value)


def _check(parts: list[Any], given: object) -> None:
    if not parts or not all(isinstance(it, (ColSpec, TensorSpec)) for it in parts):
        raise invalid(f"A schema needs a list of at least one ColSpec or TensorSpec, not {given!r}.")
    if len({type(it) for it in parts}) > 1:
        raise invalid("A schema has columns (ColSpec) or tensors (TensorSpec), not both.")
    if len({it.name is None for it in parts}) > 1:
        raise invalid("In a schema either all have a name or none has.")
    unnamed = parts[0].name is None
    if unnamed and len(parts) > 1 and isinstance(parts[0], TensorSpec):
        raise invalid("Several tensors in a schema need names.")
    if unnamed and not all(it.required for it in parts):
        raise invalid("A schema's columns without names cannot be optional.")


def _dtype(part: ColSpec | TensorSpec) -> "np.dtype[Any]":
    if isinstance(part, TensorSpec):
        return part.type
    if isinstance(part.type, DataType):
        return part.type.to_numpy()
    raise invalid(f"The column {part!r} has no single dtype.")


def _frame_dtype(part: ColSpec | TensorSpec) -> "np.dtype[Any]":
    import numpy as np

    if isinstance(part, TensorSpec):
        raise invalid("Tensors have no dtypes of pandas; use numpy_types().")
    return part.type.to_pandas() if isinstance(part.type, DataType) else np.dtype("O")


def _start(text: object) -> str:
    return str(text)[:100]
