"""Carries one log to the server: batches down, acknowledgements up, again from where it broke.

spool --read_batch--> [ batches on the way ] --Stream--> server
                                |                           |
remove_below <-------------- settled <-- committed, opened -+
"""

import asyncio
import time
from collections.abc import Iterable
from logging import getLogger

import grpc
import grpc.aio

from stepwell import errors, jitter, settings
from stepwell.delivery import away
from stepwell.delivery.batches import KeyTable, read_batch, skipping_batch
from stepwell.delivery.receipts import Rejection
from stepwell.delivery.shipment import Shipment
from stepwell.errors import StepwellException
from stepwell.wire import background
from stepwell.wire.connection import Connection
from stepwell_api.v1 import ingest_pb2, runs_pb2

# How long the thread sleeps between two pieces of work.
GIVE_WAY_S = 0.0001
# Batches that may wait for their commit at once: one is stored while the next travels.
BATCHES_ON_THE_WAY_MAX = 4
# What the server says of points and entries only when the run is deleted.
RUN_IS_DELETED = "INVALID_STATE"
# What is said of a server that ended a stream without a word.
CLOSED = "the server closed the stream"
# How long the answer to `open` may take.
OPEN_TIMEOUT_S = 30.0
# Refusals of one log that are said one by one; all of them are counted, and the first kept for the receipt.
REFUSALS_SAID_MAX = 100
# After a failure the next attempt comes after a random part of this, which doubles each time up to the maximum.
BACKOFF_FIRST_S = 0.25
BACKOFF_MAX_S = 15.0
BACKOFF_DOUBLINGS_MAX = 6

_log = getLogger("stepwell")

Call = grpc.aio.StreamStreamCall[ingest_pb2.StreamRequest, ingest_pb2.StreamResponse]


class _InterruptedError(Exception):
    """The stream ended where it should not have; the same can be tried again."""


class _ElsewhereError(_InterruptedError):
    """The server has committed another part of the log than was sent."""


class _UnbelievableError(Exception):
    """The server says that more is committed than was ever written here."""

    def __init__(self, position: int) -> None:
        super().__init__(
            f"The server says that it has the first {position} entries of this log, which are more than were ever "
            "written: somebody else wrote under its name, or this is an older copy of it."
        )


