import base64
import json
import math

import pytest

from stepwell_server.errors import InvalidArgumentError
from stepwell_server.search.parser import parse_order
from stepwell_server.search.queries import RowPosition
from stepwell_server.search.subjects import RUNS
from stepwell_server.services.paging.searches import make_search_token, read_search_token, search_digest

ORDER = parse_order(["metrics.a", "params.b DESC", "start_time", "number(params.c)", "max(metrics.d)"], RUNS)
KEYS = ((0, -math.inf), (0, "ü\U0001f642"), (0, 5), (0, "1E+20"), (1, None))


def test_a_position_travels_in_a_token() -> None:
    position = RowPosition(KEYS, 1_700_000_000_000, "00ff")
    assert read_search_token("d", make_search_token("d", position), ORDER) == position
    assert read_search_token("d", "", ORDER) is None


def forged(*content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode()


GOOD = [list(key) for key in KEYS]


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "é",
        forged(),
        forged("other", GOOD, 1, "0"),
        forged("d", GOOD[:-1], 1, "0"),
        forged("d", GOOD, "1", "0"),
        forged("d", GOOD, 2**63, "0"),
        forged("d", GOOD, 1, "xyz"),
        forged("d", GOOD, 1, 7),
        forged("d", [[0, "a"], *GOOD[1:]], 1, "0"),
        forged("d", [[3, None], *GOOD[1:]], 1, "0"),
        forged("d", [[0, None], *GOOD[1:]], 1, "0"),
        forged("d", [GOOD[0], [0, 5], *GOOD[2:]], 1, "0"),
        forged("d", [*GOOD[:2], [0, 1.5], *GOOD[3:]], 1, "0"),
        forged("d", [*GOOD[:3], [0, "no number"], GOOD[4]], 1, "0"),
        base64.urlsafe_b64encode(b"[" * 100_000).decode(),
    ],
)
def test_a_token_of_something_else_is_refused(token: str) -> None:
    with pytest.raises(InvalidArgumentError, match="page token"):
        read_search_token("d", token, ORDER)


def test_searches_are_told_apart() -> None:
    assert search_digest("runs", [1, 2], "") != search_digest("runs", [1], "2")
