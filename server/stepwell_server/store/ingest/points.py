"""The commit: many batches, one transaction.

BEGIN; advance positions (repeats fall out here); COPY chunks; merge latest; params, tags, status; COMMIT
"""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import numpy as np

from stepwell_server.errors import InvalidStateError, NotFoundError, StepwellError
from stepwell_server.model.ingest import NO_POINTS, Batch, Committed, NotJoined, Outcome, Rejection
from stepwell_server.model.runs import LifecycleStage
from stepwell_server.process.telemetry import CHUNKS_COMMITTED
from stepwell_server.store.chunks.building import Chunks, SeriesPoints, build_chunks, join_series
from stepwell_server.store.chunks.rows import COLUMNS, ChunkRows, RowKey, as_source
from stepwell_server.store.ingest.calls import ParamRaceError, calls_of_hidden_writers, sift_calls
from stepwell_server.store.ingest.chains import Chain, chain
from stepwell_server.store.ingest.entries import Rejections, write_entries
from stepwell_server.store.ingest.metrics import MetricIds
from stepwell_server.store.ingest.rewinds import recompute_latest
from stepwell_server.store.ingest.value_index import unsettle
from stepwell_server.store.postgres.pool import Connection, Pool
from stepwell_server.store.sql import load

_SQL = load("ingest")

# Below this many points the numpy work takes less than a hop to another thread and back.
THREAD_POINTS_MIN = 20_000
# Each time somebody else's param came in between, this time of those that were not there the time before.
RACES_MAX = 5


@dataclass(frozen=True, slots=True)
class PreparedPoints:
    """The points of several chains: chunk rows as COPY data, and the columns of merge_latest."""

    chunks: int
    pieces: Sequence[bytes]
    latest: tuple[list[Any], ...]


@dataclass(frozen=True, slots=True)
class PreparedGroup:
    """Batches that one transaction will commit, with all that can be worked out before it."""

    batches: Sequence[Batch]
    chains: Sequence[Chain]
    points: PreparedPoints | None


