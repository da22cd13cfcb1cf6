"""`stepwell models watch`: what changes in the registry, as it happens."""

import time
from collections.abc import Iterator, Sequence

import click

from stepwell.client import StepwellClient
from stepwell.commands import output
from stepwell.commands.output import as_json, reporting
from stepwell.commands.registry.showing import change_row, plain
from stepwell.entities.model_registry import RegistryChange

PAUSE_S = 1.0
KINDS = (
    "model_created",
    "model_renamed",
    "model_deleted",
    "version_created",
    "version_deleted",
    "stage_changed",
    "alias_set",
    "alias_removed",
    "tag_set",
    "tag_removed",
)
LOOK_MAX = 1_000


@click.command()
@click.argument("name", required=False)
@click.option("--kind", "kinds", multiple=True, type=click.Choice(KINDS), help="Only these; may be repeated.")
@click.option(
    "--after", type=click.IntRange(0), help="From this change on; 0 for all there were.  [default: now]"
)
@click.option("--until-first", is_flag=True, help="End after the first one.")
@click.option("--interval", default=PAUSE_S, show_default=True, help="Seconds between two looks.")
@as_json
@reporting
def watch(
    name: str | None,
    kinds: Sequence[str],
    after: int | None,
    until_first: bool,
    interval: float,
    as_json: bool,
) -> None:
    """Print what changes, of one registered model or of all, until Ctrl-C."""
    for change in _changes(name, after, interval):
        if kinds and change.kind not in kinds:
            continue
        if as_json:
            output.print_json(plain(change))
        else:
            when, who, model, version, what, why = change_row(change)
            number = f" version {version}" if version else ""
            line = f"{when}  {model}{number}: {what}  ({who or 'somebody'}{': ' + why if why else ''})"
            click.echo(output.harmless(line))
        if until_first:
            return


def _changes(name: str | None, after: int | None, pause_s: float) -> Iterator[RegistryChange]:
    """Yield what changes after a change, or from now on, in order, for ever."""
    client = StepwellClient()
    if after is None:
        latest = client.registry_changes(max_results=1)
        after = latest[0].number if latest else 0
    if name is not None:
        client.registry_changes(name, max_results=1)  # which says so if there is no such model
    while True:
        found = client.registry_changes(name, max_results=LOOK_MAX, after=after)
        for change in found:
            after = change.number
            if name is not None and change.kind == "model_renamed":
                name = change.after  # another model may get the old one
            yield change
        if len(found) < LOOK_MAX:
            time.sleep(pause_s)
