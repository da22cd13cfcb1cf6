"""All commands of the room, for the group that they belong to."""

from collections.abc import Sequence

import click

from stepwell.commands.registry import changing, showing, watching
from stepwell.commands.registry.webhooks import webhooks

COMMANDS: Sequence[click.Command] = (
    showing.list_,
    showing.show,
    showing.versions,
    showing.history,
    changing.register,
    changing.stage,
    changing.alias,
    changing.describe,
    changing.delete,
    watching.watch,
    webhooks,
)
