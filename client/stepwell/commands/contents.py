"""The commands `stepwell artifacts verify` and `move`: what the server does with the content that it has stored."""

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from stepwell import StepwellClient
from stepwell.commands import finding
from stepwell.commands.output import as_json, harmless, print_json
from stepwell.errors import StepwellException

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from click._termui_impl import ProgressBar

    from stepwell_api.v1.artifacts_pb2 import BrokenContent
    from stepwell_api.v1.places_pb2 import MoveArtifactsResponse, UnmovedContent

# The word for the place that the server was started with.
DEFAULT_PLACE = "default"
# The server's name for a folder in its data, and what that is for people.
OWN_PLACE, OWN_PLACE_WORDS = "data:artifacts", "the folder artifacts in the server's data"


@click.command()
@finding.optional_run_id
@click.option(
    "--all", "everything", is_flag=True, help="All that there is, in every place; as without a run."
)
@click.option(
    "--repair",
    is_flag=True,
    help="Note what is wrong: the next equal bytes that somebody logs take its place, for all artifacts that show it.",
)
@as_json
def verify(run_id: str | None, everything: bool, repair: bool, as_json: bool) -> None:
    """Read what the server has stored again, and name what is missing or damaged; ends with 1 when something is.

    With the id of a run, only what that one shows.
    """
    from stepwell.files.calls import ArtifactCalls

    if run_id and everything:
        raise click.UsageError("Give either the id of a run or --all.")
    client = StepwellClient()
    count, size = 0, 0
    broken: list[BrokenContent] = []
    with _bar("Verifying", as_json) as bar:
        for progress in ArtifactCalls(client.tracking_uri).verify(run_id or "", repair=repair):
            count, size = progress.checked_count, progress.checked_bytes
            broken += progress.broken
            _advance(bar, size, progress.total_bytes)
    if as_json:
        places = [{"place": it.place, "checked": it.count, "bytes": it.bytes} for it in progress.places]
        print_json(
            {"checked": count, "bytes": size, "places": places, "broken": [_broken(it) for it in broken]}
        )
    else:
        for it in broken:
            click.echo(harmless(_broken_lines(it)))
        if len(progress.places) > 1:
            for place in progress.places:
                click.echo(f"{place.place}: {place.count:,} contents, {place.bytes:,} bytes")
        click.echo(f"{count:,} contents, {size:,} bytes: {len(broken) or 'none'} missing or damaged.")
    if broken:
        sys.exit(1)


def _broken(content: "BrokenContent") -> dict[str, Any]:
    return {
        "problem": content.problem,
        "place": content.place,
        "sha256": content.sha256.hex(),
        "size_bytes": content.size_bytes,
        "artifact_count": content.artifact_count,
        "artifacts": [{"run_id": it.run_id, "path": it.path} for it in content.artifacts],
    }


def _broken_lines(content: "BrokenContent") -> str:
    more = content.artifact_count - len(content.artifacts)
    lines = [
        f"{content.place}: {content.problem} ({content.size_bytes:,} bytes, SHA-256 {content.sha256.hex()})"
    ]
    lines += [f"  {it.run_id}  {it.path}" for it in content.artifacts]
    return "\n".join([*lines, f"  and {more:,} more"] if more else lines)


@click.command()
@click.option(
    "--experiment", "-e", required=True, metavar="NAME|ID", help="The experiment, by its name or id."
)
@click.option(
    "--to",
    "place",
    required=True,
    metavar="PLACE",
    help="A place that the server allows, such as s3://BUCKET/PREFIX or file:///FOLDER; 'default' is its own.",
)
@click.option("--dry-run", is_flag=True, help="Only say how much there is to move.")
@as_json
def move(experiment: str, place: str, dry_run: bool, as_json: bool) -> None:
    """Move the artifacts of an experiment to another place, where new ones go from now on.

    Each file is copied, its SHA-256 checked, and shown from there, before the old bytes go. Whatever cuts a
    move: run the command again, and it goes on. Ends with 1 when something had to stay, or is on its way to the old
    place still.
    """
    from stepwell.files.calls import ArtifactCalls

    client = StepwellClient()
    found = finding.experiment_called(experiment, client)
    destination = "" if place == DEFAULT_PLACE else place
    left: list[UnmovedContent] = []
    with _bar("Moving", as_json or dry_run) as bar, _going_on():
        for progress in ArtifactCalls(client.tracking_uri).move(
            found.experiment_id, destination, dry_run=dry_run
        ):
            left += progress.left
            _advance(bar, progress.moved_bytes, progress.total_bytes)
    if as_json:
        print_json(
            {
                "experiment_id": found.experiment_id,
                "place": progress.place,
                "files": progress.total_count,
                "bytes": progress.total_bytes,
                "moved": progress.moved_count,
                "left": [_unmoved(it) for it in left],
                "open_uploads": progress.open_uploads,
            }
        )
    else:
        _print_move(progress, left, dry_run)
    if (left or progress.open_uploads) and not dry_run:
        sys.exit(1)


@contextmanager
def _going_on() -> "Iterator[None]":
    """Say of what cuts a move that it goes on."""
    try:
        yield
    except StepwellException as failure:
        if failure.error_code != "TEMPORARILY_UNAVAILABLE":
            raise
        message = f"{failure.message} What was moved stays there; run the command again, and it goes on."
        raise StepwellException(message, failure.error_code) from failure


def _print_move(progress: "MoveArtifactsResponse", left: "Sequence[UnmovedContent]", dry_run: bool) -> None:
    for it in left:
        click.echo(harmless(f"{it.owner_id}  {it.path}: {it.problem} ({it.place})"))
    size = f"{progress.total_count:,} files, {progress.total_bytes:,} bytes"
    place = OWN_PLACE_WORDS if progress.place == OWN_PLACE else progress.place
    if dry_run:
        click.echo(f"{size} would be moved to {place}.")
        return
    stayed = f"; {len(left):,} stay where they are" if left else ""
    click.echo(f"{progress.moved_count:,} of {size} moved to {place}{stayed}.")
    if progress.open_uploads:
        click.echo(
            f"{progress.open_uploads:,} uploads began before and go to the old place still; move again when they ended."
        )


def _unmoved(content: "UnmovedContent") -> dict[str, Any]:
    return {
        "problem": content.problem,
        "place": content.place,
        "owner_id": content.owner_id,
        "path": content.path,
    }


def _bar(label: str, hidden: bool) -> "ProgressBar[int]":
    return click.progressbar(
        length=1, label=label, file=sys.stderr, hidden=hidden or not sys.stderr.isatty(), show_eta=True
    )


def _advance(bar: "ProgressBar[int]", done: int, total: int) -> None:
    bar.length = max(total, 1)
    bar.update(min(done, total) - bar.pos)
