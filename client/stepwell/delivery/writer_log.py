"""One log of one writer: a spool, and how far it is delivered. It begins with the first entry and ends with the run."""

import asyncio
import contextlib
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from logging import getLogger
from pathlib import Path
from typing import TYPE_CHECKING

from stepwell import settings
from stepwell.delivery import away, catch_up, offline
from stepwell.delivery.kept import Kept
from stepwell.delivery.progress import LINGER_S, Delivery
from stepwell.delivery.receipts import Receipt
from stepwell.errors import StepwellException
from stepwell.spool import folders
from stepwell.spool.arrays import ArrayPoints
from stepwell.spool.log import AfterSeal, Spool, SpoolLimits
from stepwell.spool.reader import GAP_PATIENCE_S, SpoolReader
from stepwell.spool.writer_file import describe_writer, rewrite_writer
from stepwell.wire import background

if TYPE_CHECKING:
    from stepwell.delivery.shipper import Shipper
    from stepwell_api.v1 import ingest_pb2, runs_pb2

# While the server is away, what a power cut can lose is what was logged in the last 5 to 10 s.
WRITE_THROUGH_S = 5.0
# How long points gather while nothing comes but steps of a training: a chart that grows every other second looks live.
# To deliver them takes client, server and database some 10 ms of processor, for many steps as for one.
STEPS_LINGER_S = 2.0
# When the delivery begins of what may be over in a moment: while many short trainings follow each other, the cores are
# theirs. The page shows a longer one that much later.
BEGINS_LATER_S = 1.0
# How often the files are looked after.
LOOK_AFTER_S = 1.0
# How often a log goes on as another writer, because the server says what cannot be; then it waits for `stepwell sync`.
RENEWALS_MAX = 3
# How often a log looks whether its turn has come.
TURN_S = 0.05

_log = getLogger("stepwell")


