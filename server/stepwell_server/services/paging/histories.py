"""Cursors of histories as tokens that nobody is meant to read."""

import math
import struct

from stepwell_server.errors import InvalidArgumentError
from stepwell_server.model.series import HistoryCursor
from stepwell_server.services.paging.pages import make_token, read_token

_KIND = "history"
_FIELDS = 5


def make_cursor(cursor: HistoryCursor) -> str:
    """Return the token for going on after `cursor`."""
    value = math.nan if math.isnan(cursor.value) else cursor.value  # one of the many NaNs
    (bits,) = struct.unpack("<q", struct.pack("<d", value))
    return make_token(_KIND, [cursor.number, cursor.step, cursor.timestamp_ms, bits, cursor.repeats])


def read_cursor(token: str, series_count: int) -> HistoryCursor | None:
    """Return what a token says; None for the empty one.

    Raises:
        InvalidArgumentError: the token is not one that `make_cursor` made for a request of so many series.
    """
    fields = read_token(_KIND, token, length=_FIELDS, name="cursor")
    if fields is None:
        return None
    number, step, timestamp_ms, bits, repeats = fields
    if not 0 <= number < series_count or repeats < 1:
        raise InvalidArgumentError("the cursor is of another request; repeat the request that it came from")
    (value,) = struct.unpack("<d", struct.pack("<q", bits))
    return HistoryCursor(number, step, timestamp_ms, value, repeats)
