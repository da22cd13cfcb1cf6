"""The commands `stepwell database status | distribute`."""

import json
from pathlib import Path
from typing import Any

import click

from stepwell_server.commands.options import database_options, json_option, run
from stepwell_server.maintenance import (
    database_status,
    distribute_database,
    maintained_database,
    planned_distribution,
)
from stepwell_server.store.postgres.distribution import SHARDS_DEFAULT
from stepwell_server.store.postgres.placing import Step


@click.group()
def database() -> None:
    """Look at the database, and spread it over several machines. docs/scaling.md says how far that is."""


@database.command()
@database_options
@json_option
def status(store: str | None, data: Path, as_json: bool) -> None:
    """Say where the tables are."""

    async def work() -> dict[str, Any]:
        async with maintained_database(store, data) as pool:
            return await database_status(pool)

    state = run(work())
    if as_json:
        click.echo(json.dumps(state))
        return
    click.echo(f"Citus: {state['citus'] or 'none, all tables are on one machine'}")
    click.echo(f"machines: {state['machines']}")
    for place, tables in state["tables"].items():
        click.echo(f"tables {place}: {len(tables)}{': ' + ', '.join(tables) if state['citus'] else ''}")
    if state["foreign_keys_to_add"]:
        click.echo(f"foreign keys to be added again: {', '.join(state['foreign_keys_to_add'])}")
    if state["steps_left"]:
        click.echo(f"steps left: {state['steps_left']}; `stepwell database distribute` does them")


@database.command()
@database_options
@click.option(
    "--shards",
    type=click.IntRange(1, 64_000),
    default=SHARDS_DEFAULT,
    show_default=True,
    help="Into how many parts the runs go; it cannot be changed without copying everything again.",
)
@click.option("--dry-run", is_flag=True, help="Only print the statements that are left, in order.")
@json_option
def distribute(store: str | None, data: Path, shards: int, dry_run: bool, as_json: bool) -> None:
    """Spread the tables over the machines of Citus by their runs. Stop the servers first; it goes on where it was."""

    def tell(text: str) -> None:
        click.echo(text, err=True)

    async def work() -> list[Step]:
        async with maintained_database(store, data) as pool:
            if dry_run:
                return await planned_distribution(pool, shards)
            return await distribute_database(pool, shards, tell)

    steps = run(work())
    if as_json:
        done = [{"what": step.what, "sql": step.sql} for step in steps]
        click.echo(json.dumps({"dry_run": dry_run, "steps": done}))
    elif dry_run:
        for step in steps:
            click.echo(f"-- {step.what}\n{step.sql};")
    else:
        click.echo(f"{len(steps)} steps done" if steps else "everything is in its place already")
