"""The params of a model's predict: names, kinds and defaults."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from stepwell.errors import invalid
from stepwell.types.kinds import AnyType, DataType, Kind, Object, kind_of_dict, to_kind


class ParamSpec:
    """One param: name, kind, default, and shape: None for a single value, (-1,) for a list.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE when the default is not of that kind and shape.
    """

    def __init__(
        self, name: str, dtype: Kind | str, default: Any, shape: Sequence[int] | None = None
    ) -> None:
        self.name = str(name)
        self.dtype = to_kind(dtype)
        self.shape = None if shape is None else tuple(shape)
        if self.shape not in (None, (-1,)) or (self.shape and isinstance(self.dtype, Object)):
            raise invalid(f"The shape of param {name!r} must be None or (-1,), not {shape!r}.")
        self.default = self.converted(default, "default value")

    def converted(self, value: Any, what: str = "value") -> Any:
        """Return a value as the kind has it: whole numbers become floats where those are wanted.

        Raises:
            StepwellException: INVALID_PARAMETER_VALUE when that would change it.
        """
        if value is None:
            return None
        if self.shape is None:
            return _single(self.name, value, self.dtype, what)
        if hasattr(value, "tolist") and getattr(value, "ndim", 0) == 1:
            value = value.tolist()
        if not isinstance(value, (list, tuple)):
            raise _wrong(self.name, value, f"a list of {self.dtype!r}", what)
        return [_single(self.name, it, self.dtype, what) for it in value]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; times are ISO texts."""
        return {
            "name": self.name,
            "default": _to_json(self.default),
            "shape": None if self.shape is None else list(self.shape),
            **self.dtype.to_dict(),
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "ParamSpec":
        """Return the param that a JSON form says; older ones say `dtype` for its type."""
        missing = {"name", "default"} - set(value)
        if missing:
            raise invalid(f"A param needs a name and a default; {sorted(missing)} is missing in {value!r}.")
        form = value if "type" in value else {**value, "type": value.get("dtype")}
        return cls(value["name"], kind_of_dict(form), value["default"], value.get("shape"))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ParamSpec) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        shape = "" if self.shape is None else f" (shape: {self.shape})"
        return f"{self.name!r}: {self.dtype!r} (default: {self.default!r}){shape}"


class ParamSchema:
    """The params of a model, by different names."""

    def __init__(self, params: Sequence[ParamSpec]) -> None:
        self.params = list(params)
        if not all(isinstance(it, ParamSpec) for it in self.params):
            raise invalid(f"A ParamSchema needs a list of ParamSpec, not {params!r}.")
        names = [it.name for it in self.params]
        if len(set(names)) < len(names):
            raise invalid(f"Duplicated parameters found in schema: {sorted(names)}")

    def to_dict(self) -> list[dict[str, Any]]:
        """Return the JSON form."""
        return [it.to_dict() for it in self.params]

    def to_json(self) -> str:
        """Return the JSON form as text."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_json(cls, text: str) -> "ParamSchema":
        """Return what JSON says; INVALID_PARAMETER_VALUE when it says no params."""
        try:
            parts = json.loads(text)
        except (TypeError, ValueError, RecursionError):
            raise invalid(f"Params must be a JSON list, not {str(text)[:100]!r}.") from None
        if not isinstance(parts, list) or not all(isinstance(it, Mapping) for it in parts):
            raise invalid(f"Params must be a JSON list of maps, not {str(text)[:100]!r}.")
        return cls([ParamSpec.from_dict(it) for it in parts])

    def __len__(self) -> int:
        return len(self.params)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ParamSchema) and self.params == other.params

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"[{', '.join(map(repr, self.params))}]"


def _single(name: str, value: Any, kind: Kind, what: str) -> Any:
    if isinstance(kind, AnyType):
        return value
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0 and kind is not DataType.datetime:
        value = value.item()
    if isinstance(kind, DataType):
        found = _of_type(value, kind)
        if found is not None:
            return found
    elif isinstance(kind, Object) and isinstance(value, Mapping):
        return _of_object(name, value, kind, what)
    elif isinstance(value, (list, dict)):
        return value
    raise _wrong(name, value, repr(kind), what)


def _of_object(name: str, value: Mapping[str, Any], kind: Object, what: str) -> dict[str, Any]:
    properties = {it.name: it for it in kind.properties}
    unknown = sorted(set(value) - set(properties))
    missing = sorted(it.name for it in kind.properties if it.required and it.name not in value)
    if unknown or missing:
        fault = f"unknown {unknown}" if unknown else f"missing {missing}"
        raise invalid(f"Param {name!r}: the {what} has wrong properties ({fault}); it must be {kind!r}.")
    return {
        key: it if it is None else _single(f"{name}.{key}", it, properties[key].dtype, what)
        for key, it in value.items()
    }


def _of_type(value: Any, kind: DataType) -> Any:
    """Return a value as a kind has it; None when it is of another."""
    import numpy as np

    if kind is DataType.datetime:
        try:
            return (
                np.datetime64(value).item() if isinstance(value, str) else np.datetime64(value, "us").item()
            )
        except (TypeError, ValueError):
            return None
    if isinstance(value, bool) is not (kind is DataType.boolean):
        return None
    if kind in (DataType.float, DataType.double):
        return float(value) if isinstance(value, (int, float)) else None
    return value if isinstance(value, kind.to_python()) else None


def _to_json(value: Any) -> Any:
    if isinstance(value, list):
        return [_to_json(it) for it in value]
    if isinstance(value, dict):
        return {key: _to_json(it) for key, it in value.items()}
    return value.isoformat() if hasattr(value, "isoformat") else value


def _wrong(name: str, value: Any, wanted: str, what: str) -> Exception:
    return invalid(f"Param {name!r}: the {what} {value!r} ({type(value).__name__}) is not {wanted}.")
