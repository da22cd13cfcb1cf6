"""The commit: many batches, one transaction.

BEGIN; advance positions (repeats fall out here); COPY chunks; merge latest; params, tags, status; COMMIT
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from stepwell_server.errors import InvalidStateError, NotFoundError, StepwellError
from stepwell_server.model.ingest import NO_POINTS, Batch, Committed, NotJoined, Outcome, Rejection
from stepwell_server.model.runs import LifecycleStage
from stepwell_server.process.telemetry import CHUNKS_COMMITTED
from stepwell_server.store.chunks.rows import COLUMNS, as_source
from stepwell_server.store.ingest.calls import ParamRaceError, calls_of_hidden_writers, sift_calls
from stepwell_server.store.ingest.chains import Chain, chain
from stepwell_server.store.ingest.entries.alerts import write_alerts
from stepwell_server.store.ingest.entries.refusals import note_refusals
from stepwell_server.store.ingest.entries.writing import Rejections, write_entries
from stepwell_server.store.ingest.lone_calls import commit_lone, is_lone
from stepwell_server.store.ingest.metrics import MetricIds
from stepwell_server.store.ingest.plain_commits import commit_plain, fits_call, is_plain
from stepwell_server.store.ingest.preparing import PreparedPoints, prepare
from stepwell_server.store.ingest.rewinds import recompute_latest
from stepwell_server.store.ingest.value_index import unsettle
from stepwell_server.store.postgres.pool import Connection, Pool
from stepwell_server.store.sql import load

_SQL = load("ingest")

# Below this many points the numpy work takes less than a hop to another thread and back.
THREAD_POINTS_MIN = 20_000
# So many elements PostgreSQL's planner thinks that an array has whose length it does not know. When there are fewer it
# would plan anew each time, which costs a commit 0.2 ms.
PLANNED_ELEMENTS = 10
# Each time somebody else's param came in between, this time of those that were not there the time before.
RACES_MAX = 5


@dataclass(frozen=True, slots=True)
class PreparedGroup:
    """Batches that one transaction will commit, with all that can be worked out before it."""

    batches: Sequence[Batch]
    chains: Sequence[Chain]
    points: PreparedPoints | None
    lone_metric_ids: Mapping[str, int] | None = None  # of a lone call, which needs nothing else
    is_plain: bool = False


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
        if is_lone(batches):
            metric_ids = await self._metric_ids.resolve(batches[0].points.keys)
            return PreparedGroup(batches, chains, None, metric_ids)
        if is_plain(self._pool, batches):
            points = await self._prepare(chains, as_columns=fits_call(chains))
            return PreparedGroup(batches, chains, points, is_plain=points is not None)
        return PreparedGroup(batches, chains, await self._prepare(chains))

    async def commit(self, group: PreparedGroup) -> list[Outcome | StepwellError]:
        """See `lane.GroupStore`."""
        if group.lone_metric_ids is not None:
            outcome = await commit_lone(self._pool, group.batches[0], group.lone_metric_ids)
            if outcome is not None:
                self._tell({group.batches[0].run_id})
                return [outcome]
            group = await self._ordinary(group)
        if group.is_plain:
            assert group.points is not None
            if await commit_plain(self._pool, group.chains, group.points):
                return await self._told(group, _as_sent(group.chains), {it.key[0] for it in group.chains})
            group = await self._ordinary(group)
        for _ in range(RACES_MAX - 1):
            try:
                return await self._commit(group)
            except ParamRaceError:
                continue
        return await self._commit(group)

    async def _ordinary(self, group: PreparedGroup) -> PreparedGroup:
        """Prepare a group that was not committed in one call."""
        return PreparedGroup(group.batches, group.chains, await self._prepare(group.chains))

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
                run_ids += run_ids[:1] * (PLANNED_ELEMENTS - len(run_ids))
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
            # After this only rows of these writers are locked, which are locked already.
            for number, more in (await write_alerts(connection, stored)).items():
                rejections.setdefault(number, []).extend(more)
            rejections |= refused
            joined = {number for chain in chains if chain.key in stages for number in chain.numbers} - hidden
            outcomes = {
                number: _settled(
                    stored.get(number, batches[number]),
                    stages[batches[number].run_id, batches[number].writer_id],
                    rejections.get(number, ()),
                    is_refused=number in refused,
                )
                for number in joined
            }
            noted = [
                (batches[number], (*batches[number].lost, *it.rejections)) for number, it in outcomes.items()
            ]
            if any(rejections for _, rejections in noted):
                await note_refusals(connection, noted)
        return await self._told(group, outcomes, {run_id for run_id, _ in stages})

    async def _told(
        self, group: PreparedGroup, outcomes: Mapping[int, Committed], run_ids: Collection[UUID]
    ) -> list[Outcome | StepwellError]:
        """Tell of what was committed, and find where the others stand."""
        self._tell(run_ids)
        batches = group.batches
        positions = await self._positions(
            [batch for number, batch in enumerate(batches) if number not in outcomes]
        )
        return [outcomes.get(number) or _refused(batch, positions) for number, batch in enumerate(batches)]

    async def _prepare(self, chains: Sequence[Chain], *, as_columns: bool = False) -> PreparedPoints | None:
        batches = [batch for chain in chains for batch in chain.batches if len(batch.points)]
        if not batches:
            return None
        ids = await self._metric_ids.resolve(key for batch in batches for key in batch.points.keys)
        if sum(len(batch.points) for batch in batches) < THREAD_POINTS_MIN:
            return prepare(chains, ids, as_columns=as_columns)
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
    given = list(chains)
    given += given[:1] * (PLANNED_ELEMENTS - len(given))
    rows = await connection.fetch(
        _SQL["advance_positions"],
        [chain.key[0] for chain in given],
        [chain.key[1] for chain in given],
        [chain.first_position for chain in given],
        [chain.end_position for chain in given],
    )
    return {(row["run_id"], row["writer_id"]): row for row in rows}


def _settled(
    batch: Batch, stage: LifecycleStage, rejections: Sequence[Rejection], *, is_refused: bool = False
) -> Committed:
    """What became durable of a batch whose position moved; of a deleted run: nothing."""
    points, entries = len(batch.points), len(batch.entries) - len(rejections)
    rejections = (*batch.refused, *rejections)
    if is_refused:
        return Committed(batch.end_position, 0, 0, rejections)
    if stage is LifecycleStage.DELETED:
        reason = f"run {batch.run_id.hex} is deleted; restore it before logging to it"
        refused = Rejection(batch.first_position, points + entries, "", InvalidStateError.error_code, reason)
        more = (refused,) if points + entries else ()
        return Committed(batch.end_position, 0, 0, (*rejections, *more))
    return Committed(batch.end_position, points, entries, rejections)


def _as_sent(chains: Sequence[Chain]) -> dict[int, Committed]:
    """What became durable of batches of which nothing was refused."""
    return {
        number: Committed(batch.end_position, len(batch.points), 0)
        for of_writer in chains
        for number, batch in of_writer.numbered()
    }


def _refused(batch: Batch, positions: dict[tuple[UUID, UUID], int]) -> NotJoined | NotFoundError:
    position = positions.get((batch.run_id, batch.writer_id))
    if position is None:
        return NotFoundError(
            f"run {batch.run_id.hex} (writer {batch.writer_id.hex}) does not exist: "
            "it was removed with `stepwell gc`, or never opened"
        )
    return NotJoined(position)
