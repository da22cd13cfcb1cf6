"""`stepwell sync`: delivers what waits in spools."""

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from stepwell import background, settings, spool_folder
from stepwell.artifact_settings import OUTBOX_FOLDER
from stepwell.connection import connect
from stepwell.errors import StepwellException
from stepwell.left_log import LeftLog
from stepwell.outbox import deliver_outbox
from stepwell.shipper import Shipper

PROGRESS_S = 0.2  # how often the progress is drawn
WATCH_S = 2.0  # how often new spools are looked for
# How long a server may stay away before a sync that does not watch gives up.
AWAY_S = 5.0


@dataclass(frozen=True, slots=True)
class SpoolReceipt:
    """What became of one spool."""

    spool: str
    run_id: str
    run_name: str
    committed: int
    rejected: int
    waiting: int
    damaged: int
    problems: tuple[str, ...]

    @property
    def is_delivered(self) -> bool:
        """Whether nothing is left of it to deliver."""
        return not self.waiting


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
    try:
        receipts = _watch(root, uri, as_json) if watch else _deliver_all(root, uri, as_json, follow=False)
    except StepwellException as error:
        raise click.ClickException(error.message) from error
    finally:
        background.stop()
    if not receipts and not as_json:
        click.echo(f"Nothing waits in {root}.")
    if not all(receipt.is_delivered for receipt in receipts):
        sys.exit(1)


def _watch(root: Path, uri: str | None, as_json: bool) -> list[SpoolReceipt]:
    receipts: list[SpoolReceipt] = []
    try:
        while True:
            receipts += _deliver_all(root, uri, as_json, follow=True)
            time.sleep(WATCH_S)
    except KeyboardInterrupt:
        return receipts


def _deliver_all(root: Path, uri: str | None, as_json: bool, *, follow: bool) -> list[SpoolReceipt]:
    receipts = []
    logs = []
    for folder in spool_folder.spools(root):
        try:
            logs.append(LeftLog(folder, follow=follow))
        except StepwellException as error:
            if not spool_folder.is_spool(folder):  # somebody else has delivered it meanwhile
                continue
            receipts.append(SpoolReceipt(str(folder), "", "", 0, 0, 1, 0, (error.message,)))
    receipts += background.run(lambda: _ship_all(logs, uri, quiet=as_json)) if logs else []
    # After the runs: an artifact needs its run.
    receipts += _deliver_artifacts(root / OUTBOX_FOLDER, uri)
    for receipt in receipts:
        click.echo(json.dumps(asdict(receipt)) if as_json else _shown(receipt))
    return receipts


def _deliver_artifacts(folder: Path, uri: str | None) -> list[SpoolReceipt]:
    """Deliver the artifacts that wait; one receipt for all of them, counted in files, if there are any."""
    report = deliver_outbox(folder, uri)
    if not (report.delivered or report.waiting or report.refused):
        return []
    problems = tuple(f"{path} of run {run_id}: {reason}" for run_id, path, reason in report.refused)
    refused = len(report.refused)
    return [
        SpoolReceipt(str(folder), "", "artifacts", report.delivered, refused, report.waiting, 0, problems)
    ]


async def _ship_all(logs: list[LeftLog], uri: str | None, *, quiet: bool) -> list[SpoolReceipt]:
    """Deliver side by side where living writers are followed, else one after another.

    A server that is away is waited for once, not once for each spool.
    """
    follow, away = any(log.follows for log in logs), set[str]()
    jobs = [_ship(log, uri, away, quiet=quiet or follow) for log in logs]
    if follow:
        return list(await asyncio.gather(*jobs))
    return [await job for job in jobs]


async def _ship(log: LeftLog, uri: str | None, away: set[str], *, quiet: bool) -> SpoolReceipt:
    target = uri or log.writer.tracking_uri
    if target in away:
        log.abandon()
        return _receipt(log)
    log.goes_elsewhere = target != log.writer.tracking_uri
    shipping = asyncio.create_task(Shipper(log, connect(target)).run())
    label = f"{log.writer.run_name or log.writer.run_id}"
    hidden = quiet or not sys.stderr.isatty()
    with click.progressbar(
        length=max(log.end_position, 1), label=label, file=sys.stderr, hidden=hidden
    ) as bar:
        while not shipping.done() and (log.follows or not log.delivery.is_unreachable_for(AWAY_S)):
            await asyncio.wait({shipping}, timeout=PROGRESS_S)
            bar.update(max(log.delivery.position - bar.pos, 0))
    if not shipping.done():
        shipping.cancel()
        await asyncio.wait({shipping})
        away.add(target)
        log.abandon()
    return _receipt(log)


def _receipt(log: LeftLog) -> SpoolReceipt:
    receipt = log.delivery.receipt(log.end_position, log.reader.extra_points)
    problems = [f"{rejection.key}: {rejection.reason}" for rejection in receipt.rejections]
    problems += [f"damaged: {damage.count} ({damage.reason})" for damage in log.reader.damage]
    if log.delivery.failure is not None:
        problems.append(log.delivery.failure.message)
    elif receipt.waiting:
        problems.append("the server cannot be reached")
    return SpoolReceipt(
        str(log.folder),
        log.writer.run_id,
        log.writer.run_name,
        receipt.committed,
        receipt.rejected,
        receipt.waiting if log.delivery.opened else max(receipt.waiting, 1),
        sum(damage.count for damage in log.reader.damage),
        tuple(problems),
    )


def _shown(receipt: SpoolReceipt) -> str:
    state = "delivered" if receipt.is_delivered else f"{receipt.waiting} wait"
    counts = f"{receipt.committed} committed, {receipt.rejected} rejected, {receipt.damaged} damaged"
    name = f"{receipt.run_name} ({receipt.run_id})" if receipt.run_id else receipt.run_name or receipt.spool
    return "\n".join([f"{name}: {state}; {counts}", *(f"  {problem}" for problem in receipt.problems)])
