"""Groups of commands that all take -h and --tracking-uri, and show what went wrong in one line."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any

import click

from stepwell import settings
from stepwell.errors import StepwellException

HELP_NAMES = ["-h", "--help"]
# A first sentence, which is wrapped and not cut.
ABOUT_CHARS_MAX = 300
TRACKING_URI_HELP = "The server.  [default: STEPWELL_TRACKING_URI or MLFLOW_TRACKING_URI]"


@contextmanager
def in_one_line() -> Iterator[None]:
    """Let a StepwellException, or a file that cannot be read or written, become one line and exit code 1."""
    try:
        yield
    except StepwellException as failure:
        raise click.ClickException(failure.message) from failure
    except BrokenPipeError:
        raise  # nobody reads on, so there is nobody to tell; click ends the command
    except OSError as failure:
        _drop_output()
        where = f"{failure.filename}: " if failure.filename else ""
        raise click.ClickException(f"{where}{failure.strerror or failure}") from failure


def _drop_output() -> None:
    """Drop what standard output does not take: at its end the process would try again, and tell in its own words."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Listed(click.Group):
    """A group whose help says of each command what it does, whole, and whose commands fail in one line."""

    def invoke(self, context: click.Context) -> Any:
        """Run a command."""
        with in_one_line():
            return super().invoke(context)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands."""
        found = ((name, self.get_command(context, name)) for name in self.list_commands(context))
        rows = [(name, _about(name, command)) for name, command in found if command and not command.hidden]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


class Commands(Listed):
    """A group whose commands speak to the server of --tracking-uri, given before the command or behind it."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        options.setdefault("context_settings", {}).setdefault("help_option_names", HELP_NAMES)
        super().__init__(*arguments, **options)
        self.params.append(tracking_uri_option())

    def add_command(self, command: click.Command, name: str | None = None) -> None:
        """Add a command, which gets the option if it has none of the name."""
        if not any("--tracking-uri" in option.opts for option in command.params):
            command.params.append(tracking_uri_option())
        super().add_command(command, name)


class LazyCommands(Listed):
    """A group whose commands are loaded when they are called, or listed with what they do."""

    def __init__(self, lazy: Mapping[str, Callable[[], click.Command]], **options: Any) -> None:
        super().__init__(**options)
        self._lazy = lazy

    def list_commands(self, context: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted(self._lazy)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Return a command, None if there is none of the name."""
        return self._lazy[name]() if name in self._lazy else None

    def resolve_command(
        self, context: click.Context, words: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that words begin with; for what there is not, name what it may have been."""
        near = [] if words[0] in self._lazy else get_close_matches(words[0], self._lazy, n=1)
        if near and not context.resilient_parsing:
            raise click.UsageError(f"No such command {words[0]!r}. Did you mean {near[0]!r}?", context)
        return super().resolve_command(context, words)


def _about(name: str, command: click.Command) -> str:
    if name != command.name:
        return f"The same as {command.name}, by MLflow's name."
    return command.get_short_help_str(ABOUT_CHARS_MAX)


def tracking_uri_option() -> click.Option:
    """Return the option that names the server for all that is done here."""
    return click.Option(
        ["--tracking-uri"],
        metavar="URI",
        expose_value=False,
        callback=_set_tracking_uri,
        help=TRACKING_URI_HELP,
    )


def _set_tracking_uri(context: click.Context, option: click.Parameter, uri: str | None) -> None:
    if uri is None:
        return
    try:
        settings.set_tracking_uri(uri)
    except StepwellException as failure:
        raise click.UsageError(failure.message, context) from failure