class PointStore:
    """Commits groups of batches."""

    def __init__(
        self,
        pool: Pool,
        metric_ids: MetricIds,
        tell: Callable[[Collection[UUID]], None] = lambda _: None,
    ) -> None:
        """`tell` hears of the runs that something was committed to."""
        self._pool = pool
        self._metric_ids = metric_ids
        self._tell = tell

    async def prepare(self, batches: Sequence[Batch]) -> PreparedGroup:
        """See `lane.GroupStore`."""
        chains = chain(batches)
        return PreparedGroup(batches, chains, await self._prepare(chains))

    async def commit(self, group: PreparedGroup) -> list[Outcome | StepwellError]:
        """See `lane.GroupStore`."""
        for _ in range(RACES_MAX - 1):
            try:
                return await self._commit(group)
            except ParamRaceError:
                continue
        return await self._commit(group)

    async def _commit(self, group: PreparedGroup) -> list[Outcome | StepwellError]:
        batches, chains, prepared = group.batches, group.chains, group.points
        async with self._pool.transaction() as connection:
            moved = await advance_positions(connection, chains)
            stages = {key: LifecycleStage(row["lifecycle_stage"]) for key, row in moved.items()}
            writable = [chain for chain in chains if stages.get(chain.key) is LifecycleStage.ACTIVE]
            stored = {number: batch for chain in writable for number, batch in chain.numbered()}
            hidden = calls_of_hidden_writers(writable, moved)
            sifted, refused = await _sift(connection, stored, hidden)
            if sifted:
                stored |= sifted
                writable = [
                    Chain([stored[number] for number in chain.numbers], chain.numbers) for chain in writable
                ]
            if sifted or len(writable) < len(chains):
                prepared = await self._prepare(writable)
            settled: Sequence[UUID] = ()
            if prepared is not None:
                CHUNKS_COMMITTED.inc(prepared.chunks)
                await connection.copy_to_table(
                    "metric_chunk", source=as_source(prepared.pieces), columns=COLUMNS, format="binary"
                )
                # Their writers are locked, so nobody settles them until the end.
                run_ids = list({chain.key[0] for chain in writable})
                rows = await connection.fetch(_SQL["merge_latest"], *prepared.latest, run_ids)
                settled = [row["run_id"] for row in rows]
                # A writer from before a rewind still delivers: what it brought to the latest points may be hidden.
                rewound = {
                    run_id for (run_id, _), row in moved.items() if row["hidden_from_step"] is not None
                }
                if rewound:
                    await recompute_latest(connection, list(rewound))
            rejections = await write_entries(connection, stored)
            if any(stored[number].call is not None for number in rejections):
                raise ParamRaceError
            if settled:
                await unsettle(connection, settled)
        self._tell({run_id for run_id, _ in stages})
        rejections |= refused
        joined = {number for chain in chains if chain.key in stages for number in chain.numbers} - hidden
        positions = await self._positions(
            [batch for number, batch in enumerate(batches) if number not in joined]
        )
        return [
            _settled(
                stored.get(number, batch),
                stages[batch.run_id, batch.writer_id],
                rejections.get(number, ()),
                is_refused=number in refused,
            )
            if number in joined
            else _refused(batch, positions)
            for number, batch in enumerate(batches)
        ]

    async def _prepare(self, chains: Sequence[Chain]) -> PreparedPoints | None:
        batches = [batch for chain in chains for batch in chain.batches if len(batch.points)]
        if not batches:
            return None
        ids = await self._metric_ids.resolve(key for batch in batches for key in batch.points.keys)
        if sum(len(batch.points) for batch in batches) < THREAD_POINTS_MIN:
            return prepare(chains, ids)
        return await asyncio.to_thread(prepare, chains, ids)

    async def _positions(self, batches: Sequence[Batch]) -> dict[tuple[UUID, UUID], int]:
        """Where the writers of batches that did not join stand."""
        if not batches:
            return {}
        async with self._pool.connection() as connection:
            rows = await connection.fetch(
                _SQL["committed_positions"],
                [batch.run_id for batch in batches],
                [batch.writer_id for batch in batches],
            )
        return {(row["run_id"], row["writer_id"]): row["position"] for row in rows}


async def _sift(
    connection: Connection, batches: Mapping[int, Batch], hidden: Collection[int]
) -> tuple[Mapping[int, Batch], Rejections]:
    """See `sift_calls`, of which streams know nothing. Of those in `hidden` nothing is stored."""
    if all(batch.call is None for batch in batches.values()):
        return {}, {}
    sifted, refused = await sift_calls(connection, {n: it for n, it in batches.items() if n not in hidden})
    empty = {number: replace(batches[number], points=NO_POINTS, entries=()) for number in hidden}
    return {**sifted, **empty}, refused


async def advance_positions(connection: Connection, chains: Sequence[Chain]) -> dict[tuple[UUID, UUID], Any]:
    """Move the writers of the chains that join; returns those that moved: run's lifecycle stage, what is hidden."""
    rows = await connection.fetch(
        _SQL["advance_positions"],
        [chain.key[0] for chain in chains],
        [chain.key[1] for chain in chains],
        [chain.first_position for chain in chains],
        [chain.end_position for chain in chains],
    )
    return {(row["run_id"], row["writer_id"]): row for row in rows}


def prepare(chains: Sequence[Chain], metric_ids: dict[str, int]) -> PreparedPoints | None:
    """Build the chunks of all chains: one series for each metric of each writer."""
    pieces, owners = [], []
    for number, of_writer in enumerate(chains):
        for batch in of_writer.batches:
            points = batch.points
            if len(points):
                pieces.append(SeriesPoints(points.counts, points.steps, points.timestamps_ms, points.values))
                owners.append((number << 32) | np.array([metric_ids[key] for key in points.keys], np.int64))
    if not pieces:
        return None
    points_by_series, owner = join_series(pieces, owners)
    chunks = build_chunks(points_by_series)
    rows = ChunkRows(chunks, list(row_keys(chains, owner[chunks.series].tolist(), chunks.parts.tolist())))
    return PreparedPoints(
        len(rows),
        list(rows.pieces()),
        latest_columns(chunks, owner, [of_writer.key[0] for of_writer in chains]),
    )


