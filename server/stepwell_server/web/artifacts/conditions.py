"""Requests that depend on which content is there (RFC 9110, section 13). The tag of a content is its SHA-256."""

from email.utils import formatdate, parsedate_to_datetime

from starlette.datastructures import Headers

NOT_MODIFIED, PRECONDITION_FAILED = 304, 412


def etag_of(sha256: bytes) -> str:
    """Return the tag of a content."""
    return f'"{sha256.hex()}"'


def http_date(time_ms: int) -> str:
    """Return a time as headers write it."""
    return formatdate(time_ms // 1_000, usegmt=True)


def unmet(headers: Headers, etag: str, time_ms: int) -> int | None:
    """Return the status that says why the content is not sent, None if it is to be sent."""
    if "if-match" in headers:
        if not _named(headers["if-match"], etag):
            return PRECONDITION_FAILED
    elif _seconds(headers.get("if-unmodified-since"), default=time_ms // 1_000) < time_ms // 1_000:
        return PRECONDITION_FAILED
    if "if-none-match" in headers:
        return NOT_MODIFIED if _named(headers["if-none-match"], etag) else None
    return (
        NOT_MODIFIED if _seconds(headers.get("if-modified-since"), default=-1) >= time_ms // 1_000 else None
    )


def range_holds(headers: Headers, etag: str, time_ms: int) -> bool:
    """Tell whether a range may be sent: If-Range names this content, or is not there."""
    wanted = headers.get("if-range")
    return wanted is None or wanted == etag or _seconds(wanted, default=-1) == time_ms // 1_000


def _named(header: str, etag: str) -> bool:
    # Proxies that compress make tags weak; the content is the same.
    return any(part.strip().removeprefix("W/") in {"*", etag} for part in header.split(","))


def _seconds(header: str | None, default: int) -> int:
    try:
        return default if header is None else int(parsedate_to_datetime(header).timestamp())
    except (ValueError, OverflowError):
        return default
