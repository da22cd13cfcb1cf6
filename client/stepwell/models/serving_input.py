"""Requests to a server of a model, by MLflow's scoring protocol: JSON to what predict takes.

{"dataframe_split": {"columns": …, "data": …}}   a data frame, with the types of the signature
{"dataframe_records": [{…}, …]}                  the same
{"inputs": …}                                    as it is for columns; arrays by name, or one
{"instances": […]}                               one array; a data frame or arrays of a list of dicts
… and "params" beside one of these; an object with messages, prompt or input goes whole
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stepwell.errors import StepwellException, invalid, short
from stepwell.models import examples, json_values
from stepwell.models.enforcement import casts
from stepwell.types.schema import Schema

FRAME_SPLIT, FRAME_RECORDS, INSTANCES, INPUTS = "dataframe_split", "dataframe_records", "instances", "inputs"
FORMS = (FRAME_SPLIT, FRAME_RECORDS, INSTANCES, INPUTS)
# Of chats and completions: the object itself is the input.
WHOLE = ("messages", "prompt", "input")


@dataclass(frozen=True, slots=True)
class Request:
    """What a request asks: data and params for predict; whether the answer goes as it is."""

    data: Any
    params: dict[str, Any] | None = None
    unwrapped: bool = False


def parsed(text: "str | bytes", schema: Schema | None) -> Request:
    """Return what a request of JSON asks.

    Raises:
        StepwellException: BAD_REQUEST, with what it may be.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise bad_request(f"The input is no valid JSON: {error}. {_may_be()}") from None
    if not isinstance(value, dict):
        raise bad_request(f"The input must be a JSON object, not {_json_type(value)}. {_may_be()}")
    params = value.pop("params", None)
    if params is not None and not isinstance(params, dict):
        raise bad_request(f"params must be a JSON object of names, not {_json_type(params)}.")
    found = [form for form in FORMS if form in value]
    if not found and any(key in value for key in WHOLE):
        return Request(value, params, unwrapped=True)
    if len(found) != 1 or len(value) != 1:
        raise bad_request(f"The input has the keys {sorted(value)}. {_may_be()}")
    try:
        return Request(_data(found[0], value[found[0]], schema), params)
    except StepwellException as failure:
        raise bad_request(f"Invalid input. {failure.message}") from None


def bad_request(message: str) -> StepwellException:
    """Return the error for what is no request."""
    return StepwellException(message, "BAD_REQUEST")


def _may_be() -> str:
    return f"It must have exactly one of {', '.join(FORMS)}, and may have params."


def _data(form: str, content: Any, schema: Schema | None) -> Any:
    has_columns = schema is not None and not schema.is_tensor_spec()
    if form == FRAME_SPLIT:
        if not isinstance(content, Mapping) or not isinstance(content.get("data"), list):
            raise invalid(f"{form} must be an object with columns and data, not {_json_type(content)}.")
        return casts.frame_of_json(content, schema)
    if form == FRAME_RECORDS:
        if not isinstance(content, list) or not all(isinstance(it, dict) for it in content):
            raise invalid(f"{form} must be a list of objects, not {_json_type(content)}.")
        return casts.frame_of_json(content, schema)
    if form == INSTANCES:
        return _instances(content, schema, has_columns=has_columns)
    return content if has_columns else casts.arrays_of_json(content, schema)


def _instances(content: Any, schema: Schema | None, *, has_columns: bool) -> Any:
    if not isinstance(content, list):
        raise invalid(f"{INSTANCES} must be a list, not {_json_type(content)}.")
    if content and all(isinstance(it, dict) for it in content):
        if has_columns:
            return casts.frame_of_json(content, schema)
        names = list(content[0])
        if any(list(it) != names for it in content):
            raise invalid(f"The objects in {INSTANCES} must all have the same names.")
        return casts.arrays_of_json({name: [it[name] for it in content] for name in names}, schema)
    return content if has_columns else casts.arrays_of_json(content, schema)


def _json_type(value: Any) -> str:
    words = {
        dict: "an object",
        list: "a list",
        str: "text",
        bool: "a boolean",
        int: "a number",
        float: "a number",
    }
    return words.get(type(value), "null")


@short
def convert_input_example_to_serving_input(input_example: Any) -> str | None:
    """Return the JSON of a request with an example; None for none."""
    if input_example is None:
        return None
    return json_values.dumps(examples.example_of(input_example).serving, indent=2)


@short
def validate_serving_input(model_uri: Any, serving_input: Any) -> Any:
    """Load a model, and return what it makes of a request.

    Args:
        model_uri: as of pyfunc.load_model.
        serving_input: JSON, or the dict that it says.

    Raises:
        StepwellException: BAD_REQUEST when it is no request; what predict raises.
    """
    from stepwell.models.pyfunc.loading import load_model

    text = serving_input if isinstance(serving_input, (str, bytes)) else json_values.dumps(serving_input)
    model = load_model(model_uri, suppress_warnings=True)
    request = parsed(text, model.metadata.get_input_schema())
    return model.predict(request.data, params=request.params)
