"""`stepwell sync`: delivers what waits in spools."""

import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import click

from stepwell import settings
from stepwell.commands.spool_delivery import (
    SpoolReceipt,
    deliver_artifacts,
    deliver_experiment_tags,
    receipt_of,
    ship,
    unreadable,
)
from stepwell.commands.spool_watch import SpoolWatch
from stepwell.delivery.left_log import LeftLog
from stepwell.errors import StepwellException
from stepwell.files.options import OUTBOX_FOLDER
from stepwell.spool import folders
from stepwell.wire import background

PROGRESS_S = 0.2  # how often the progress is drawn
# How long a server may stay away before a sync that does not watch gives up.
AWAY_S = 5.0


@click.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path), required=False)
@click.option("--watch", is_flag=True, help="Go on: follow living runs and new spools until Ctrl-C.")
@click.option(
    "--to", "uri", metavar="URI", help="Deliver to this server instead of the one each run was meant for."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each spool.")
def sync(directory: Path | None, watch: bool, uri: str | None, as_json: bool) -> None:
    """Deliver what waits in the spools below DIRECTORY (default: STEPWELL_SPOOL_DIR or ./.stepwell).

    Spools of processes that have ended are deleted when everything in them is delivered; those of living ones are
    only read. Delivering twice stores nothing twice. Ends with 1 when something is left.
    """
    root = (directory or settings.spool_dir() or settings.SPOOL_DIR_DEFAULT).resolve()
    if not root.is_dir():
        raise click.ClickException(f"There is no folder {root}. Name the folder that holds the spools.")

    def tell(receipt: SpoolReceipt) -> None:
        click.echo(json.dumps(asdict(receipt)) if as_json else str(receipt))

    try:
        done = SpoolWatch(root, uri, tell).run() if watch else _deliver_all(root, uri, tell, quiet=as_json)
    except StepwellException as error:
        raise click.ClickException(error.message) from error
    finally:
        background.stop()
    if not done:
        sys.exit(1)


def _deliver_all(root: Path, uri: str | None, tell: Callable[[SpoolReceipt], None], *, quiet: bool) -> bool:
    """Deliver what is there, tell what became of it, and return whether nothing is left."""
    receipts = []
    logs = []
    for folder in folders.spools(root):
        try:
            logs.append(LeftLog(folder))
        except StepwellException as error:
            if folders.is_spool(folder):  # else somebody else has delivered it meanwhile
                receipts.append(unreadable(folder, error.message))
    receipts += background.run(lambda: _ship_all(logs, uri, quiet=quiet)) if logs else []
    receipts += deliver_experiment_tags(root, uri)
    # After the runs: an artifact needs its run.
    receipts += deliver_artifacts(root / OUTBOX_FOLDER, uri)
    for receipt in receipts:
        tell(receipt)
    if not receipts and not quiet:
        click.echo(f"Nothing waits in {root}.")
    return all(receipt.is_delivered for receipt in receipts)


async def _ship_all(logs: list[LeftLog], uri: str | None, *, quiet: bool) -> list[SpoolReceipt]:
    """Deliver one after another; a server that is away is waited for once, not once for each spool."""
    away: set[str] = set()
    return [await _ship(log, uri, away, quiet=quiet) for log in logs]


async def _ship(log: LeftLog, uri: str | None, away: set[str], *, quiet: bool) -> SpoolReceipt:
    target = uri or log.writer.tracking_uri
    if target in away:
        log.abandon()
        log.delivery.unreachable()
        return receipt_of(log)
    shipping = asyncio.create_task(ship(log, uri))
    label = f"{log.writer.run_name or log.writer.run_id}"
    hidden = quiet or not sys.stderr.isatty()
    with click.progressbar(
        length=max(log.end_position, 1), label=label, file=sys.stderr, hidden=hidden
    ) as bar:
        while not shipping.done() and not log.delivery.is_unreachable_for(AWAY_S):
            await asyncio.wait({shipping}, timeout=PROGRESS_S)
            bar.update(max(log.delivery.position - bar.pos, 0))
    if not shipping.done():
        shipping.cancel()
        await asyncio.wait({shipping})
        away.add(target)
        log.abandon()
    return receipt_of(log)
