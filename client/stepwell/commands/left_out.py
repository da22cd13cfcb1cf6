"""The end of commands that do what they can: what they left out, and why."""

import sys
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from stepwell.transfer.left import Left

# Reasons that people are shown; --json has more.
SHOWN_MAX = 50


def show_progress(text: str) -> None:
    """Say on a terminal how far a command is, in one line that is written over."""
    if sys.stderr.isatty():
        click.echo(f"\r{text}", nl=False, err=True)


def end_progress() -> None:
    """Let what comes next have lines of its own."""
    if sys.stderr.isatty():
        click.echo(err=True)


def tell_and_exit(left: "Left", as_json: bool) -> None:
    """Say what was left out, and end with exit code 1, if anything was."""
    if not left.count:
        return
    if not as_json:
        for reason in left.reasons[:SHOWN_MAX]:
            click.echo(f"left out: {reason}", err=True)
        if len(left.reasons) > SHOWN_MAX:
            more = len(left.reasons) - SHOWN_MAX
            click.echo(f"and {more:,} more reasons; --json prints {len(left.reasons):,} of them", err=True)
    raise SystemExit(1)


def as_fields(report: Any, left: "Left") -> dict[str, Any]:
    """Return the counts of a report as JSON has them; `rejected` and `reasons` are what was left out."""
    counts = {one.name: getattr(report, one.name) for one in fields(report) if one.name != "left"}
    return {**counts, "rejected": left.count, "reasons": left.reasons}
