"""One request of /invocations: from bytes to bytes."""

import io
import json
import traceback
from dataclasses import dataclass
from email.message import Message
from typing import Any

from stepwell import extras
from stepwell.errors import StepwellException
from stepwell.models import serving_input
from stepwell.models.enforcement import casts
from stepwell.models.pyfunc.loaded import PyFuncModel
from stepwell.models.serving_input import Request, bad_request
from stepwell.serving import answers

JSON, CSV, PARQUET = "application/json", "text/csv", "application/vnd.apache.parquet"
CONTENT_TYPES = (CSV, JSON, PARQUET)


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back."""

    status: int
    body: str
    content_type: str = JSON


def refused_type(content_type: str | None) -> Answer | None:
    """Return the answer to a request of a type that is not served; None for the others."""
    header = Message()
    header["content-type"] = content_type or ""
    kind = (content_type or "").partition(";")[0].strip().lower()
    if kind not in CONTENT_TYPES:
        return _unsupported(
            f"This predictor only supports the following content types: {', '.join(CONTENT_TYPES)}. Got "
            f"'{content_type or ''}'."
        )
    given = dict((header.get_params() or [])[1:])  # the first is the type itself
    charset = given.pop("charset", "utf-8")
    if given:
        return _unsupported(f"Unrecognized content type parameters: {', '.join(sorted(given))}.")
    if charset.lower() != "utf-8":
        return _unsupported("The scoring server only supports UTF-8")
    return None


def score(model: PyFuncModel, content_type: str, body: bytes) -> Answer:
    """Ask a model what a request asks."""
    try:
        request = _request(model, content_type.partition(";")[0].strip().lower(), body)
        found = model.predict(request.data, params=request.params)
    except StepwellException as failure:
        return error(400, failure.error_code, failure.message)
    except Exception as failure:  # noqa: BLE001 - the model is somebody else's code
        return error(
            400,
            "BAD_REQUEST",
            "Encountered an unexpected error while evaluating the model. Verify that the input is compatible with the "
            f"model for inference. {type(failure).__name__}: {failure}",
            stack_trace=traceback.format_exc(),
        )
    try:
        return Answer(200, answers.whole(found) if request.unwrapped else answers.predictions(found))
    except (TypeError, ValueError) as failure:
        return error(500, "INTERNAL_ERROR", f"What the model gives cannot be written as JSON: {failure}")


def error(status: int, code: str, message: str, **more: str) -> Answer:
    """Return the answer that says what went wrong."""
    return Answer(status, json.dumps({"error_code": code, "message": message, **more}))


def message_of(answer: Answer) -> str:
    """Return what an answer says that went wrong."""
    return str(json.loads(answer.body)["message"]) if answer.content_type == JSON else answer.body


def _request(model: PyFuncModel, kind: str, body: bytes) -> Request:
    schema = model.metadata.get_input_schema()
    if kind == JSON:
        return serving_input.parsed(body, schema)
    pandas = extras.load("pandas", f"A request of {kind}", "models")
    read: Any = pandas.read_csv if kind == CSV else pandas.read_parquet
    try:
        frame = read(io.BytesIO(body))
    except Exception as failure:  # noqa: BLE001 - of whatever reader pandas has: what it cannot read is no request
        raise bad_request(f"The input is no {kind}: {failure}") from None
    try:
        return Request(casts.cast_loosely(frame, schema))
    except StepwellException as failure:
        raise bad_request(f"Invalid input. {failure.message}") from None


def _unsupported(text: str) -> Answer:
    return Answer(415, text, "text/plain")