def row_keys(chains: Sequence[Chain], owners: Sequence[int], parts: Sequence[int]) -> Iterator[RowKey]:
    """The key of each chunk from the number of its chain, its metric (together its owner) and its part."""
    writers = [
        (run_id.bytes, writer_id.bytes, of_writer.first_position)
        for of_writer in chains
        for run_id, writer_id in [of_writer.key]
    ]
    for owner, part in zip(owners, parts, strict=True):
        run_id, writer_id, first_position = writers[owner >> 32]
        yield run_id, owner & 0xFFFFFFFF, writer_id, first_position, part


def latest_columns(
    chunks: Chunks, owner: np.ndarray[Any, Any], run_ids: Sequence[UUID]
) -> tuple[list[Any], ...]:
    """Columns for merge_latest, one element for each run and metric: latest point and summary over all chunks."""
    summaries = chunks.summaries
    run_number = {run_id: number for number, run_id in enumerate(dict.fromkeys(run_ids))}
    number_of_chain = np.array([run_number[run_id] for run_id in run_ids], np.int64)
    group = (number_of_chain[owner >> 32] << 32 | owner & 0xFFFFFFFF)[chunks.series]
    order = np.lexsort((summaries.value_last, summaries.time_last_ms, summaries.step_max, group))
    groups, firsts = np.unique(group[order], return_index=True)
    lasts = order[np.append(firsts[1:], len(order)) - 1]
    counts = np.add.reduceat(summaries.counts[order], firsts)
    non_finite = np.add.reduceat(summaries.non_finite_counts[order], firsts)
    with np.errstate(over="ignore", invalid="ignore"):
        sums = np.add.reduceat(summaries.value_sum[order], firsts)
    runs = list(run_number)
    none_finite = (counts == non_finite).tolist()
    extremes = (
        np.minimum.reduceat(summaries.value_min[order], firsts),
        np.maximum.reduceat(summaries.value_max[order], firsts),
        sums,
    )
    return (
        [runs[number] for number in (groups >> 32).tolist()],
        (groups & 0xFFFFFFFF).tolist(),
        summaries.step_max[lasts].tolist(),
        summaries.time_last_ms[lasts].tolist(),
        summaries.value_last[lasts].tolist(),
        counts.tolist(),
        non_finite.tolist(),
        *(_null_where(none_finite, column.tolist()) for column in extremes),
    )


def _null_where(absent: Sequence[bool], values: Sequence[float]) -> list[float | None]:
    return [None if gone else value for gone, value in zip(absent, values, strict=True)]


def _settled(
    batch: Batch, stage: LifecycleStage, rejections: Sequence[Rejection], *, is_refused: bool = False
) -> Committed:
    """What became durable of a batch whose position moved; of a deleted run: nothing."""
    points, entries = len(batch.points), len(batch.entries)
    if is_refused:
        return Committed(batch.end_position, 0, 0, tuple(rejections))
    if stage is LifecycleStage.DELETED:
        reason = f"run {batch.run_id.hex} is deleted; restore it before logging to it"
        refused = Rejection(batch.first_position, points + entries, "", InvalidStateError.error_code, reason)
        return Committed(batch.end_position, 0, 0, (refused,) if points + entries else ())
    return Committed(batch.end_position, points, entries - len(rejections), tuple(rejections))


def _refused(batch: Batch, positions: dict[tuple[UUID, UUID], int]) -> NotJoined | NotFoundError:
    position = positions.get((batch.run_id, batch.writer_id))
    if position is None:
        return NotFoundError(
            f"run {batch.run_id.hex} (writer {batch.writer_id.hex}) does not exist: "
            "it was removed with `stepwell gc`, or never opened"
        )
    return NotJoined(position)
