"""IngestService over gRPC: one bidirectional stream for each writer.

Two tasks serve a stream. One reads batches and queues them; the queue's back-pressure stops it from reading, and
so the client from sending. The other waits for the outcomes in order and acknowledges, several at once when several
are there.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from stepwell_api.v1 import ingest_pb2, ingest_pb2_grpc
from stepwell_server.errors import ExhaustedError, InvalidArgumentError, StepwellError, UnavailableError
from stepwell_server.model.ingest import (
    Batch,
    Committed,
    ConsoleEntry,
    ConsoleStream,
    Entry,
    InputEntry,
    ModelPointEntry,
    NotJoined,
    Outcome,
    ParamEntry,
    Points,
    Rejection,
    StatusEntry,
    TagEntry,
    TagRemovalEntry,
    WriterIdentity,
)
from stepwell_server.model.runs import RunStatus
from stepwell_server.process.collector import forget_what_was_sent
from stepwell_server.process.holding import Held, Holding, peer_of
from stepwell_server.process.telemetry import STREAMS_OPEN
from stepwell_server.services.ingest import CHECKED_ON_LOOP_MAX, IngestService, lost_before_it_came
from stepwell_server.transport.alerts import alert_from_proto
from stepwell_server.transport.histograms import histogram_from_proto
from stepwell_server.transport.mapping import (
    input_from_proto,
    parse_model_id,
    parse_uuid,
    run_info_to_proto,
    run_spec_from_proto,
)
from stepwell_server.transport.stream_holding import REJECTED_KEY_CHARS_MAX, StreamHolding, StreamKeys
from stepwell_server.transport.stream_rights import until_refused

# Batches of one stream that wait for their commit, at most; the client's next one waits, and is counted with what gRPC
# takes of the stream behind it.
BATCHES_UNDER_WAY_MAX = 16
# Refusals in one acknowledgement, encoded: 1 MiB; clients take messages of 8 MiB. More follow in another one.
ACKNOWLEDGEMENT_BYTES_MAX = 2**20
# What is sent of the reason why something was refused.
REJECTED_REASON_CHARS_MAX = 4_000

Requests = AsyncIterator[ingest_pb2.StreamRequest]


class IngestServicer(ingest_pb2_grpc.IngestServiceServicer):
    """Check, call, map, answer. `draining` is set when the server begins to stop."""

    def __init__(self, ingest: IngestService, draining: asyncio.Event, holding: Holding) -> None:
        self._ingest = ingest
        self._draining = draining
        self._holding = holding

    async def Stream(  # noqa: N802
        self, request_iterator: Requests, context: Any
    ) -> AsyncIterator[ingest_pb2.StreamResponse]:
        """Serve one writer until it half-closes, an error ends it, or the server stops."""
        request = await anext(request_iterator, None)
        if request is None or request.WhichOneof("message") != "open":
            raise InvalidArgumentError("the first message of a stream must be `open`")
        identity = writer_identity(request.open)
        spec, known_position = run_spec_from_proto(request.open.run), request.open.known_position
        session = await self._ingest.open(spec, identity, known_position, request.open.secret)
        opened = ingest_pb2.WriterOpened(
            committed_position=session.position,
            run=run_info_to_proto(session.run),
            created=session.created,
            secret_checked=session.secret_checked,
        )
        yield ingest_pb2.StreamResponse(opened=opened)
        holding = StreamHolding(self._holding, peer_of(context.peer()))
        stream = WriterStream(self._ingest, identity, session.position, self._draining, holding)
        with STREAMS_OPEN.track_inprogress(), holding:
            async for answer in stream.serve(request_iterator):
                yield answer
        if stream.closed:
            await self._ingest.close(identity)


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A batch that was queued, and what is held for it. Each resumption begins a new generation of batches."""

    generation: int
    outcome: asyncio.Future[Outcome]
    held: Held | None


