import base64

import pytest

from stepwell_server.errors import InvalidArgumentError
from stepwell_server.services.paging.pages import make_token, read_token


def test_a_token_comes_back() -> None:
    assert read_token("runs", make_token("runs", (-5, 2**62)), length=2) == (-5, 2**62)
    assert read_token("runs", "", length=2) is None


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "é",
        "====",
        base64.b64encode(b"\xff\xfe").decode(),
        base64.b64encode(b"[" * 100_000).decode(),
        base64.b64encode(b"5").decode(),
        base64.b64encode(b"{}").decode(),
        base64.b64encode(b'["runs"]').decode(),
        make_token("runs", (1,)),
        make_token("runs", (1, 2, 3)),
        make_token("runs", (1, 2**63)),
        make_token("experiments", (1, 2)),
        base64.b64encode(b'["runs", true, 1.5]').decode(),
    ],
)
def test_a_broken_token_is_refused(token: str) -> None:
    with pytest.raises(InvalidArgumentError, match="page token"):
        read_token("runs", token, length=2)
