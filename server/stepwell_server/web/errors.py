"""Errors over HTTP: the one table from error codes to statuses, and their form, which is MLflow's.

{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "what was wrong and what would be right"}
"""

import math
import re
import secrets
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response

from stepwell_server.errors import StepwellError, UnauthenticatedError
from stepwell_server.process.logger import get_logger
from stepwell_server.process.quieting import Quieter

STATUSES: dict[str, int] = {
    "INVALID_PARAMETER_VALUE": 400,
    "BAD_REQUEST": 400,
    "RESOURCE_ALREADY_EXISTS": 400,  # as MLflow's server answers; its clients look at the code
    "INVALID_STATE": 400,  # 500 in MLflow, which makes clients try again in vain
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "RESOURCE_DOES_NOT_EXIST": 404,
    "ENDPOINT_NOT_FOUND": 404,
    "REQUEST_LIMIT_EXCEEDED": 400,  # 429 would make clients ask for the same again
    "RESOURCE_EXHAUSTED": 429,
    "NOT_IMPLEMENTED": 501,
    "TEMPORARILY_UNAVAILABLE": 503,
    "INTERNAL_ERROR": 500,
}

# The other way, for refusals that Starlette and the guards know by status.
_CODES = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "ENDPOINT_NOT_FOUND",
    503: "TEMPORARILY_UNAVAILABLE",
}
RETRY_AFTER_S = 1
# What MLflow's clients may ask for and find nowhere here, by the names of its routes.
_OF_MLFLOW = re.compile(r"api/[0-9]\.0/mlflow/(?P<kind>[a-z-]+)")
_ABSENT = {
    "traces": "traces",
    "datasets": "data sets for evaluation",
    "scorers": "scorers",
    "gateway": "gateway to language models",
    "jobs": "jobs",
    "workspaces": "workspaces",
}
# Nobody reads it: the client hung up.
CLIENT_GONE = 499
# Not Basic, for which browsers would open a window of their own; who sends Basic does so unasked.
HOW_TO_AUTHENTICATE = {"www-authenticate": 'Bearer realm="stepwell"'}

log = get_logger(__name__)

_unexpected = Quieter()


class RefusedError(HTTPException):
    """A request that a guard refuses, with an HTTP status; the text is for the user."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(status, text, {"retry-after": str(RETRY_AFTER_S)} if status == 503 else None)


def error_response(
    error_code: str, message: str, status: int | None = None, headers: dict[str, str] | None = None
) -> Response:
    """Return an error as JSON."""
    body = {"error_code": error_code, "message": message}
    return JSONResponse(body, status or STATUSES.get(error_code, 500), headers)


def answer_to(error: Exception, path: str) -> Response:
    """Return what a client is told of any error; what nobody raised on purpose is logged, with a number."""
    if isinstance(error, StepwellError) and error.retry_after_s is not None:
        retry_after = {"retry-after": str(math.ceil(error.retry_after_s))}
        return error_response(error.error_code, str(error), headers=retry_after)
    if isinstance(error, UnauthenticatedError):
        return error_response(error.error_code, str(error), headers=HOW_TO_AUTHENTICATE)
    if isinstance(error, StepwellError):
        return error_response(error.error_code, str(error))
    if isinstance(error, HTTPException):
        headers = dict(error.headers or {})
        return error_response(
            _CODES.get(error.status_code, "BAD_REQUEST"), _text(error, path), error.status_code, headers
        )
    if isinstance(error, ClientDisconnect):
        return error_response("BAD_REQUEST", "the client hung up", CLIENT_GONE)
    error_id = secrets.token_hex(4)
    left_out = _unexpected.left_out(type(error).__name__)
    if left_out is not None:
        log.error("unexpected error", error_id=error_id, path=path[:200], left_out=left_out, exc_info=error)
    return error_response("INTERNAL_ERROR", f"internal error {error_id}; the server's log says more")


def _text(error: HTTPException, path: str) -> str:
    if error.detail != HTTPStatus(error.status_code).phrase:
        return error.detail
    if error.status_code == 404:
        found = _OF_MLFLOW.search(path)
        absent = _ABSENT.get(found["kind"]) if found else None
        return (
            f"Stepwell has no {absent} (docs/mlflow.md)"
            if absent
            else f"there is nothing at {path!r}; / says what is where"
        )
    if error.status_code == 405:
        return f"{path!r} does not take this method; the header allow names those that it takes"
    return error.detail
