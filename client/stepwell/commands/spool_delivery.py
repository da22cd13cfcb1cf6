"""Delivering one spool of another process, and what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stepwell.delivery import experiment_tags
from stepwell.delivery.left_log import LeftLog
from stepwell.delivery.shipper import Shipper
from stepwell.files.outbox import deliver_outbox
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

    @property
    def is_delivered(self) -> bool:
        """Whether nothing is left of it to deliver."""
        return not self.waiting

    def __str__(self) -> str:
        state = "delivered" if self.is_delivered else f"{self.waiting} wait"
        counts = f"{self.committed} committed, {self.rejected} rejected, {self.damaged} damaged"
        name = f"{self.run_name} ({self.run_id})" if self.run_id else self.run_name or self.spool
        return "\n".join([f"{name}: {state}; {counts}", *(f"  {problem}" for problem in self.problems)])


async def ship(log: LeftLog, uri: str | None) -> None:
    """Deliver a spool, to the server that it was meant for or to another one; what is left is in its receipt."""
    target = uri or log.writer.tracking_uri
    log.goes_elsewhere = target != log.writer.tracking_uri
    await Shipper(log, connect(target)).run()


def receipt_of(log: LeftLog) -> SpoolReceipt:
    """Return what became of a spool so far."""
    receipt = log.delivery.receipt(log.end_position, log.reader.extra_points, damaged=log.reader.damage.count)
    problems = [f"{rejection.key}: {rejection.reason}" for rejection in receipt.rejections]
    problems += [f"damaged: {damage.count} ({damage.reason})" for damage in log.reader.damage]
    if log.delivery.failure is not None:
        problems.append(log.delivery.failure.message)
    elif receipt.waiting and not log.delivery.is_reachable:
        problems.append("the server cannot be reached")
    return SpoolReceipt(
        str(log.folder),
        log.writer.run_id,
        log.writer.run_name,
        receipt.committed,
        receipt.rejected,
        receipt.waiting if log.delivery.opened else max(receipt.waiting, 1),
        log.reader.damage.count,
        tuple(problems),
    )


def unreadable(folder: Path, reason: str) -> SpoolReceipt:
    """Return the receipt of a spool that cannot be read."""
    return SpoolReceipt(str(folder), "", "", 0, 0, 1, 0, (reason,))


def deliver_experiment_tags(root: Path, uri: str | None) -> Sequence[SpoolReceipt]:
    """Deliver the changes of experiments' tags that wait; one receipt for all of them, if there are any."""
    report = experiment_tags.deliver(root, uri)
    if not (report.delivered or report.waiting or report.refused):
        return []
    counts = report.delivered, len(report.refused), report.waiting
    folder = str(root / experiment_tags.FOLDER)
    return [SpoolReceipt(folder, "", "tags of experiments", *counts, 0, tuple(report.refused))]


def deliver_artifacts(folder: Path, uri: str | None) -> Sequence[SpoolReceipt]:
    """Deliver the artifacts that wait; one receipt for all of them, counted in files, if there are any."""
    report = deliver_outbox(folder, uri)
    if not (report.delivered or report.waiting or report.refused):
        return []
    problems = tuple(f"{path} of run {run_id}: {reason}" for run_id, path, reason in report.refused)
    refused = len(report.refused)
    return [
        SpoolReceipt(str(folder), "", "artifacts", report.delivered, refused, report.waiting, 0, problems)
    ]
