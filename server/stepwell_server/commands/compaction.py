"""The commands `stepwell compaction status | pause | resume | run`."""

import json
from pathlib import Path
from typing import Any

import click

from stepwell_server.commands.options import database_options, json_option, run
from stepwell_server.maintenance import (
    compact_everything,
    compaction_status,
    maintained_database,
    pause_compaction,
)


@click.group()
def compaction() -> None:
    """Look after the background merges of small chunks. docs/operations.md says what they are."""


@compaction.command()
@database_options
@json_option
def status(store: str | None, data: Path, as_json: bool) -> None:
    """Say whether it is paused, and what its last round left to merge."""

    async def work() -> None:
        async with maintained_database(store, data) as pool:
            state = await compaction_status(pool)
        if as_json:
            click.echo(json.dumps(state))
            return
        click.echo(f"paused: {'yes' if state['paused'] else 'no'}")
        click.echo(f"small chunks left by the last round: {state['fresh_chunks']}")
        click.echo(f"seconds since the last round: {state['round_age_s']:.0f}")

    run(work())


@compaction.command()
@database_options
def pause(store: str | None, data: Path) -> None:
    """Start no more merges; what is logged is stored as ever."""
    _switch(store, data, paused=True)


@compaction.command()
@database_options
def resume(store: str | None, data: Path) -> None:
    """Let the servers merge again."""
    _switch(store, data, paused=False)


def _switch(store: str | None, data: Path, *, paused: bool) -> None:
    async def work() -> None:
        async with maintained_database(store, data) as pool:
            await pause_compaction(pool, paused)

    run(work())
    click.echo("compaction is paused" if paused else "compaction goes on")


@compaction.command(name="run")
@database_options
@json_option
def run_now(store: str | None, data: Path, as_json: bool) -> None:
    """Merge all small chunks now, also while compaction is paused."""

    async def work() -> dict[str, Any]:
        async with maintained_database(store, data) as pool:
            return await compact_everything(pool)

    done = run(work())
    text = f"merged {done['merged_chunks']} chunks with {done['merged_points']} points"
    click.echo(json.dumps(done) if as_json else text)
