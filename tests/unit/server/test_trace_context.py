"""The caller's trace is taken from valid metadata only."""

import pytest

from stepwell_server.process.trace_context import trace_fields

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize("value", [f"00-{TRACE}-{SPAN}-01", f"01-{TRACE}-{SPAN}-00-what-comes-later"])
def test_a_valid_trace_is_taken(value: str) -> None:
    assert trace_fields([("other", b"x"), ("traceparent", value)]) == {"trace_id": TRACE, "span_id": SPAN}


@pytest.mark.parametrize(
    "value",
    [
        "",
        "nonsense",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        b"bytes",
    ],
)
def test_what_is_not_valid_is_passed_over(value: str | bytes) -> None:
    assert trace_fields([("traceparent", value)]) == {}


def test_no_metadata_is_no_trace() -> None:
    assert trace_fields(None) == {}
