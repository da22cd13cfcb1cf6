"""`stepwell sync --watch`: follows the spools below a folder, living jobs' and new ones, until Ctrl-C."""

import asyncio
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from stepwell.commands.spool_delivery import (
    SpoolReceipt,
    deliver_artifacts,
    deliver_experiment_tags,
    follow,
    open_left,
    receipt_of,
    target_of,
)
from stepwell.delivery.left_log import LeftLog
from stepwell.files.options import OUTBOX_FOLDER
from stepwell.spool import folders
from stepwell.wire import background

LOOK_S = 2.0  # how often new spools are looked for, and the progress is drawn


class SpoolWatch:
    """Each spool is delivered by a task of its own, for as long as its writer lives or the server is away."""

    def __init__(self, roots: Sequence[Path], uri: str | None, tell: Callable[[SpoolReceipt], None]) -> None:
        """`tell` is called with each receipt as soon as a spool is delivered, or cannot be."""
        self._roots = roots
        self._uri = uri
        self._tell = tell
        self._logs: dict[Path, LeftLog] = {}
        self._tasks: dict[Path, asyncio.Task[None]] = {}
        # Spools that will not be delivered, which was told; they are left alone.
        self._given_up: set[Path] = set()
        self._committed = 0
        self._damaged = False
        self._artifacts: Sequence[SpoolReceipt] = []

    def run(self) -> bool:
        """Go on until Ctrl-C; tells then what was under way, and returns whether all arrived and nothing is left."""
        try:
            background.run(self._follow)
        except KeyboardInterrupt:
            self._draw("")
        self._tell_finished()
        receipts = [receipt_of(log) for log in self._logs.values()]
        under_way = [receipt for receipt in receipts if not receipt.is_delivered]
        for receipt in under_way:
            self._tell(receipt)
        # Somebody else may have delivered, or removed, what was given up here.
        given_up = any(map(folders.is_spool, self._given_up))
        return not (under_way or given_up or self._damaged) and all(
            each.is_delivered for each in self._artifacts
        )

    async def _follow(self) -> None:
        while True:
            self._tell_finished()
            self._begin_new()
            # After the runs: an artifact needs its run.
            await self._deliver_artifacts()
            self._draw(self._progress())
            await asyncio.sleep(LOOK_S)

    def _begin_new(self) -> None:
        for folder in (folder for root in self._roots for folder in folders.spools(root)):
            if folder in self._logs or folder in self._given_up:
                continue
            log = open_left(folder, self._uri, follow=True)
            if isinstance(log, LeftLog):
                self._logs[folder] = log
                self._tasks[folder] = asyncio.create_task(follow(log, target_of(log, self._uri)))
            elif log is not None:
                self._given_up.add(folder)
                self._tell_one(log)

    def _tell_finished(self) -> None:
        for folder in [folder for folder, task in self._tasks.items() if task.done()]:
            del self._tasks[folder]
            receipt = receipt_of(self._logs.pop(folder))
            self._committed += receipt.committed
            self._damaged |= receipt.lost > 0
            if not receipt.is_delivered:
                self._given_up.add(folder)
            # One that was followed to its end is met once more, to be deleted: there is nothing to tell of that.
            if receipt.committed or receipt.problems or not receipt.is_delivered:
                self._tell_one(receipt)

    async def _deliver_artifacts(self) -> None:
        receipts = await asyncio.to_thread(self._deliver_beside)
        for receipt in receipts:
            if receipt.committed or receipts != self._artifacts:
                self._tell_one(receipt)
        self._artifacts = receipts

    def _deliver_beside(self) -> Sequence[SpoolReceipt]:
        """Deliver what is in no spool."""
        away: set[str] = set()
        receipts: list[SpoolReceipt] = []
        for root in self._roots:
            receipts += deliver_experiment_tags(root, self._uri, away)
            receipts += deliver_artifacts(root / OUTBOX_FOLDER, self._uri, away)
        return receipts

    def _progress(self) -> str:
        logs = self._logs.values()
        # Until the server says where to begin, it is not known how much waits.
        known = [receipt_of(log) for log in logs if log.delivery.opened or not log.delivery.is_reachable]
        committed = self._committed + sum(receipt.committed for receipt in known)
        waiting = sum(receipt.waiting for receipt in known)
        away = "" if all(log.delivery.is_reachable for log in logs) else ", the server cannot be reached"
        spools = "1 spool" if len(logs) == 1 else f"{len(logs)} spools"
        return f"following {spools}: {committed:,} committed, {waiting:,} wait{away}"

    def _tell_one(self, receipt: SpoolReceipt) -> None:
        self._draw("")
        self._tell(receipt)

    def _draw(self, line: str) -> None:
        """Draw a line in the place of the last one, where somebody looks."""
        if sys.stderr.isatty():
            click.echo(f"\r\x1b[K{line}", err=True, nl=False)
