"""The command `stepwell`. Its commands come from the entry points of the group `stepwell.commands`."""

import io
import os
import sys
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from stepwell import __version__, settings
from stepwell.delivery import away
from stepwell.extras import install_hint

if TYPE_CHECKING:
    import click

COMMANDS_GROUP = "stepwell.commands"
# What people type who come from MLflow, and what to do instead.
ELSEWHERE = {
    "db": "the server brings its database up to date by itself when it starts",
    "doctor": "`stepwell --version` shows the version; `stepwell sync` shows what waits here",
    "deployments": "Stepwell deploys nothing",
    "gateway": "Stepwell has no gateway to language models",
    "recipes": "Stepwell has no recipes",
}


def main() -> None:
    """Run the command line."""
    _mend_streams()
    # Who types a command wants an answer, also where jobs are told to log without asking the server.
    settings.leave_offline_mode()
    away.is_command()
    try:
        import click
    except ModuleNotFoundError:
        sys.exit(
            f"The command line needs more than the client: {install_hint('cli')} (or [server] for the server)."
        )
    from stepwell.commands.groups import LazyCommands, tracking_uri_option

    there = {command.name: partial(_loaded, command) for command in entry_points(group=COMMANDS_GROUP)}
    elsewhere = {name: partial(_elsewhere, name, instead) for name, instead in ELSEWHERE.items()}
    group = LazyCommands(
        {**elsewhere, **there},
        name="stepwell",
        help="Stepwell, an experiment tracker whose log calls never wait.",
        context_settings={"help_option_names": ["-h", "--help"]},
        params=[tracking_uri_option()],
    )
    click.version_option(__version__, prog_name="stepwell")(group)()


def _mend_streams() -> None:
    """Have standard input, also where it was closed, and write names that the output's encoding lacks, written out."""
    if sys.stdin is None:
        sys.stdin = open(os.devnull)  # noqa: SIM115, PTH123 - until the process ends
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _loaded(command: "EntryPoint") -> "click.Command":
    try:
        loaded: click.Command = command.load()
    except ModuleNotFoundError as missing:
        return _unavailable(command.name, missing.name or "a module")
    return loaded


def _unavailable(name: str, module: str) -> "click.Command":
    """Return a stand-in for a command whose part of Stepwell is not installed."""
    hint = install_hint("server")
    return _stand_in(name, f"'{name}' needs {module}, which is missing: {hint}.", f"Not installed: {hint}.")


def _elsewhere(name: str, instead: str) -> "click.Command":
    """Return a stand-in, not listed, for a command that only MLflow has."""
    command = _stand_in(name, f"There is no command '{name}': {instead}.", instead)
    command.hidden = True
    return command


def _stand_in(name: str, message: str, help_text: str) -> "click.Command":
    import click

    def explain(arguments: tuple[str, ...]) -> None:
        raise click.ClickException(message)

    return click.Command(
        name,
        callback=explain,
        params=[click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED)],
        help=help_text,
        context_settings={"ignore_unknown_options": True},
    )
