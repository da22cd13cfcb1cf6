"""What `--help` says, of every command that there is."""

from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points

import click
import pytest
from click.testing import CliRunner

from stepwell.cli import COMMANDS_GROUP
from stepwell.commands.groups import ABOUT_CHARS_MAX


def all_commands(command: click.Command, *words: str) -> Iterator[tuple[list[str], click.Command]]:
    yield list(words), command
    if isinstance(command, click.Group):
        for name, one in command.commands.items():
            yield from all_commands(one, *words, name)


@pytest.mark.parametrize("point", entry_points(group=COMMANDS_GROUP), ids=lambda point: point.name)
def test_every_command_and_every_option_says_what_it_does(point: EntryPoint) -> None:
    whole = point.load()
    for words, command in all_commands(whole):
        assert not command.get_short_help_str(ABOUT_CHARS_MAX).endswith("..."), words
        assert "\\b" not in CliRunner().invoke(whole, [*words, "--help"]).output, words
        for option in command.params:
            assert not isinstance(option, click.Option) or option.hidden or option.help, (words, option.name)
