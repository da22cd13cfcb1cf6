"""The caller's trace: W3C `traceparent` metadata, as OpenTelemetry's gRPC instrumentation sends it.

Form: https://www.w3.org/TR/trace-context/#traceparent-header
"""

import re
from collections.abc import Iterable, Mapping

TRACEPARENT = "traceparent"

_FORM = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace_id>[0-9a-f]{32})-(?P<span_id>[0-9a-f]{16})-[0-9a-f]{2}(?P<more>-.*)?"
)


def trace_fields(metadata: Iterable[tuple[str, str | bytes]] | None) -> Mapping[str, str]:
    """Return `trace_id` and `span_id` for the log; nothing when the caller sent none, or one that is not valid."""
    value = next((value for key, value in metadata or () if key == TRACEPARENT), None)
    found = _FORM.fullmatch(value) if isinstance(value, str) else None
    if found is None or found["version"] == "ff" or (found["version"] == "00" and found["more"]):
        return {}
    if not int(found["trace_id"], 16) or not int(found["span_id"], 16):
        return {}
    return {"trace_id": found["trace_id"], "span_id": found["span_id"]}
