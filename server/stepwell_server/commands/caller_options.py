"""Options of `stepwell server` that say what one account may do."""

import functools
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import click

from stepwell_server.config import CALLER_LIMITS_DEFAULT, CallerLimits

Command = Callable[..., Any]

_OPTIONS = {
    "calls": ("calls_per_s", "Calls that one account may make in a second, of each worker"),
    "points": ("points_per_s", "Points that one account may log in a second, by each worker"),
    "searching": ("searching", "Seconds of searches that one account may have in a second, of each worker"),
    "streams": ("streams_max", "Streams that one account may have open at once, at each worker"),
}


def caller_options(command: Command) -> Command:
    """Add `--caller-calls` and the like, which become the parameter `caller_limits`; they need `--auth`."""

    @functools.wraps(command)
    def with_limits(auth: bool, **others: Any) -> Any:
        given = {field: others.pop(f"caller_{name}") for name, (field, _) in _OPTIONS.items()}
        return command(auth=auth, caller_limits=limits_of(given, auth=auth), **others)

    made: Command = with_limits
    for name, (field, text) in reversed(_OPTIONS.items()):
        default = getattr(CALLER_LIMITS_DEFAULT, field)
        kind = (
            click.IntRange(min=0)
            if isinstance(default, int) and field == "streams_max"
            else click.FloatRange(min=0)
        )
        made = click.option(
            f"--caller-{name}",
            envvar=f"STEPWELL_CALLER_{name.upper()}",
            type=kind,
            show_default=f"{default:.0f} with --auth",
            help=f"{text}; 0 is no limit.",
        )(made)
    return made


def limits_of(given: dict[str, Any], *, auth: bool) -> CallerLimits:
    """Return the limits: what is None is the default. Raises click.UsageError for some without accounts."""
    if auth:
        chosen = {it.name: getattr(CALLER_LIMITS_DEFAULT, it.name) for it in fields(CallerLimits)}
        return CallerLimits(
            **{**chosen, **{name: value for name, value in given.items() if value is not None}}
        )
    if any(value is not None for value in given.values()):
        raise click.UsageError("--caller-... says what one account may do, and needs --auth")
    return CallerLimits()
