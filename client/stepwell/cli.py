"""The command `stepwell`. Its commands come from the entry points of the group `stepwell.commands`."""

import sys
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from stepwell import __version__

if TYPE_CHECKING:
    import click

COMMANDS_GROUP = "stepwell.commands"


def main() -> None:
    """Run the command line."""
    try:
        import click
    except ModuleNotFoundError:
        sys.exit(
            "The command line needs more than the client: pip install 'stepwell[server]' (or 'stepwell[cli]')."
        )
    group = click.Group("stepwell", help="Stepwell, an experiment tracker whose log calls never wait.")
    for command in entry_points(group=COMMANDS_GROUP):
        try:
            group.add_command(command.load(), command.name)
        except ModuleNotFoundError as missing:
            group.add_command(_unavailable(command.name, missing.name or "a module"))
    click.version_option(__version__, prog_name="stepwell")(group)()


def _unavailable(name: str, module: str) -> "click.Command":
    """Return a stand-in for a command whose part of Stepwell is not installed."""
    import click

    def explain(arguments: tuple[str, ...]) -> None:
        raise click.ClickException(
            f"'{name}' needs {module}, which is missing: pip install 'stepwell[server]'."
        )

    anything = click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED)
    return click.Command(
        name,
        callback=explain,
        params=[anything],
        help="Not installed: pip install 'stepwell[server]'.",
        context_settings={"ignore_unknown_options": True},
    )
