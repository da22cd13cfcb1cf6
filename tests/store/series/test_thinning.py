"""Thinned series are looked for again when something changed, and only then."""

from importlib.resources import files
from uuid import uuid4

import pytest

from stepwell_server.model.series import EVERYTHING, Selection, SeriesName
from stepwell_server.store.ingest.rewinds import PostgresRewindStore
from stepwell_server.store.postgres.pool import Pool
from stepwell_server.store.series.histories import PostgresSeriesStore
from stepwell_server.store.sql import distributed, parse
from tests.harness.store.stored_logs import StoredLog, new_run

KEY = (
    "chunk.run_id = chosen.run_id AND chunk.metric_id = chosen.metric_id AND chunk.writer_id = chosen.writer_id"
    " AND chunk.first_position = chosen.first_position AND chunk.part = chosen.part"
)

Known = dict[SeriesName, bytes]


@pytest.mark.parametrize("runs", [1, 5, 6])
async def test_only_what_changed_is_looked_for_again(pool: Pool, runs: int) -> None:
    logs = [StoredLog(pool, await new_run(pool)) for _ in range(runs)]
    for log in logs:
        await log.commit({"loss": [(step, step, step / 2) for step in range(100)]})
    names = [SeriesName(log.run_id, "loss") for log in logs]
    store = PostgresSeriesStore(pool)
    known: Known = {}

    async def steps(selection: Selection = EVERYTHING) -> list[list[int] | None]:
        """Those that were looked for; what is known is what was told the last time."""
        found = await store.thinned(names, selection, 4, known)
        known.update((name, it.mark) for name, it in zip(names, found, strict=True) if it.mark)
        return [None if it.points is None else it.points.steps.tolist() for it in found]

    others: list[list[int] | None] = [None] * (runs - 1)
    assert await steps() == [[0, 25, 50, 99]] * runs
    assert await steps() == [None] * runs
    known.clear()
    assert await steps(Selection(step_from=60)) == [[60, 70, 80, 99]] * runs
    await logs[-1].commit({"loss": [(100, 100, 1.0)]})
    assert await steps() == [*others, [0, 26, 51, 100]]
    await PostgresRewindStore(pool).rewind(logs[0].run_id, 40)
    assert await steps() == [[0, 10, 20, 39], *others]
    known.clear()
    assert await steps(Selection(time_from_ms=50)) == [None] * runs


async def test_runs_that_have_nothing_have_no_mark(pool: Pool) -> None:
    log = StoredLog(pool, await new_run(pool))
    await log.commit({"loss": [(1, 1, 0.5)]})
    names = [SeriesName(uuid4(), "loss"), SeriesName(log.run_id, "other"), SeriesName(log.run_id, "loss")]
    nothing, other, loss = await PostgresSeriesStore(pool).thinned(
        names, EVERYTHING, 4, {names[0]: b"an earlier mark"}
    )
    assert nothing.mark is None
    assert other.mark == loss.mark is not None
    for it, count in ((nothing, 0), (other, 0), (loss, 1)):
        assert it.points is not None
        assert len(it.points) == count


async def test_databases_of_one_machine_and_of_several_say_the_same(pool: Pool) -> None:
    """The function, and the statement that stands for it where no function may read spread tables.

    There chunks of several machines may have the same address, so that they are found again by their keys.
    """
    text = parse((files("stepwell_server.store.sql") / "sampling.sql").read_text(), "sampling")["thinned"]
    spread = distributed(text)
    spread = spread.replace("chunk.run_id = ANY ($1::uuid[]) AND writer.run_id = ANY ($1::uuid[]) AND", "")
    spread = spread.replace("AND chunk.run_id = ANY ($1::uuid[])", "OFFSET 0")
    async with pool.connection() as connection:
        function = await connection.fetchval("SELECT prosrc FROM pg_proc WHERE proname = 'thinned_points'")
    function = function.replace(", chunk.ctid AS address", "").replace("chunk.ctid = chosen.address", KEY)
    assert function.partition("WITH")[2].rpartition(";")[0].split() == spread.partition("WITH")[2].split()


async def test_the_plan_is_for_all_values_and_kept(pool: Pool) -> None:
    """What would be planned anew would take another way once the first one costs more."""
    log = StoredLog(pool, await new_run(pool))
    await log.commit({"loss": [(1, 1, 0.5)]})
    ways = []
    async with pool.transaction() as connection:
        for dear in ("seqscan", "indexscan"):
            await connection.execute(
                f"SET LOCAL enable_seqscan = on; SET LOCAL enable_indexscan = on; SET LOCAL enable_{dear} = off;"
                " SET LOCAL enable_bitmapscan = off"
            )
            call = "SELECT chunks FROM thinned_points($1, $2, -1000, 1000, 10, 10)"
            assert await connection.fetchval(call, [log.run_id], ["loss"]) == 1
            ways.append(
                await connection.fetchval(
                    "SELECT seq_scan FROM pg_stat_xact_user_tables WHERE relname = 'metric_chunk'"
                )
            )
    assert ways == [0, 0]