class WriterStream:
    """One open stream: reads batches in a task of its own, and yields answers."""

    def __init__(
        self,
        ingest: IngestService,
        identity: WriterIdentity,
        position: int,
        draining: asyncio.Event,
        holding: StreamHolding,
    ) -> None:
        self._ingest = ingest
        self._identity = identity
        self._draining = draining
        self._holding = holding
        self._keys = StreamKeys(holding)
        self._room = asyncio.Semaphore(BATCHES_UNDER_WAY_MAX)
        self._under_way: asyncio.Queue[UnderWay | None] = asyncio.Queue()  # bounded by _room
        # After a batch that did not join: where the client has to go on; what was on its way is dropped.
        self._resume_at: int | None = None
        self._generation = 0
        # What the client has heard to be committed.
        self._acknowledged = position
        # Why the writer may write no more.
        self._refused: StepwellError | None = None
        # The client said that it has nothing more to say.
        self.closed = False
        # There is no room for what the client sends.
        self._refusal: ExhaustedError | None = None

    async def serve(self, requests: Requests) -> AsyncIterator[ingest_pb2.StreamResponse]:
        """Yield answers until everything that was read is settled; then raise what stopped the reading, if anything.

        ExhaustedError is raised at once, so that nothing of the stream waits any longer; its client asks where it
        stands.
        """
        serving = asyncio.current_task()
        assert serving is not None
        reader = asyncio.create_task(self._read(requests, serving))
        drain = asyncio.create_task(self._cancel_when_draining(reader))
        refusal = asyncio.create_task(self._cancel_when_refused(reader))
        try:
            async for answer in self._answers():
                yield answer
            with suppress(asyncio.CancelledError):
                await reader
        except asyncio.CancelledError:
            if self._refusal is None:
                raise
            serving.uncancel()
            raise self._refusal from None
        finally:
            for task in (reader, drain, refusal):
                task.cancel()
            ends = await asyncio.gather(reader, drain, refusal, return_exceptions=True)
            forget_what_was_sent(*ends)
        if self._refused is not None:
            raise self._refused
        if self._draining.is_set():
            raise UnavailableError(
                "the server is stopping; what was received is committed, send the rest again"
            )

    async def _cancel_when_draining(self, reader: asyncio.Task[None]) -> None:
        await self._draining.wait()
        reader.cancel()

    async def _cancel_when_refused(self, reader: asyncio.Task[None]) -> None:
        self._refused = await until_refused(lambda: self._ingest.check(self._identity))
        reader.cancel()

    async def _read(self, requests: Requests, serving: asyncio.Task[Any]) -> None:
        try:
            async for request in requests:
                await self._submit(request)
        except ExhaustedError as error:
            self._refusal = error
            serving.cancel()  # it waits for the database, or for a client that does not read
            raise
        finally:
            # However the reading ends: what came before is settled and answered first.
            self._under_way.put_nowait(None)

    async def _submit(self, request: ingest_pb2.StreamRequest) -> None:
        kind = request.WhichOneof("message")
        if kind == "close":
            self.closed = True
            return
        if kind != "batch" or self.closed:
            raise InvalidArgumentError(
                "after `open`, the messages of a stream must be `batch`, and at the end one `close`"
            )
        self._keys.learn(request.batch.new_keys)
        if self._resume_at is not None:
            if request.batch.first_position != self._resume_at:
                return
            self._resume_at = None
            self._generation += 1
        if self._room.locked():
            async with self._holding.held_back(request):
                await self._room.acquire()
        else:
            await self._room.acquire()
        held = await self._holding.room_for_refusals(
            len(request.batch.entries) + len(request.batch.points.key)
        )
        outcome = await self._ingest.submit(await self._batch_of(request.batch))
        self._under_way.put_nowait(UnderWay(self._generation, outcome, held))

    async def _batch_of(self, message: ingest_pb2.Batch) -> Batch:
        """Read a batch; one of many entries beside the loop, which others need."""
        if len(message.entries) + len(message.points.key) <= CHECKED_ON_LOOP_MAX:
            return batch_from_proto(message, self._keys.names, self._identity)
        return await asyncio.to_thread(batch_from_proto, message, self._keys.names, self._identity)

    async def _answers(self) -> AsyncIterator[ingest_pb2.StreamResponse]:
        """Acknowledge in order until there is nothing more to wait for."""
        held: list[UnderWay | None] = []
        while (first := held.pop() if held else await self._under_way.get()) is not None:
            await first.outcome
            settled = [first]
            held = self._settled_too(settled)
            for answer in self._acknowledge(settled):
                yield answer
            for under_way in settled:
                self._holding.give_back(under_way.held)
                self._room.release()

    def _settled_too(self, settled: list[UnderWay]) -> list[UnderWay | None]:
        """Add what is settled already; returns what was taken from the queue and is not, one at most."""
        while not self._under_way.empty():
            following = self._under_way.get_nowait()
            if following is None or not following.outcome.done():
                return [following]
            settled.append(following)
        return []

    def _acknowledge(self, settled: list[UnderWay]) -> Iterator[ingest_pb2.StreamResponse]:
        outcomes = [under_way.outcome.result() for under_way in settled]
        committed = [outcome for outcome in outcomes if isinstance(outcome, Committed)]
        for piece in committed_to_proto(committed, self._acknowledged) if committed else ():
            self._acknowledged = piece.position
            yield ingest_pb2.StreamResponse(committed=piece)
        for under_way, outcome in zip(settled, outcomes, strict=True):
            stale = under_way.generation != self._generation or self._resume_at is not None
            if isinstance(outcome, NotJoined) and not stale:
                self._resume_at = outcome.position
                yield ingest_pb2.StreamResponse(resume=ingest_pb2.Resume(committed_position=outcome.position))


