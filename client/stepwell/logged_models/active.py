"""The model that metrics are also logged for when nobody names one: of this thread or task, as runs are."""

from collections.abc import Callable
from contextvars import ContextVar
from types import TracebackType
from typing import Self

from stepwell.entities import LoggedModel

_current: ContextVar[str | None] = ContextVar("stepwell_active_model", default=None)
_last_id: ContextVar[str | None] = ContextVar("stepwell_last_model", default=None)


# What to do before the first model of this process is made the active one.
_first_time: list[Callable[[], None]] = []


def when_first_activated(do: Callable[[], None]) -> Callable[[], None]:
    """Have something done before any thread of this process makes a model the active one, once."""
    _first_time.append(do)
    return do


class ActiveModel(LoggedModel):
    """A model that was made the active one; as a context manager, until the end of the context."""

    def __init__(self, model: LoggedModel, before: str | None) -> None:
        super().__init__(**dict(model))
        self._before = before

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _current.set(self._before)


def activate(model: LoggedModel) -> ActiveModel:
    """Make a model the active one of this thread or task."""
    before = _current.get()
    while _first_time:
        _first_time.pop()()
    _current.set(model.model_id)
    return ActiveModel(model, before)


def active_model_id() -> str | None:
    """Return the id of the active model; None if there is none."""
    return _current.get()


def clear() -> None:
    """Let no model be active."""
    _current.set(None)


def note_last(model: LoggedModel) -> LoggedModel:
    """Note the model that was made last in this thread or task."""
    note_last_id(model.model_id)
    return model


def note_last_id(model_id: str) -> None:
    """Note the same of a model that is still on its way."""
    _last_id.set(model_id)


def last_id() -> str | None:
    """Return the id of the model that was made last in this thread or task."""
    return _last_id.get()