class WriterLog:
    """What this process logs to one run, until it is sealed. Any thread may append."""

    def __init__(
        self,
        uri: str,
        spec: "runs_pb2.RunSpec",
        rank: int | None,
        after_seal: AfterSeal,
        run_is_deleted: Callable[[], object],
        behind: Sequence[Path] = (),
    ) -> None:
        """Begin a log. `run_is_deleted` is called in the background when the server says so.

        `behind` are the folders of earlier logs of the run: it is delivered after them.

        Raises:
            StepwellException: INVALID_PARAMETER_VALUE when STEPWELL_SPOOL_DIR cannot be used, RESOURCE_EXHAUSTED when
                there is no room for a spool; nothing of it stays.
        """
        from stepwell.wire import messages

        writer_id = uuid.uuid4().hex
        self._open_message = messages.open_writer(spec, writer_id, rank)
        self.uri = uri
        self.run_id = spec.run_id
        self._run_is_deleted = run_is_deleted
        self._behind = behind
        settings.require_timeouts()
        self._writer = describe_writer(
            uri, spec.run_id, writer_id, spec.name, self._open_message.SerializeToString()
        )
        self._renewals = 0
        self.spool = self._begin_spool(after_seal)
        self.folder = self.spool.folder
        self.kept = Kept(self.spool)
        self.reader = SpoolReader(self.folder, alive=True)
        self.delivery = Delivery()
        self._sealed = False
        self._sealed_end = 0
        self._sealed_s = 0.0
        self._written_through_s = time.monotonic()
        self._shipper: Shipper | None = None
        # The one that delivers already.
        self._begun: Shipper | None = None
        self._delivering: asyncio.Future[tuple[None, None]] | None = None
        self._shipping_epoch = -1

    @property
    def run(self) -> tuple[str, str]:
        """The server and the run that it is of."""
        return self.uri, self.run_id

    def _begin_spool(self, after_seal: AfterSeal) -> Spool:
        limits = SpoolLimits(settings.spool_bytes_max(), settings.spool_full())
        try:
            folder = folders.create(self._writer)
            try:
                return Spool(folder, limits, after_seal, self._prepare_soon)
            except OSError:
                folders.remove(folder)
                raise
        except OSError as error:
            raise StepwellException(
                f"Run {self.run_id} cannot be logged to: its spool cannot be made ({error}). Make room, or name "
                "another folder with STEPWELL_SPOOL_DIR.",
                "RESOURCE_EXHAUSTED",
            ) from error

    def append_entries(self, payloads: deque[bytes]) -> None:
        """Append params, tags or statuses, encoded; see `Spool.append_entries`."""
        self.spool.append_entries(payloads)

    def append_array(self, points: ArrayPoints) -> None:
        """Append points of one metric; spool.SealedError when the log has ended."""
        self.spool.append_array(points)

    def ship(self, *, is_hasty: bool = True) -> None:
        """Begin to deliver in the background, or without haste in BEGINS_LATER_S; offline, to look after the files."""
        self._shipping_epoch = background.epoch()
        if background.is_fork():
            return
        if settings.is_offline():
            background.spawn(self._look_after())
            return
        from stepwell.delivery.shipper import Shipper
        from stepwell.wire.connection import connect

        connection = connect(self.uri)
        connection.prefer(uuid.UUID(self._writer.run_id))
        self._shipper = Shipper(self, connection)
        if (since := offline.unreachable_since(self.uri)) is not None:
            self.delivery.unreachable(since)
        deliver = partial(self._deliver, self._shipper)
        if is_hasty:
            background.spawn(deliver())
        else:
            background.spawn_later(deliver, BEGINS_LATER_S)

    def resume(self) -> None:
        """Go on in the background, if its thread has ended for a fork."""
        if self._shipping_epoch != background.epoch() and self.delivery.failure is None:
            self.ship()
        self.kept.write()  # the thread that was about to may be gone

    def hurry(self) -> int:
        """Have everything logged so far delivered at once; returns its end position."""
        self.kept.write()
        end_position = self.spool.end_position()
        if self._shipper is not None and self.delivery.position < end_position:
            self.resume()
            self._hurry(self._shipper)
        return end_position

    def _hurry(self, shipper: "Shipper") -> None:
        """Deliver at once, also where it was to begin later."""
        if self._begun is not shipper:
            background.spawn(self._deliver(shipper))
        shipper.hurry()

    def flush(self, timeout_s: float) -> Receipt:
        """Wait until everything logged so far is decided, but not while there is nobody who could decide."""
        asked = time.monotonic()
        end_position = self.hurry()
        self.look()
        if self.spool.is_gone:
            self.lost()
        if self._shipper is not None:
            self.delivery.wait(end_position, timeout_s, asked)
        return self.receipt(end_position)

    def receipt(self, end_position: int | None = None) -> Receipt:
        """Return what became of everything logged so far, or below a position: other threads log meanwhile."""
        if end_position is None and not self._sealed:  # else that is written
            self.kept.write()
        spool = self.spool
        end = spool.end_position() if end_position is None else end_position
        receipt = self.delivery.receipt(end, spool.extra_points, spool.dropped, self.reader.damage.count)
        if spool.is_gone:
            # What the reader has met since as damage is among what waits.
            receipt = replace(receipt, waiting=0, damaged=max(receipt.damaged, receipt.waiting))
        return receipt

    @property
    def is_shipping(self) -> bool:
        """Whether this process delivers it, and goes on trying."""
        return self._shipper is not None and self.delivery.failure is None

    def oldest_waiting_ms(self) -> int | None:
        """Return the timestamp of the oldest point that waits, in milliseconds; None when none does."""
        piece = SpoolReader(self.folder, alive=True).read(self.delivery.position, 1, 0)
        return int(piece.timestamps_ms[0]) if piece is not None and len(piece.timestamps_ms) else None

    def seal(self) -> None:
        """Take nothing more. When everything is delivered the files go."""
        self.kept.close()
        self._sealed_end = self.spool.seal()
        self._sealed_s = time.monotonic()
        self._sealed = True
        try:
            folders.mark_ended(self.folder)
        except FileNotFoundError:
            self.spool.give_up()
            self.lost()
            return
        if self._shipper is not None and self.delivery.failure is None:
            self._hurry(self._shipper)
        else:
            # Nobody here delivers it: let others do it.
            self._let_go()

    def leave(self) -> None:
        """Deliver a sealed log no longer; it is delivered as what a dead process left."""
        background.run(self._leave)  # and waits: when this returns its files are closed

    async def _leave(self) -> None:
        if self.is_delivering:
            self._shipper = None
            if self._delivering is not None:
                self._delivering.cancel()
            self._let_go()
            catch_up.deliver_left_here(self.uri)

    def _let_go(self) -> None:
        self.spool.close()
        self.reader.let_go()
        folders.release(self.folder)

    def leave_to_parent(self) -> None:
        """Close a forked child's copies of the files, which count in what it may have open."""
        self.spool.leave_to_parent()
        self.reader.let_go()

    def look(self) -> None:
        """Notice it where somebody has removed the files."""
        if not self._sealed and not self.folder.exists():
            self.spool.give_up()

    def lost(self) -> None:
        """Take note that somebody has removed the files: what was not delivered is not to be had any more."""
        if self.delivery.failure is not None:  # that is told
            return
        failure = StepwellException(
            f"Somebody has removed the spool {self.folder} while run {self.run_id} was logged: "
            f"{self.receipt().damaged} entries that were not delivered are lost.",
            "DATA_LOSS",
        )
        _log.warning("%s", failure.message)
        self.delivery.failed(failure)
        if self._shipper is not None:
            self._hurry(self._shipper)
        else:
            self.finished()

    @property
    def is_delivering(self) -> bool:
        """Whether this process still has something to do for it."""
        return self.folder.exists() and folders.is_held_here(self.folder)

    @property
    def is_about_to_finish(self) -> bool:
        """Whether it has ended and the server has all of it, but was not told yet that this is the end."""
        return (
            self._sealed
            and self.delivery.failure is None
            and self.delivery.opened
            and self.delivery.position >= self._sealed_end
            and self.is_delivering
        )

    # What the shipper needs.

    def open_message(self) -> "ingest_pb2.OpenWriter":
        """Return what opens this writer's stream."""
        self._open_message.known_position = self.delivery.position
        return self._open_message

    @property
    def first_position(self) -> int:
        """Where this writer's log begins: 0, unless it has taken over."""
        return self._writer.first_position

    def believes(self, position: int, *, secret_checked: bool) -> bool:
        """No more can be committed than this process has written."""
        return position <= self.spool.end_position()

    def begin_anew(self) -> bool:
        """Take over what is not known to be committed, under a new name and with a new secret; a few times at most."""
        from stepwell.wire import messages

        if self._renewals == RENEWALS_MAX:
            return False
        self._renewals += 1
        known = self._open_message
        rank = known.rank if known.HasField("rank") else None
        self._open_message = messages.open_writer(known.run, uuid.uuid4().hex, rank)
        self._writer = replace(
            self._writer,
            writer_id=self._open_message.writer_id,
            open_writer=self._open_message.SerializeToString().hex(),
            first_position=self.delivery.position,
        )
        rewrite_writer(self.folder, self._writer)
        return True

    def is_complete(self, position: int) -> bool:
        """Tell whether nothing can come at or after a position."""
        if self.spool.is_gone:
            return True
        if not self._sealed or position < self.spool.end_position():
            return False
        # A thread may have been about to finish a record when the log was sealed.
        return position >= self._sealed_end or time.monotonic() - self._sealed_s > GAP_PATIENCE_S

    def linger_s(self) -> float:
        """Longer after a time in which steps came, and nothing else."""
        return STEPS_LINGER_S if self.kept.came_alone() else LINGER_S

    @property
    def left_in_order(self) -> bool:
        """Always: this process said so."""
        return True

    def settled(self, position: int) -> None:
        """Delete what lies below a position."""
        self.spool.remove_below(position)

    async def breathe(self) -> None:
        """Nothing: see `_look_after`, which also goes on while the server is away."""

    async def _deliver(self, shipper: "Shipper") -> None:
        if self._begun is not shipper:  # else it was hurried
            self._begun = shipper
            self._delivering = asyncio.gather(self._look_after(), self._deliver_in_turn(shipper))
            try:
                await self._delivering
            except asyncio.CancelledError:  # it was left to others, or the loop ends
                pass
            finally:
                # Its tasks keep their calls, and these gRPC's thread, for whose end a fork waits.
                self._delivering = None

    async def _deliver_in_turn(self, shipper: "Shipper") -> None:
        """Deliver it behind earlier logs of the run: of a tag, or a status, the last one counts."""
        while any(map(catch_up.may_come, self._behind)):
            if away.is_away(settings.parse_uri(self.uri).name):
                self.delivery.unreachable()
            else:
                self.delivery.answered()
            await asyncio.sleep(TURN_S)
        await shipper.run()

    async def _look_after(self) -> None:
        """Keep a segment ready; while nobody commits, write through to the disk now and then."""
        while self.is_delivering:
            self.spool.prepare()
            catch_up.look_again(self.uri)
            if self.delivery.is_reachable and not settings.is_offline():
                self._written_through_s = time.monotonic()
            elif time.monotonic() - self._written_through_s >= WRITE_THROUGH_S:
                with contextlib.suppress(OSError):  # the disk's trouble shows where the log calls meet it
                    await asyncio.to_thread(self.spool.write_through)
                self._written_through_s = time.monotonic()
            await asyncio.sleep(LOOK_AFTER_S)
        self.look()

    def _prepare_soon(self) -> None:
        background.call_soon(self.spool.prepare)

    def finished(self) -> None:
        """Everything is delivered and nothing will come: delete the files."""
        self.spool.close()
        self.reader.let_go()
        folders.remove(self.folder)

    def run_is_deleted(self) -> None:
        """Take note that nothing more can be logged to the run."""
        self._run_is_deleted()

    def failed(self, failure: StepwellException) -> None:
        """Take note that the server will not take what waits."""
        _log.warning(
            "The server does not take what was logged: %s It stays in %s; 'stepwell sync' tries again.",
            failure.message,
            self.folder,
        )
        catch_up.give_up(self.folder)
        self.delivery.failed(failure)