def writer_identity(message: ingest_pb2.OpenWriter) -> WriterIdentity:
    """Who opens the stream."""
    return WriterIdentity(
        run_id=parse_uuid(message.run.run_id, "run.run_id"),
        writer_id=parse_uuid(message.writer_id, "writer_id"),
        rank=message.rank if message.HasField("rank") else None,
        host=message.host,
        process_id=message.process_id,
        orphaned=message.orphaned,
    )


def batch_from_proto(message: ingest_pb2.Batch, keys: list[str], identity: WriterIdentity) -> Batch:
    """Columns become numpy arrays; key numbers become names."""
    points = message.points
    try:
        names = [keys[number] for number in points.key]
    except IndexError:
        raise InvalidArgumentError(
            f"a batch uses key number {max(points.key)}, but the stream has named {len(keys)} keys so far"
        ) from None
    return Batch(
        run_id=identity.run_id,
        writer_id=identity.writer_id,
        first_position=message.first_position,
        end_position=message.end_position,
        points=Points(
            names,
            np.array(points.count, np.int64),
            np.array(points.step, np.int64),
            np.array(points.timestamp_ms, np.int64),
            np.array(points.value, np.float64),
        ),
        entries=[entry_from_proto(entry) for entry in message.entries],
        lost=lost_before_it_came(message.first_position, message.dropped, message.damaged),
    )


def entry_from_proto(message: ingest_pb2.Entry) -> Entry:
    """One entry of the log."""
    match message.WhichOneof("event"):
        case "param":
            return ParamEntry(message.position, message.param.key, message.param.value)
        case "tag":
            return TagEntry(message.position, message.tag.key, message.tag.value)
        case "input":
            return InputEntry(message.position, input_from_proto(message.input))
        case "tag_removal":
            return TagRemovalEntry(message.position, message.tag_removal.key)
        case "status":
            return status_from_proto(message)
        case "console":
            return console_from_proto(message)
        case "histogram":
            return histogram_from_proto(message)
        case "alert":
            return alert_from_proto(message)
        case "model_point":
            point = message.model_point
            return ModelPointEntry(
                message.position,
                parse_model_id(point.model_id, "model_point.model_id"),
                point.key,
                point.value,
                point.step,
                point.timestamp_ms,
                point.dataset_name,
                point.dataset_digest,
            )
        case _:
            raise InvalidArgumentError(
                f"the entry at position {message.position} is of a kind that this server does not know; "
                "update the server, or use an older client"
            )


def console_from_proto(message: ingest_pb2.Entry) -> ConsoleEntry:
    """Lines of a console."""
    lines = message.console
    try:
        stream = ConsoleStream(lines.stream)
    except ValueError:
        raise InvalidArgumentError(f"console stream {lines.stream} is unknown; use 1 or 2") from None
    return ConsoleEntry(message.position, stream, lines.timestamp_ms, lines.text, lines.left_out)


def status_from_proto(message: ingest_pb2.Entry) -> StatusEntry:
    """A change of status."""
    try:
        status = RunStatus(message.status.status)
    except ValueError:
        raise InvalidArgumentError(f"run status {message.status.status} is unknown; use 1 to 5") from None
    end_time_ms = message.status.end_time_ms if message.status.HasField("end_time_ms") else None
    return StatusEntry(message.position, status, end_time_ms)


def committed_to_proto(outcomes: list[Committed], position: int) -> Iterator[ingest_pb2.Committed]:
    """One acknowledgement for several batches, in pieces of a bounded size: all but the last one stay at `position`."""
    piece = ingest_pb2.Committed(position=position)
    size = 0
    for outcome in outcomes:
        for rejection in outcome.rejections:
            rejected = rejected_to_proto(rejection)
            size += rejected.ByteSize()
            if size > ACKNOWLEDGEMENT_BYTES_MAX and piece.rejected:
                yield piece
                piece, size = ingest_pb2.Committed(position=position), rejected.ByteSize()
            piece.rejected.append(rejected)
    piece.position = outcomes[-1].position
    piece.points = sum(outcome.points for outcome in outcomes)
    piece.entries = sum(outcome.entries for outcome in outcomes)
    yield piece


def rejected_to_proto(rejection: Rejection) -> ingest_pb2.Rejected:
    """What was refused, and why."""
    return ingest_pb2.Rejected(
        position=rejection.position,
        count=rejection.count,
        key=rejection.key[:REJECTED_KEY_CHARS_MAX],
        error_code=rejection.error_code,
        reason=rejection.reason[:REJECTED_REASON_CHARS_MAX],
    )
