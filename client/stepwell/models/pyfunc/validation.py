"""Methods whose data has a type hint check it, wherever they are called.

They do so by `validate_model_input`, which pickles name as MLflow's: there MLflow's own is called.
"""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from stepwell.models.pyfunc import hints


class TypeHints:
    """What a predict says of its input and output; None where it says nothing. Pickles of MLflow fill it by name."""

    def __init__(self, input: Any = None, output: Any = None) -> None:  # noqa: A002
        self.input = input
        self.output = output


class FuncInfo(NamedTuple):
    """The hint of an input, and the name of its parameter; the fields are MLflow's."""

    input_type_hint: Any
    input_param_name: str


def validate_model_input(
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    model_input_index_in_sig: int,
    type_hint: Any,
    model_input_param_name: str,
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return arguments of a call, with the model's input as its hint says."""
    if hints.schema_of(type_hint) is None:
        return args, kwargs
    if model_input_param_name in kwargs:
        checked = hints.checked(kwargs[model_input_param_name], type_hint)
        return args, {**kwargs, model_input_param_name: checked}
    at = model_input_index_in_sig
    if at < len(args):
        return (*args[:at], hints.checked(args[at], type_hint), *args[at + 1 :]), kwargs
    return args, kwargs


def validated(predict: Callable[..., Any]) -> Callable[..., Any]:
    """Return a predict that checks its data, where that has a type hint which says a schema; else predict itself."""
    if not inspect.isfunction(predict) or getattr(predict, "_is_pyfunc", False):
        return predict
    hint = hints_of_function(predict).input
    if hints.schema_of(hint) is None:
        return predict
    parameters = inspect.signature(predict).parameters
    names = [name for name in parameters if name not in ("self", "context", "params")]
    name, at = names[0], list(parameters).index(names[0])

    @functools.wraps(predict)
    def checking(*args: Any, **kwargs: Any) -> Any:
        args, kwargs = validate_model_input(args, kwargs, at, hint, name)
        return predict(*args, **kwargs)

    checking._is_pyfunc = True  # type: ignore[attr-defined]  # by which MLflow knows them
    return checking


def takes_context(parameters: Mapping[str, inspect.Parameter]) -> bool:
    """Tell whether a predict has a place for the context: by its name, or because two arguments must be given."""
    needed = [
        it
        for name, it in parameters.items()
        if it.default is it.empty and it.kind is it.POSITIONAL_OR_KEYWORD and name != "params"
    ]
    return "context" in parameters or len(needed) > 1


def hints_of_function(function: Callable[..., Any]) -> TypeHints:
    """Return the type hints of the first argument, beside self, context and params, and of the result."""
    from typing import get_type_hints

    function = inspect.unwrap(function)
    try:
        hints = get_type_hints(function)
    except (NameError, TypeError, AttributeError):
        return TypeHints()
    parameters = inspect.signature(function).parameters
    names = [name for name in parameters if name not in ("self", "context", "params")]
    return TypeHints(hints.get(names[0]) if names else None, hints.get("return"))
