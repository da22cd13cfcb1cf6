"""Loggers whose lines have fields: `log.warning("commit failed", batches=3)`.

They are those of the standard library: libraries of structured logs bring others along that no server needs, such as
rich, which takes 8 MiB of every process. `logs.py` writes the lines.
"""

import logging
from collections.abc import Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any

# The attribute of a `logging.LogRecord` that has the fields.
FIELDS = "stepwell_fields"

_NONE: Mapping[str, Any] = MappingProxyType({})
_bound: ContextVar[Mapping[str, Any]] = ContextVar("fields of all lines", default=_NONE)


class Logger:
    """Writes events, each with its fields. `exc_info` is an error whose traceback is written, too."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, event: str, **fields: Any) -> None:
        """Write what only who looks for a fault wants to know."""
        self._write(logging.DEBUG, event, None, fields)

    def info(self, event: str, **fields: Any) -> None:
        """Write what goes as it should."""
        self._write(logging.INFO, event, None, fields)

    def warning(self, event: str, *, exc_info: BaseException | None = None, **fields: Any) -> None:
        """Write what somebody should look at some day."""
        self._write(logging.WARNING, event, exc_info, fields)

    def error(self, event: str, *, exc_info: BaseException | None = None, **fields: Any) -> None:
        """Write what somebody should look at now."""
        self._write(logging.ERROR, event, exc_info, fields)

    def _write(self, level: int, event: str, error: BaseException | None, fields: Mapping[str, Any]) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, event, exc_info=error, extra={FIELDS: {**_bound.get(), **fields}})


def get_logger(name: str) -> Logger:
    """Return the logger of a module."""
    return Logger(name)


def bind_fields(**fields: Any) -> None:
    """Put fields on every line that is written in this context, and in those that come from it."""
    _bound.set({**_bound.get(), **fields})
