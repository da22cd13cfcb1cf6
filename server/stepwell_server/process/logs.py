"""Structured logs, on standard error: text for a terminal, one JSON object a line otherwise.

Records of the standard library (grpc, asyncio) come out in the same form. Store URLs must pass through
`config.without_password` before they are logged.
"""

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from stepwell_server.process.logger import FIELDS
from stepwell_server.process.quieting import QuietLibrary

LogFormat = Literal["text", "json"]

EVENT_WIDTH = 30
_COLORS = {"debug": 32, "info": 32, "warning": 33, "error": 31, "critical": 31}
_BOLD = 1


class JsonLines(logging.Formatter):
    """One object a line: the fields, and `event`, `level`, `logger`, `timestamp`, `exception`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a line."""
        line = {
            **_fields(record),
            "event": record.getMessage(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "timestamp": _timestamp(record),
        }
        if traceback := _traceback(self, record):
            line["exception"] = traceback
        return json.dumps(line, default=repr)


class TextLines(logging.Formatter):
    """A line as people read it, with colours or without; a traceback on the lines below it."""

    def __init__(self, *, colors: bool) -> None:
        super().__init__()
        self._colors = colors

    def format(self, record: logging.LogRecord) -> str:
        """Return a line, or several."""
        level = record.levelname.lower()
        parts = [
            _timestamp(record),
            f"[{self._painted(f'{level:<8}', _COLORS.get(level, _BOLD))}]",
            self._painted(f"{_one_line(record.getMessage()):<{EVENT_WIDTH}}", _BOLD),
            f"[{record.name}]",
            *(f"{name}={_shown(value)}" for name, value in _fields(record).items()),
        ]
        traceback = _traceback(self, record)
        return " ".join(parts) + (f"\n{traceback}" if traceback else "")

    def _painted(self, text: str, color: int) -> str:
        return f"\033[{color}m{text}\033[0m" if self._colors else text


def format_for(stream_is_terminal: bool) -> LogFormat:
    """Return the format that suits who reads: a person at a terminal, or a program."""
    return "text" if stream_is_terminal else "json"


def set_up_logs(log_format: LogFormat | None, level: str) -> None:
    """Send all logs of this process to standard error. `log_format` None chooses by the terminal."""
    chosen = log_format or format_for(sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if chosen == "json" else TextLines(colors=sys.stderr.isatty()))
    handler.addFilter(
        QuietLibrary("grpc")
    )  # callers cause its errors, a traceback for each call that breaks off
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


def _fields(record: logging.LogRecord) -> Mapping[str, Any]:
    fields: Mapping[str, Any] = getattr(record, FIELDS, {})
    return fields


def _timestamp(record: logging.LogRecord) -> str:
    return (
        datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    )


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    """Return the traceback of a record as text: without the local variables, which may hold secrets."""
    return formatter.formatException(record.exc_info) if record.exc_info and record.exc_info[0] else ""


def _one_line(text: str) -> str:
    """Return a text so that nobody takes a part of it for a line of its own, or for a terminal's command."""
    return text if text.isprintable() else repr(text)


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if text and text.isprintable() and not set(text) & set(" '\"") else repr(value)
