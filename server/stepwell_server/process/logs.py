"""Structured logs, on standard error: text for a terminal, one JSON object a line otherwise.

Records of the standard library (grpc, asyncio) come out in the same form. Store URLs must pass through
`config.without_password` before they are logged.
"""

import logging
import sys
from typing import Literal

import structlog
from structlog.typing import Processor

from stepwell_server.process.quieting import QuietLibrary

LogFormat = Literal["text", "json"]

_SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def format_for(stream_is_terminal: bool) -> LogFormat:
    """Return the format that suits who reads: a person at a terminal, or a program."""
    return "text" if stream_is_terminal else "json"


def set_up_logs(log_format: LogFormat | None, level: str) -> None:
    """Send all logs of this process to standard error. `log_format` None chooses by the terminal."""
    chosen = log_format or format_for(sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_SHARED,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(chosen)],
        )
    )
    handler.addFilter(
        QuietLibrary("grpc")
    )  # callers cause its errors, a traceback for each call that breaks off
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _renderers(log_format: LogFormat) -> list[Processor]:
    if log_format == "json":
        # The traceback as text: without the local variables, which may hold secrets.
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    return [
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    ]
