"""The schema of example params."""

from collections.abc import Mapping
from typing import Any

from stepwell.errors import invalid
from stepwell.types.kind_inference import NoKindError, common, kind_of
from stepwell.types.kinds import Array, DataType, Kind, Map
from stepwell.types.params import ParamSchema, ParamSpec


def infer_params(params: Mapping[str, Any]) -> ParamSchema:
    """Return the params with what is given as defaults.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE for None, lists of lists, and what has no type.
    """
    if not isinstance(params, Mapping):
        raise invalid(f"Parameters must be a dictionary, not {type(params).__name__}.")
    return ParamSchema([_param(str(name), it) for name, it in params.items()])


def _param(name: str, value: Any) -> ParamSpec:
    if value is None:
        raise invalid(f"Param {name!r} is None; give a default that says its type.")
    if hasattr(value, "ndim") and value.ndim > 1:
        raise invalid(f"Param {name!r} has {value.ndim} dimensions; lists and 1-D arrays are allowed.")
    items = value.tolist() if getattr(value, "ndim", 0) == 1 else value
    try:
        if isinstance(items, (list, tuple)):
            return ParamSpec(name, _of_list(value, list(items)), list(items), (-1,))
        return ParamSpec(name, kind_of(value), value)
    except NoKindError as failure:
        raise invalid(f"Param {name!r}: {value!r} cannot be a param: {failure}.") from None


def _of_list(value: Any, items: list[Any]) -> Kind:
    if not items:
        return DataType.datetime  # as MLflow has it; nothing better is known
    kind = kind_of(value).dtype if hasattr(value, "dtype") else common(kind_of(it) for it in items)  # type: ignore[union-attr]
    if isinstance(kind, (Array, Map)):
        raise NoKindError("lists in lists are not allowed")
    return kind
