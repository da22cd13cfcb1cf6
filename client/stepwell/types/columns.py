"""The parts of a schema: columns with a kind, tensors with dtype and shape."""

from collections.abc import Mapping, Sequence
from typing import Any

from stepwell.errors import invalid
from stepwell.types.kinds import Kind, kind_of_dict, to_kind


class ColSpec:
    """One column: kind, name (None where columns go by position) and whether it must be there."""

    def __init__(self, type: Kind | str, name: Any = None, required: bool = True) -> None:  # noqa: A002
        self.type = to_kind(type)
        self.name = name
        self.required = bool(required)

    @property
    def optional(self) -> bool:
        """Whether it may be missing, or have rows without a value."""
        return not self.required

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        name = {} if self.name is None else {"name": self.name}
        return {**self.type.to_dict(), **name, "required": self.required}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "ColSpec":
        """Return the column that a JSON form says; older ones say `optional`."""
        required = value["required"] if "required" in value else not value.get("optional", False)
        return cls(kind_of_dict(value), _hashable(value.get("name")), required)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ColSpec) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        needed = "required" if self.required else "optional"
        return (
            f"{self.type!r} ({needed})" if self.name is None else f"{self.name!r}: {self.type!r} ({needed})"
        )


class TensorSpec:
    """One tensor: dtype, shape (-1 where any length goes) and name."""

    def __init__(self, type: Any, shape: Sequence[int], name: str | None = None) -> None:  # noqa: A002
        import numpy as np

        try:
            self.type: np.dtype[Any] = np.dtype(type)
        except TypeError:
            raise invalid(f"The type of a tensor must be a dtype of numpy, not {type!r}.") from None
        if not isinstance(shape, (tuple, list)) or not all(isinstance(it, (int, np.integer)) for it in shape):
            raise invalid(
                f"The shape of a tensor must be a tuple of whole numbers, -1 for any, not {shape!r}."
            )
        self.shape = tuple(int(it) for it in shape)
        self.name = name
        # Tensors are always needed; columns may not be.
        self.required = True

    @property
    def dtype_name(self) -> str:
        """The dtype by name; lengths of strings do not count."""
        return {"U": "str", "S": "bytes"}.get(self.type.kind, self.type.name)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        spec = {"dtype": self.dtype_name, "shape": list(self.shape)}
        name = {} if self.name is None else {"name": self.name}
        return {**name, "type": "tensor", "tensor-spec": spec}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "TensorSpec":
        """Return the tensor that a JSON form says."""
        spec = value.get("tensor-spec")
        if not isinstance(spec, Mapping) or "dtype" not in spec or "shape" not in spec:
            raise invalid(f"A tensor needs a tensor-spec of dtype and shape, not {spec!r}.")
        return cls(spec["dtype"], spec["shape"], value.get("name"))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TensorSpec) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        spec = f"Tensor({self.dtype_name!r}, {self.shape})"
        return spec if self.name is None else f"{self.name!r}: {spec}"


def _hashable(name: Any) -> Any:
    """JSON has lists where the names of a MultiIndex are tuples."""
    return tuple(name) if isinstance(name, list) else name
