"""`stepwell sync`: delivers what waits in spools."""

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
    open_left,
    receipt_of,
    target_of,
    unreadable,
)
from stepwell.commands.spool_watch import SpoolWatch
from stepwell.delivery.left_delivery import deliver_left
from stepwell.delivery.left_log import LeftLog
from stepwell.errors import StepwellException
from stepwell.files.options import OUTBOX_FOLDER
from stepwell.spool import folders, places, safe_files
from stepwell.wire import background
from stepwell.wire.connection import connect

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
    """Deliver what waits in the spools below DIRECTORY.

    The default is STEPWELL_SPOOL_DIR, or ./.stepwell and the folder in the temporary one that replaces it where it
    cannot be written.

    Spools of processes that have ended are deleted when everything in them is delivered; those of living ones are
    only read. Delivering twice stores nothing twice. Each goes to the server that it was logged for, if the settings
    (STEPWELL_TRACKING_URI) name that one; --to says where else. Ends with 1 when something is left or was damaged.
    """
    roots = _roots(directory)

    def tell(receipt: SpoolReceipt) -> None:
        click.echo(json.dumps(asdict(receipt)) if as_json else str(receipt))

    try:
        done = SpoolWatch(roots, uri, tell).run() if watch else _deliver_all(roots, uri, tell, quiet=as_json)
    except StepwellException as error:
        raise click.ClickException(error.message) from error
    finally:
        background.stop()
    if not done:
        sys.exit(1)


def _roots(directory: Path | None) -> list[Path]:
    """The folders of spools; a link is followed if somebody named it, and not if it just lies here."""
    if directory is None and (usual := places.to_read()):
        return usual
    named = directory or settings.spool_dir()
    root = named.resolve() if named is not None else settings.SPOOL_DIR_DEFAULT.absolute()
    try:
        safe_files.check_folder(root)
    except FileNotFoundError:
        raise click.ClickException(
            f"There is no folder {root}. Name the folder that holds the spools."
        ) from None
    except OSError as error:
        raise click.ClickException(f"What waits there is not sent: {error}") from error
    return [root]


def _deliver_all(
    roots: list[Path], uri: str | None, tell: Callable[[SpoolReceipt], None], *, quiet: bool
) -> bool:
    """Deliver what is there, tell what became of it, and return whether all of it arrived."""
    away: set[str] = set()
    found = [folder for root in roots for folder in folders.spools(root)]
    receipts = background.run(lambda: _ship_all(found, uri, away, quiet=quiet)) if found else []
    for root in roots:
        receipts += deliver_experiment_tags(root, uri, away)
        # After the runs: an artifact needs its run.
        receipts += deliver_artifacts(root / OUTBOX_FOLDER, uri, away)
    for receipt in receipts:
        tell(receipt)
    left = [receipt for receipt in receipts if not receipt.is_delivered]
    if not quiet:
        if not receipts:
            click.echo(f"Nothing waits in {' or '.join(map(str, roots))}.")
        if left:
            click.echo(f"Left: {len(left)} of {len(receipts)}; why is said above.")
    return all(receipt.is_whole for receipt in receipts)


async def _ship_all(found: list[Path], uri: str | None, away: set[str], *, quiet: bool) -> list[SpoolReceipt]:
    """Deliver one after another; a server that is away is waited for once, not once for each spool."""
    receipts = []
    for folder in found:
        log = open_left(folder, uri)
        if isinstance(log, LeftLog):
            receipts.append(await _ship_safely(log, uri, away, quiet=quiet))
        elif log is not None:
            receipts.append(log)
    return receipts


async def _ship_safely(log: LeftLog, uri: str | None, away: set[str], *, quiet: bool) -> SpoolReceipt:
    try:
        return await _ship(log, target_of(log, uri), away, quiet=quiet)
    except Exception as error:  # noqa: BLE001 - the others are delivered, and this one is named
        log.abandon()
        return unreadable(log.folder, error.message if isinstance(error, StepwellException) else repr(error))


async def _is_away(target: str, away: set[str]) -> bool:
    """Look for the server first, and say once why it cannot be reached: delivery by itself tries on."""
    if target not in away:
        try:
            await connect(target).reach(AWAY_S)
        except StepwellException as failure:
            if failure.error_code != "TEMPORARILY_UNAVAILABLE":
                raise
            click.echo(failure.message, err=True)
            away.add(target)
    return target in away


async def _ship(log: LeftLog, target: str, away: set[str], *, quiet: bool) -> SpoolReceipt:
    if await _is_away(target, away):
        log.abandon()
        log.delivery.unreachable()
        return receipt_of(log)
    label = f"{log.writer.run_name or log.writer.run_id}"
    hidden = quiet or not sys.stderr.isatty()
    with click.progressbar(
        length=max(log.end_position, 1), label=label, file=sys.stderr, hidden=hidden
    ) as bar:
        await deliver_left(
            log, target, away_s=AWAY_S, look=lambda log: bar.update(max(log.delivery.position - bar.pos, 0))
        )
    receipt = receipt_of(log)
    # A stream that broke when all of it was there says nothing of the server.
    if not receipt.is_delivered and not log.delivery.is_reachable:
        away.add(target)
    return receipt
