"""What commands print: tables for people, JSON for programs."""

import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import wraps
from typing import Any

import click
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from stepwell.commands.groups import in_one_line
from stepwell.entities import Run

PIPE_COLUMNS = 1_000
# All that terminals take for orders, but for the ends of lines and tabs.
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
SHORT_ID_CHARS_MIN = 12  # among a million runs, the chance that two begin so is one in 500

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def reporting(command: Callable[..., Any]) -> Callable[..., Any]:
    """Let a command fail in one line, also where no group of commands calls it."""

    @wraps(command)
    def run(*arguments: Any, **options: Any) -> Any:
        with in_one_line():
            return command(*arguments, **options)

    return run


def confirm(question: str) -> None:
    """Go on when somebody says yes.

    Raises:
        click.Abort: somebody says no.
        click.UsageError: nobody is there to answer.
    """
    try:
        said_yes = click.confirm(question, err=True)
    except click.Abort:
        if sys.stdin.isatty():
            raise  # Ctrl-C
        click.echo(err=True)
        raise click.UsageError("Nobody answers here; -y does it without asking.") from None
    if not said_yes:
        raise click.Abort


def print_json(value: Any) -> None:
    """Print one value as JSON; NaN and the infinities as Python's json module writes and reads them."""
    # Where the output may lack letters, they are written as JSON has it.
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    click.echo(json.dumps(value, ensure_ascii=not encoding.lower().startswith("utf")))


def print_rows(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, json_too: bool) -> None:
    """Print rows as a table, or as one JSON list of objects."""
    if json_too:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
        return
    # Ids and names whole: people copy them. A file or a pipe is as wide as it needs to be. What is logged is text, and
    # no markup, whatever it looks like.
    table = Table(*(Column(Text(harmless(name)), overflow="fold") for name in columns))
    for row in rows:
        table.add_row(*(Text(harmless(shown(value))) for value in row))
    console = Console()
    if not console.is_terminal:
        console = Console(width=PIPE_COLUMNS)
    console.print(table)


def short_ids(run_ids: Sequence[str]) -> list[str]:
    """Return the beginnings of ids that tell them apart; commands take them for the whole ids."""
    length = SHORT_ID_CHARS_MIN
    while length < 32 and len({run_id[:length] for run_id in run_ids}) < len(set(run_ids)):
        length += 1
    return [run_id[:length] for run_id in run_ids]


def shown(value: Any) -> str:
    """Return a value as people read it."""
    if value is None:
        return "-"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def harmless(text: str) -> str:
    """Return a text that somebody logged as a terminal shows it: one that would move its cursor is written out."""
    return CONTROLS.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def time_of(time_ms: int | None) -> str | None:
    """Return a time in milliseconds as ISO 8601, in UTC; one beyond the calendar as its number."""
    if time_ms is None:
        return None
    try:
        return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat("T", "seconds")
    except (OverflowError, ValueError, OSError):
        return str(time_ms)


def plain_run(run: Run) -> Mapping[str, Any]:
    """Return a run as JSON has it; of metrics the latest points."""
    latest = {
        key: {"value": point.value, "step": point.step, "timestamp": point.timestamp}
        for key, point in run.data.latest_points.items()
    }
    return {
        "info": run.info.to_dictionary(),
        "params": run.data.params,
        "tags": run.data.tags,
        "metrics": latest,
    }
