"""Delivering one spool of another process, and what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stepwell import settings
from stepwell.delivery import experiment_tags
from stepwell.delivery.addressee import for_another, is_told
from stepwell.delivery.left_log import LeftLog
from stepwell.delivery.shipper import Shipper
from stepwell.errors import StepwellException
from stepwell.files.outgoing.outbox import deliver_outbox
from stepwell.spool import folders
from stepwell.spool.writer_file import read_writer
from stepwell.wire.connection import connect


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
    # Of what is damaged, what was certainly logged: the rest may be calls that never returned.
    lost: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether all of it arrived, or was refused by the server: nothing is left, nothing could not be read."""
        return self.is_delivered and not self.lost

    @property
    def is_delivered(self) -> bool:
        """Whether nothing is left of it to deliver."""
        return not self.waiting

    def __str__(self) -> str:
        state = "delivered" if self.is_delivered else f"{self.waiting} wait"
        counts = f"{self.committed} committed, {self.rejected} rejected, {self.damaged} damaged"
        name = f"{self.run_name} ({self.run_id})" if self.run_id else self.run_name or self.spool
        return "\n".join([f"{name}: {state}; {counts}", *(f"  {problem}" for problem in self.problems)])


def open_left(folder: Path, uri: str | None, *, follow: bool = False) -> LeftLog | SpoolReceipt | None:
    """Open a spool to deliver it to `uri`, or to the server that it was meant for, if the settings name that one.

    Returns:
        The spool; or a receipt that says why it is left; or None if somebody else has delivered it meanwhile.
    """
    try:
        writer = read_writer(folder)
        if uri is None and not is_told(writer.tracking_uri):
            reason = for_another(f"What waits in {folder}", writer.tracking_uri)
            return SpoolReceipt(str(folder), writer.run_id, writer.run_name, 0, 0, 1, 0, (reason,))
        return LeftLog(folder, follow=follow)
    except Exception as error:  # noqa: BLE001 - the others are delivered, and this one is named
        if not folders.is_spool(folder):
            return None
        return unreadable(folder, error.message if isinstance(error, StepwellException) else repr(error))


def target_of(log: LeftLog, uri: str | None) -> str:
    """Where a spool goes."""
    return uri or log.writer.tracking_uri


async def follow(log: LeftLog, target: str) -> None:
    """Deliver a spool for as long as its writer lives, or the server is away."""
    log.goes_elsewhere = not settings.is_same_server(target, log.writer.tracking_uri)
    try:
        await Shipper(log, connect(target)).run()
    except StepwellException as failure:  # the address cannot be
        log.failed(failure)


def receipt_of(log: LeftLog) -> SpoolReceipt:
    """Return what became of a spool so far."""
    receipt = log.delivery.receipt(log.end_position, log.reader.extra_points, damaged=log.reader.damage.count)
    problems = [f"{rejection.key}: {rejection.reason}" for rejection in receipt.rejections]
    problems += [f"damaged: {damage.count} ({damage.reason})" for damage in log.reader.damage]
    if log.delivery.failure is not None:
        problems.append(log.delivery.failure.message)
    elif receipt.waiting and not log.delivery.is_reachable:
        problems.append("the server cannot be reached; --to URI delivers to another one")
    return SpoolReceipt(
        str(log.folder),
        log.writer.run_id,
        log.writer.run_name,
        receipt.committed,
        receipt.rejected,
        receipt.waiting if log.delivery.opened else max(receipt.waiting, 1),
        log.reader.damage.count,
        tuple(problems),
        log.reader.damage.lost,
    )


def unreadable(folder: Path, reason: str) -> SpoolReceipt:
    """Return the receipt of a spool that cannot be read."""
    return SpoolReceipt(str(folder), "", "", 0, 0, 1, 0, (reason,))


def deliver_experiment_tags(root: Path, uri: str | None, away: set[str]) -> Sequence[SpoolReceipt]:
    """Deliver the changes of experiments' tags that wait; one receipt for all of them, if there are any.

    Servers of `away` are not tried; those that are found to be away are added.
    """
    report = experiment_tags.deliver(root, uri, away)
    if not (report.delivered or report.waiting or report.refused or report.left):
        return []
    counts = report.delivered, len(report.refused), report.waiting + len(report.left)
    folder = str(root / experiment_tags.FOLDER)
    return [SpoolReceipt(folder, "", "tags of experiments", *counts, 0, (*report.refused, *report.left))]


def deliver_artifacts(folder: Path, uri: str | None, away: set[str]) -> Sequence[SpoolReceipt]:
    """Deliver the artifacts that wait; one receipt for all of them, counted in files, if there are any.

    Servers of `away` are not tried; those that are found to be away are added.
    """
    report = deliver_outbox(folder, uri, away)
    if not (report.delivered or report.waiting or report.refused or report.left):
        return []
    problems = [f"{path} of run {run_id}: {reason}" for run_id, path, reason in report.refused]
    waiting, refused = report.waiting + len(report.left), len(report.refused)
    return [
        SpoolReceipt(
            str(folder), "", "artifacts", report.delivered, refused, waiting, 0, (*problems, *report.left)
        )
    ]
