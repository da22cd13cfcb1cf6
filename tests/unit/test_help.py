"""What `--help` says, of every command that there is."""

from collections.abc import Iterator
from importlib.metadata import entry_points

import click
from click.testing import CliRunner

from stepwell.cli import COMMANDS_GROUP
from stepwell.commands.groups import ABOUT_CHARS_MAX


def all_commands(command: click.Command, *path: str) -> Iterator[tuple[str, click.Command]]:
    yield " ".join(path), command
    if isinstance(command, click.Group):
        for name, one in command.commands.items():
            yield from all_commands(one, *path, name)


def test_every_command_and_every_option_says_what_it_does() -> None:
    for point in entry_points(group=COMMANDS_GROUP):
        for path, command in all_commands(point.load(), point.name):
            assert not command.get_short_help_str(ABOUT_CHARS_MAX).endswith("..."), path
            assert "\\b" not in CliRunner().invoke(command, ["--help"]).output, path
            for option in command.params:
                assert not isinstance(option, click.Option) or option.hidden or option.help, (
                    path,
                    option.name,
                )