class Shipper:
    """Delivers one log until it is complete. Lives in the background loop, but for `hurry`."""

    def __init__(self, shipment: Shipment, connection: Connection) -> None:
        self._shipment = shipment
        self._reader = shipment.reader
        self._delivery = shipment.delivery
        self._connection = connection
        self._window_moved = asyncio.Event()
        # Set to cut what waits: after a while, or at once when somebody waits for it.
        self._due = asyncio.Event()
        self._is_urgent = False
        self._attempts = 0
        # When the last one began, on the monotonic clock.
        self._begun = 0.0
        self._refusals_said = 0
        # One past what was sent on the open stream.
        self._sent_end = 0

    def hurry(self) -> None:
        """Cut what waits at once; may be called from any thread."""
        background.call_soon(self._hurry)

    def _hurry(self) -> None:
        self._is_urgent = True
        self._due.set()

    async def run(self) -> None:
        """Deliver until the log is complete, or until the server says that it will never take it."""
        try:
            while not (self._delivery.opened and self._shipment.is_complete(self._delivery.position)):
                await self._attempt()
            self._shipment.finished()
        except grpc.aio.AioRpcError as failure:
            self._shipment.failed(errors.from_rpc(failure, self._connection.address.name))
        except _UnbelievableError as claim:
            self._shipment.failed(StepwellException(str(claim), "INVALID_STATE"))
        except Exception as failure:  # noqa: BLE001 - whatever it is, those who wait must not wait for ever
            _log.exception("A defect of Stepwell's client ended the delivery.")
            self._shipment.failed(StepwellException(f"The delivery ended: {failure!r}", "INTERNAL_ERROR"))

    async def _attempt(self) -> None:
        """Deliver through one stream; failures that may pass are told and waited out, others are raised."""
        self._begun = time.monotonic()
        self._due.clear()  # who hurries from now on, perhaps since the server is back, wants another attempt
        try:
            await self._stream()
        except grpc.aio.AioRpcError as failure:
            if errors.is_final(failure):
                raise
            if failure.code() is grpc.StatusCode.UNAUTHENTICATED:
                await self._back_off(f"does not know who this process is: {failure.details()}", refused=True)
                return
            reason, pause_s = errors.details_of(failure), errors.retry_after_s(failure)
            if pause_s is None:
                await self._back_off(reason)
            else:
                await self._wait_as_told(reason, pause_s)
        except _UnbelievableError as claim:
            if not self._shipment.begin_anew():
                raise
            _log.error(
                "%s Nothing is deleted for it; what is not known to be stored is sent again, as another writer.",
                claim,
            )
        except _ElsewhereError:
            # Somebody else delivers the same log, and was faster; the server is there.
            await self._pause(self._next_pause_s())
        except (StepwellException, _InterruptedError) as failure:
            await self._back_off(str(failure))
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) is None or task.cancelling():
                raise
            await self._back_off("the connection was left for another server")

    async def _stream(self) -> None:
        """Open a stream and deliver; returns when the log is complete."""
        await self._connection.reach(settings.reach_timeout_s())
        call = self._connection.ingest.Stream()
        try:
            position = await self._open(call)
            sender = asyncio.create_task(self._send(call, position))
            receiver = asyncio.create_task(self._receive(call))
            try:
                await _until_the_end(call, sender, receiver)
            finally:
                sender.cancel()
                receiver.cancel()
        finally:
            call.cancel()

    async def _open(self, call: Call) -> int:
        await _write(call, ingest_pb2.StreamRequest(open=self._shipment.open_message()))
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                answer = await call.read()
        except TimeoutError:
            raise _InterruptedError("the server did not open the stream in time") from None
        if not isinstance(answer, ingest_pb2.StreamResponse) or answer.WhichOneof("message") != "opened":
            raise _InterruptedError("the server did not open the stream")
        self._tell_reachable()
        if answer.opened.run.lifecycle_stage == runs_pb2.LIFECYCLE_STAGE_DELETED:
            self._shipment.run_is_deleted()
        position = answer.opened.committed_position
        if not self._shipment.believes(position, secret_checked=answer.opened.secret_checked):
            raise _UnbelievableError(position)
        self._sent_end = position
        position = await self._skip_what_was_anothers(call, position)
        if position < self._delivery.position:
            _log.warning(
                "The server had committed %d entries of run %s and has %d now: its database is an older copy. What is "
                "still here is sent again.",
                self._delivery.position,
                answer.opened.run.run_id,
                position,
            )
        self._settle(position)
        self._delivery.lost()
        return position

    async def _skip_what_was_anothers(self, call: Call, position: int) -> int:
        """Move a writer that has just taken over to where it begins."""
        first_position = self._shipment.first_position
        while position < first_position:
            batch = skipping_batch(position, first_position)
            self._sent_end = position = batch.end_position
            await _write(call, ingest_pb2.StreamRequest(batch=batch))
        return position

    async def _send(self, call: Call, position: int) -> None:
        table = KeyTable()
        while True:
            urgent, self._is_urgent = self._is_urgent, False
            self._due.clear()
            position = await self._send_what_waits(call, position, table, urgent=urgent)
            await self._shipment.breathe()
            if self._shipment.is_complete(position):
                break
            await self._linger()
        if self._shipment.left_in_order:
            await _write(call, ingest_pb2.StreamRequest(close=ingest_pb2.CloseWriter()))

    async def _send_what_waits(self, call: Call, position: int, table: KeyTable, *, urgent: bool) -> int:
        """Send all that there is and return where it ends; what is logged meanwhile gathers for the next time."""
        more = True
        while more and await self._has_room() and (cut := read_batch(self._reader, position, table)):
            self._delivery.sent(position, cut.batch.end_position, cut.records)
            self._sent_end = position = cut.batch.end_position
            more = cut.more
            if not urgent:  # else somebody waits for just this
                _give_way()
            await _write(call, ingest_pb2.StreamRequest(batch=cut.batch))
            if more:
                _give_way()
        return position

    async def _receive(self, call: Call) -> None:
        while True:
            answer = await call.read()
            if not isinstance(answer, ingest_pb2.StreamResponse):
                return
            if answer.WhichOneof("message") != "committed":
                raise _ElsewhereError
            if answer.committed.position > self._sent_end:
                raise _UnbelievableError(answer.committed.position)
            self._settle(answer.committed.position, answer.committed.rejected)
            self._window_moved.set()
            self._attempts = 0

    async def _has_room(self) -> bool:
        while self._delivery.batches_on_the_way >= BATCHES_ON_THE_WAY_MAX:
            self._window_moved.clear()
            await self._window_moved.wait()
        return True

    async def _linger(self) -> None:
        """Let points gather, unless somebody is in a hurry."""
        await self._pause(self._shipment.linger_s())

    async def _pause(self, seconds: float) -> None:
        """Wait, unless somebody is in a hurry."""
        # Not a time-out: it would end each wait with a cancellation, five times a second.
        timer = asyncio.get_running_loop().call_later(seconds, self._due.set)
        try:
            await self._due.wait()
        finally:
            timer.cancel()

    def _settle(self, position: int, rejected: Iterable[ingest_pb2.Rejected] = ()) -> None:
        rejections = [Rejection(each.key, each.count, each.error_code, each.reason) for each in rejected]
        for rejection in rejections[: max(REFUSALS_SAID_MAX - self._refusals_said, 0)]:
            _log.warning("The server refused %s: %s", rejection.key or "what was logged", rejection.reason)
        if self._refusals_said <= REFUSALS_SAID_MAX < self._refusals_said + len(rejections):
            _log.warning(
                "The server refused more; the receipt of flush() and end_run() counts and names them."
            )
        self._refusals_said += len(rejections)
        if any(rejection.error_code == RUN_IS_DELETED for rejection in rejections):
            self._shipment.run_is_deleted()
        self._shipment.settled(position)
        self._delivery.settled(position, rejections)

    async def _wait_as_told(self, reason: str, pause_s: float) -> None:
        """Wait for a server that is there, and wants to be asked again later."""
        self._delivery.answered()
        await self._shipment.breathe()
        away.say_slow(self._connection.address.name, reason)
        self._due.clear()
        await self._pause(max(self._next_pause_s(), pause_s))

    async def _back_off(self, reason: str, *, refused: bool = False) -> None:
        self._delivery.unreachable(begun=self._begun)
        await self._shipment.breathe()
        several = bool(self._connection.address.others)
        if self._attempts or refused or not several:  # else another one is asked first
            name = self._connection.address.name
            told = f"The server {name} {reason if refused else f'is away ({reason})'}."
            away.say_away(name, told, refused=refused)
        if self._attempts:  # the first failure may be a connection that broke
            self._connection.distrust()
        await self._pause(self._next_pause_s())

    def _next_pause_s(self) -> float:
        longest = min(BACKOFF_FIRST_S * 2**self._attempts, BACKOFF_MAX_S)
        self._attempts = min(self._attempts + 1, BACKOFF_DOUBLINGS_MAX)
        return jitter.between(longest / 2, longest)

    def _tell_reachable(self) -> None:
        self._delivery.reached()
        self._connection.remember()
        away.say_back(self._connection.address.name)


def _give_way() -> None:
    """Let the training loop run now: else it would wait for the interpreter's switch interval, 5 ms.

    Where both share a core, a thread that only lets go of the interpreter has it again before the other one runs.
    """
    time.sleep(GIVE_WAY_S)


async def _write(call: Call, message: ingest_pb2.StreamRequest) -> None:
    """Write a message; where the server has ended the stream already, raise why."""
    try:
        await call.write(message)
    except asyncio.InvalidStateError:  # gRPC says no more than that the stream is over
        await call.read()  # raises what the server said, if it said anything
        raise _InterruptedError(CLOSED) from None


async def _until_the_end(call: Call, sender: "asyncio.Task[None]", receiver: "asyncio.Task[None]") -> None:
    """Wait until all is sent and answered, or for what fails first."""
    await asyncio.wait({sender, receiver}, return_when=asyncio.FIRST_COMPLETED)
    if sender.done() and not receiver.done():
        await sender
        # Not by the sender: the server may have ended the stream, and the receiver heard of it, before this returns.
        await call.done_writing()
    await receiver
    if not sender.done():
        raise _InterruptedError(CLOSED)
