"""Type hints as signatures: list[str], list[dict[str, int]], list[SomePydanticModel] and so on.

A hint is of many inputs, so that it is a list of something; others (data frames, arrays) say nothing.
"""

import datetime
import types
from collections.abc import Mapping
from typing import Any, Union, get_args, get_origin

from stepwell.errors import invalid
from stepwell.types.kind_inference import NoKindError
from stepwell.types.kinds import AnyType, Array, DataType, Kind, Map, Object, Property
from stepwell.types.schema import ColSpec, Schema

# Of invalid elements, in a message.
SHOWN_MAX = 5

_SINGLE: dict[Any, DataType] = {
    bool: DataType.boolean,
    int: DataType.long,
    float: DataType.double,
    str: DataType.string,
    bytes: DataType.binary,
    datetime.date: DataType.datetime,
    datetime.datetime: DataType.datetime,
}


def schema_of(hint: Any) -> Schema | None:
    """Return the schema that a hint says; None where it says none."""
    if get_origin(hint) is not list or not get_args(hint):
        return None
    try:
        return Schema([ColSpec(_kind(get_args(hint)[0]))])
    except NoKindError:
        return None


def output_schema_of(hint: Any) -> Schema | None:
    """Return the schema of a result: as of an input, or of a single value."""
    if hint is None or hint is type(None):
        return None
    try:
        return schema_of(hint) or Schema([ColSpec(_kind(hint))])
    except NoKindError:
        return None


def checked(data: Any, hint: Any) -> Any:
    """Return data as a hint says: dicts become what they describe, columns become lists.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE, with the elements that are something else.
    """
    item = get_args(hint)[0]
    values = _to_list(data, item)
    if not isinstance(values, list):
        raise invalid(
            f"Failed to validate data against type hint `{shown(hint)}`: expected a list, got {type(data).__name__}."
        )
    found, wrong = [], []
    for value in values:
        try:
            found.append(_of(value, item))
        except ValueError as failure:
            wrong.append((str(value)[:100], str(failure)))
    if wrong:
        more = f" and {len(wrong) - SHOWN_MAX} more" if len(wrong) > SHOWN_MAX else ""
        raise invalid(
            f"Failed to validate data against type hint `{shown(hint)}`, invalid elements: {wrong[:SHOWN_MAX]}{more}"
        )
    return found


def shown(hint: Any) -> str:
    """Return a hint as it is written."""
    return (
        hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint).replace("typing.", "")
    )


def _kind(hint: Any) -> Kind:
    if hint is Any:
        return AnyType()
    if hint in _SINGLE:
        return _SINGLE[hint]
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is list and arguments:
        return Array(_kind(arguments[0]))
    if origin is dict and arguments and arguments[0] is str:
        return Map(_kind(arguments[1]))
    if _is_union(origin):
        kinds = {_kind(it) for it in arguments if it is not type(None)}
        return kinds.pop() if len(kinds) == 1 else AnyType()
    if _is_model(hint):
        return Object([_property(name, field) for name, field in hint.model_fields.items()])
    raise NoKindError(f"{shown(hint)} says no type of a schema")


def _property(name: str, field: Any) -> Property:
    optional = _is_union(get_origin(field.annotation)) and type(None) in get_args(field.annotation)
    return Property(name, _kind(field.annotation), field.is_required() and not optional)


def _to_list(data: Any, item: Any) -> Any:
    if hasattr(data, "to_dict") and hasattr(data, "columns"):
        if item in _SINGLE and data.shape[1] == 1:
            return data.iloc[:, 0].tolist()
        return data.to_dict(orient="records")
    return data.tolist() if hasattr(data, "tolist") else data


def _of(value: Any, hint: Any) -> Any:
    """Return a value as a hint says; ValueError when it is something else."""
    if hint is Any:
        return value
    origin, arguments = get_origin(hint), get_args(hint)
    if _is_union(origin):
        return _of_union(value, arguments)
    if origin is list:
        if not isinstance(value, list):
            raise ValueError(f"Expected list, but got {type(value).__name__}")
        return [_of(it, arguments[0]) for it in value]
    if origin is dict or hint is dict:
        if not isinstance(value, Mapping):
            raise ValueError(f"Expected dict, but got {type(value).__name__}")
        return {key: _of(it, arguments[1]) for key, it in value.items()} if arguments else value
    if _is_model(hint):
        return value if isinstance(value, hint) else hint.model_validate(value)
    expected = (int, float) if hint is float else hint
    if isinstance(hint, type) and (
        not isinstance(value, expected) or (isinstance(value, bool) and hint is not bool)
    ):
        raise ValueError(f"Expected type {shown(hint)}, but got {type(value).__name__}")
    return value


def _of_union(value: Any, arguments: tuple[Any, ...]) -> Any:
    if value is None and type(None) in arguments:
        return None
    failures = []
    for each in arguments:
        if each is not type(None):
            try:
                return _of(value, each)
            except ValueError as failure:
                failures.append(str(failure))
    raise ValueError("; ".join(failures))


def _is_union(origin: Any) -> bool:
    return origin is Union or origin is types.UnionType


def _is_model(hint: Any) -> bool:
    return isinstance(hint, type) and hasattr(hint, "model_validate") and hasattr(hint, "model_fields")
