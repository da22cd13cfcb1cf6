"""Page tokens of searches: the position of a page's last row, and which search it belongs to."""

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from stepwell_server.errors import InvalidArgumentError
from stepwell_server.search.expressions import NUMBER_FUNCTION, FieldKind, OrderKey, ValueType
from stepwell_server.search.queries import KeyPosition, RowPosition

_INT64_MAX = 2**63 - 1


def search_digest(*parts: object) -> str:
    """Return what tells one search from another."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def make_search_token(digest: str, position: RowPosition) -> str:
    """Return the token for the page after a position of a search."""
    content = [digest, [list(key) for key in position.keys], position.time_ms, position.id]
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode()


def read_search_token(digest: str, token: str, order: Sequence[OrderKey]) -> RowPosition | None:
    """Return the position in a token; None for the empty token of the first page.

    Raises:
        InvalidArgumentError: it is not a token of this search.
    """
    if not token:
        return None
    try:
        found, keys, time_ms, id_ = json.loads(base64.b64decode(token, altchars=b"-_", validate=True))
        if found != digest or type(time_ms) is not int or type(id_) is not str or abs(time_ms) > _INT64_MAX:
            raise ValueError(token)
        int(id_, 16)
        return RowPosition(
            tuple(_checked(key, *given) for key, given in zip(order, keys, strict=True)), time_ms, id_
        )
    except (binascii.Error, ValueError, TypeError, RecursionError, InvalidOperation):
        raise InvalidArgumentError(
            "the page token is not one of this search; pass the token of the page before, with the same filter, "
            "order, view and experiments"
        ) from None


def _checked(key: OrderKey, rank: Any, value: Any) -> KeyPosition:
    if rank not in (0, 1, 2) or type(rank) is not int or (rank == 0) != (value is not None):
        raise ValueError(rank)
    if rank:
        return rank, None
    if key.field.kind is FieldKind.METRIC:
        return rank, float(value)
    if key.field.value_type is ValueType.TEXT:
        if type(value) is not str or "\0" in value:
            raise ValueError(value)
    elif key.field.function == NUMBER_FUNCTION:
        Decimal(value)
    elif type(value) is not int or abs(value) > _INT64_MAX:
        raise ValueError(value)
    return rank, value
