"""The command `stepwell gc`."""

import json
import re
from pathlib import Path
from uuid import UUID

import click

from stepwell_server.commands.options import database_options, json_option, run
from stepwell_server.maintenance import collect_garbage, maintained_database
from stepwell_server.store.upkeep.garbage import Selection

_AGE = re.compile(
    r"(?:(?P<days>\d+(?:\.\d+)?)d)?(?:(?P<hours>\d+(?:\.\d+)?)h)?"
    r"(?:(?P<minutes>\d+(?:\.\d+)?)m)?(?:(?P<seconds>\d+(?:\.\d+)?)s)?"
)
_SECONDS = {"days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}


def parse_age(text: str) -> float:
    """Return the seconds of an age like 1d2h3m4s; each part may be left out, but not all of them."""
    found = _AGE.fullmatch(text)
    if not text or found is None:
        raise click.BadParameter(
            f"{text!r} is not an age; use days, hours, minutes and seconds like 1d2h3m4s"
        )
    return sum(float(found[name] or 0) * seconds for name, seconds in _SECONDS.items())


def parse_run_ids(text: str) -> list[UUID]:
    """Return run ids that are separated by commas."""
    try:
        return [UUID(part.strip()) for part in text.split(",")]
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is no list of run ids; use 32 hexadecimal digits each, separated by commas"
        ) from None


def parse_experiment_ids(text: str) -> list[int]:
    """Return experiment ids that are separated by commas."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is no list of experiment ids; use numbers, separated by commas"
        ) from None


@click.command()
@click.option("--older-than", metavar="AGE", help="Only what was deleted so long ago, like 30d or 1d2h3m4s.")
@click.option(
    "--run-ids", metavar="IDS", help="Only these runs, separated by commas; they have to be deleted."
)
@click.option(
    "--experiment-ids", metavar="IDS", help="Only these experiments with their runs; they have to be deleted."
)
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@json_option
@database_options
def gc(
    older_than: str | None,
    run_ids: str | None,
    experiment_ids: str | None,
    dry_run: bool,
    as_json: bool,
    store: str | None,
    data: Path,
) -> None:
    """Remove deleted runs, models and experiments for good, with their points and artifacts.

    It works in short steps beside a server that runs, can be stopped at any time, and goes on where it was. What
    versions of registered models need stays as long as these are there.
    """
    selection = Selection(
        parse_age(older_than) if older_than else 0.0,
        parse_run_ids(run_ids) if run_ids else None,
        parse_experiment_ids(experiment_ids) if experiment_ids else None,
    )

    async def work() -> dict[str, object]:
        async with maintained_database(store, data) as pool:
            return await collect_garbage(
                pool, selection, dry_run, lambda text: click.echo(text, err=True), None if store else data
            )

    done = run(work())
    verb = "would remove" if dry_run else "removed"
    runs = f"{done['runs']} runs with {done['points']:,} points and {done['artifacts']:,} artifacts"
    text = f"{verb} {runs}, {done['models']} models, and {done['experiments']} experiments"
    if done["files_waiting"]:
        text += f"; the bytes of {done['files_waiting']:,} files wait for a server to remove them"
    click.echo(json.dumps(done) if as_json else text)
    for word in () if as_json else ("kept", "left"):
        for reason in done[word]:
            click.echo(f"{word}: {reason}", err=True)
    if done["left"]:
        raise SystemExit(1)
