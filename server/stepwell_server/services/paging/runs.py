"""Tokens of what is left of a run that did not fit into an answer."""

import base64
import binascii
import json

from stepwell_server.errors import InvalidArgumentError
from stepwell_server.model.runs import KEY_CHARS_MAX, RunPart, RunRest

_INT32_MAX = 2**31 - 1


def make_rest_token(rest: RunRest) -> str:
    """Return the token for going on there."""
    return base64.urlsafe_b64encode(json.dumps([rest.part.name, rest.after]).encode()).decode()


def read_rest_token(token: str) -> RunRest:
    """Return what a token says.

    Raises:
        InvalidArgumentError: it is not one that `make_rest_token` made.
    """
    try:
        name, after = json.loads(base64.b64decode(token, altchars=b"-_", validate=True))
        part = RunPart[name]
        if type(after) is not str or len(after) > KEY_CHARS_MAX or "\0" in after:
            raise ValueError(after)
        after.encode()
        if part is RunPart.METRICS and not -1 <= int(after or 0) <= _INT32_MAX:
            raise ValueError(after)
        return RunRest(part, after)
    except (binascii.Error, ValueError, TypeError, KeyError, RecursionError):
        raise InvalidArgumentError(
            "the token is not one of a run that did not fit into an answer; pass that of the answer before, unchanged"
        ) from None
