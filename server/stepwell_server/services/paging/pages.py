"""Page tokens: where the next page begins, in a form that nobody is meant to read."""

import base64
import binascii
import json
from collections.abc import Sequence

from stepwell_server.errors import InvalidArgumentError


def make_token(kind: str, position: Sequence[int]) -> str:
    """Return the token for the page after `position`; `kind` keeps the tokens of two listings apart."""
    return base64.urlsafe_b64encode(json.dumps([kind, *position]).encode()).decode()


def read_token(kind: str, token: str, *, length: int, name: str = "page token") -> tuple[int, ...] | None:
    """Return the position in a token, of `length` numbers; None for the empty token of the first page.

    `name` is what the caller's contract calls the token.

    Raises:
        InvalidArgumentError: the token is not one that this listing made.
    """
    if not token:
        return None
    try:
        found, *position = json.loads(base64.b64decode(token, altchars=b"-_", validate=True))
        fits = all(type(part) is int and -(2**63) <= part < 2**63 for part in position)
        if found != kind or len(position) != length or not fits:
            raise ValueError(token)
    except (binascii.Error, ValueError, TypeError, RecursionError):
        raise InvalidArgumentError(
            f"the {name} is not one that this call gave; pass that of the answer before, unchanged"
        ) from None
    return tuple(position)
