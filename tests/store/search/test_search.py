"""Searches find what the plain Python model finds, in its order, whatever way the statement takes."""

import asyncio
import math
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stepwell_server import composition
from stepwell_server.config import Config
from stepwell_server.errors import BadPatternError, UnavailableError
from stepwell_server.model.runs import PARENT_RUN_TAG, Dataset, DatasetInput, ViewType
from stepwell_server.search import expressions as ex
from stepwell_server.search.parser import parse_filter, parse_order
from stepwell_server.search.queries import Projection, RowPosition, RunSearch
from stepwell_server.search.subjects import RUNS
from stepwell_server.services.paging.searches import make_search_token, read_search_token
from stepwell_server.store import sql
from stepwell_server.store.ingest.metrics import MetricIds
from stepwell_server.store.ingest.points import PointStore
from stepwell_server.store.ingest.value_index import settle
from stepwell_server.store.ingest.writer import GroupCommitWriter
from stepwell_server.store.postgres.pool import Pool
from stepwell_server.store.search.run_query import RunQuery
from stepwell_server.store.tracking import flat_searches
from stepwell_server.store.tracking.flat_searches import FlatSearchStore
from stepwell_server.store.tracking.inputs import PostgresInputStore
from stepwell_server.store.tracking.searches import PostgresSearchStore
from tests.harness.store.logs import Log, commit, opened, rows
from tests.harness.store.search_model import ModelRun, fulfils, in_order

STATUSES = ["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"]
FLOATS = [0.5, -1.0, 2.0, 1e300, -0.0, math.nan, math.inf, -math.inf]
TEXTS = ["0.5", "2", "-1e2", "1e999", "", "abc", "ABC", "abd", "Ä", "a%c", "0x1", " 2", "zoë"]


def some_runs() -> list[ModelRun]:
    """Runs with everything that is odd: missing, equal, NaN, infinite, texts that are numbers or nearly."""
    runs = []
    for number in range(40):
        run = ModelRun(
            run_id=UUID(int=number * 7919 % 41).hex,
            name=TEXTS[number % 5] or "empty",
            status=STATUSES[number % 5],
            start_time=1_000 + number // 4,
            end_time=None if number % 3 else 5_000 - number,
        )
        if number % 4:
            run.metrics["loss"] = [FLOATS[(number * step) % len(FLOATS)] for step in range(1, 1 + number % 5)]
        if number % 6:
            run.metrics["acc"] = [float(number % 3)]
        run.metrics = {key: history for key, history in run.metrics.items() if history}
        if number % 5:
            run.params["lr"] = TEXTS[number % len(TEXTS)]
        if number % 2:
            run.tags["kind of"] = TEXTS[(number * 3) % len(TEXTS)]
        if number % 3 == 0:
            names = [TEXTS[number % 7], TEXTS[(number + 5) % 13]][: 1 + number % 2]
            run.datasets = [{"name": name or "unnamed", "digest": f"d{number % 4}"} for name in names]
            if number % 4:
                run.datasets[0]["context"] = TEXTS[5 + number % 3]
        runs.append(run)
    return runs


MODEL = some_runs()


async def store_runs(pool: Pool, runs: Sequence[ModelRun]) -> None:
    async with pool.connection() as connection:
        for run in runs:
            run_id = UUID(hex=run.run_id)
            await connection.execute(
                "INSERT INTO run (run_id, experiment_id, name, status, start_time_ms, end_time_ms, user_name,"
                " artifact_uri) VALUES ($1, 0, $2, $3, $4, $5, 'someone', 'somewhere')",
                *(run_id, run.name, STATUSES.index(run.status) + 1, run.start_time, run.end_time),
            )
            for table, pairs in (("param", run.params), ("tag", run.tags)):
                await connection.executemany(
                    f"INSERT INTO {table} VALUES ($1, $2, $3)", [(run_id, *pair) for pair in pairs.items()]
                )
    inputs = PostgresInputStore(pool)
    async with GroupCommitWriter(PointStore(pool, MetricIds(pool))) as writer:
        for run in runs:
            for it in run.datasets:
                tags = {"mlflow.data.context": it["context"]} if "context" in it else {}
                used = DatasetInput(Dataset(it["name"], it["digest"], "code", "{}", "", ""), tags)
                await inputs.log_inputs(UUID(hex=run.run_id), [used])
            log: Log = await opened(pool, UUID(hex=run.run_id))
            series = {
                key: [(step, step, value) for step, value in enumerate(history)]
                for key, history in run.metrics.items()
            }
            await commit(writer, log.batch(series))


@pytest.fixture
async def store(pool: Pool) -> PostgresSearchStore:
    """The model's runs, half of them settled."""
    await store_runs(pool, MODEL[:20])
    assert await settle(pool, 0) == 20
    await store_runs(pool, MODEL[20:])
    return PostgresSearchStore(pool)


METRICS = st.sampled_from(["loss", "acc", "nobody"])
METRIC_FIELDS = st.one_of(
    METRICS.map(lambda key: f"metrics.{key}"),
    st.tuples(st.sampled_from(["min", "max", "mean", "last", "count"]), METRICS).map(
        lambda it: f"{it[0]}(metrics.{it[1]})"
    ),
)
FREE_TEXT_FIELDS = st.sampled_from(["params.lr", "params.none", "tags.`kind of`", "run_name", "run_id"])
TEXT_FIELDS = st.one_of(FREE_TEXT_FIELDS, st.just("status"))
DATASET_FIELDS = st.sampled_from(["datasets.name", "dataset.digest", "datasets.context"])
LOOSE_FIELDS = st.sampled_from(["params.lr", 'tag."kind of"'])
NUMBER_FIELDS = st.one_of(
    METRIC_FIELDS, st.sampled_from(["start_time", "attr.end_time", "number(params.lr)"])
)
NUMBERS = st.sampled_from(["0.5", "-1", "2", "1e300", "0", "inf", "-inf", "1", "3", "1004", "4990", "0.25"])
QUOTED = st.one_of(
    st.sampled_from([*TEXTS, *STATUSES, *(run.run_id for run in MODEL[:3]), "it's"]).map(
        lambda text: "'" + text.replace("'", "''") + "'"
    )
)
PATTERNS = st.sampled_from(
    [
        "'a%'",
        "'%b_'",
        "'_'",
        "'%'",
        "'ABC'",
        "'z%'",
        r"'a\%'",
        r"'\%'",
        "'a!%' ESCAPE '!'",
        "'ab%' ESCAPE 'a'",
    ]
)
REGEXPS = st.sampled_from(["'^a'", "'b[cd]$'", "'[0-9]+'", "'.'"])
COMPARATORS = st.sampled_from(["=", "!=", "<", "<=", ">", ">=", "==", "<>"])
NOT = st.sampled_from(["", "NOT "])


def conditions() -> st.SearchStrategy[str]:
    def compared(fields: st.SearchStrategy[str], values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        listed = st.lists(values, min_size=1, max_size=3).map(", ".join)
        return st.one_of(
            st.tuples(fields, COMPARATORS, values).map(" ".join),
            st.tuples(fields, NOT, values, values).map(
                lambda it: f"{it[0]} {it[1]}BETWEEN {it[2]} AND {it[3]}"
            ),
            st.tuples(fields, NOT, listed).map(lambda it: f"{it[0]} {it[1]}IN ({it[2]})"),
        )

    return st.one_of(
        compared(NUMBER_FIELDS, NUMBERS),
        compared(LOOSE_FIELDS, NUMBERS),
        compared(FREE_TEXT_FIELDS, QUOTED),
        compared(st.just("status"), st.sampled_from(STATUSES).map(lambda status: f"'{status}'")),
        compared(DATASET_FIELDS, st.one_of(QUOTED, st.sampled_from(["'d0'", "'d2'", "'unnamed'"]))),
        st.tuples(
            st.one_of(TEXT_FIELDS, DATASET_FIELDS), NOT, st.sampled_from(["LIKE", "ilike"]), PATTERNS
        ).map(lambda it: f"{it[0]} {it[1]}{it[2]} {it[3]}"),
        st.tuples(st.one_of(TEXT_FIELDS, DATASET_FIELDS), NOT, REGEXPS).map(
            lambda it: f"{it[0]} {it[1]}REGEXP {it[2]}"
        ),
        st.tuples(st.one_of(NUMBER_FIELDS, TEXT_FIELDS, DATASET_FIELDS), NOT).map(
            lambda it: f"{it[0]} IS {it[1]}NULL"
        ),
    )


FILTERS = st.recursive(
    conditions(),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from([" AND ", " OR ", " and "]), inner).map("".join),
        inner.map(lambda text: f"({text})"),
        inner.map(lambda text: f"NOT ({text})"),
    ),
    max_leaves=6,
)
ORDERS = st.lists(
    st.tuples(st.one_of(NUMBER_FIELDS, TEXT_FIELDS), st.sampled_from(["", " DESC", " asc"])).map("".join),
    max_size=3,
    unique_by=lambda text: text.split()[0] if " of" not in text else text[:14],
)


async def all_pages(
    store: PostgresSearchStore, filter_: ex.Expression | None, order: tuple[ex.OrderKey, ...], size: int
) -> list[str]:
    found: list[str] = []
    after: RowPosition | None = None
    while True:
        search = RunSearch([0], ViewType.ACTIVE_ONLY, filter_, order, size, after)
        page = await store.search_runs(search)
        found += [run.info.run_id.hex for run, _ in page]
        assert len(found) <= len(MODEL)
        if len(page) < size:
            return found
        after = read_search_token("digest", make_search_token("digest", page[-1][1]), order)


@settings(
    max_examples=160,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    text=st.one_of(st.just(""), FILTERS), order_texts=ORDERS, size=st.sampled_from([3, 7, 50]), data=st.data()
)
async def test_a_search_finds_what_the_model_finds(
    store: PostgresSearchStore, text: str, order_texts: list[str], size: int, data: st.DataObject
) -> None:
    filter_, order = parse_filter(text, RUNS), parse_order(order_texts, RUNS)
    expected = [run for run in in_order(MODEL, order) if filter_ is None or fulfils(run, filter_)]
    if data.draw(st.integers(0, 2)):
        ways = {
            "candidates_max": data.draw(st.sampled_from([0, 8, 1_000])),
            "walked_max": data.draw(st.sampled_from([1, 10])),
        }
        store = _Limited(store._pool, **ways)
    else:
        store = FlatSearchStore(store._pool)
    assert await all_pages(store, filter_, order, size) == [run.run_id for run in expected]


NUMBERS_THAT_OCCUR = {"metrics.acc": "1", "max(metrics.loss)": "0.5", "params.lr": "2", "start_time": "1004"}
TEXTS_THAT_OCCUR = {
    "params.lr": "'abc'",
    "tags.`kind of`": "'ABC'",
    "status": "'FAILED'",
    "datasets.name": "'2'",
}


def every_condition() -> list[str]:
    """Each operator on each kind of field, with a value that some run has: at the edge of what is found."""
    made = []
    for field, value in (*NUMBERS_THAT_OCCUR.items(), *TEXTS_THAT_OCCUR.items()):
        made += [f"{field} {operator} {value}" for operator in ("=", "!=", "<", "<=", ">", ">=")]
        made += [f"{field} {word} {value} AND {value}" for word in ("BETWEEN", "NOT BETWEEN")]
        made += [f"{field} {word} ({value})" for word in ("IN", "NOT IN")]
        made += [f"{field} IS NULL", f"{field} IS NOT NULL"]
    for field in TEXTS_THAT_OCCUR:
        words = ("LIKE 'a%'", "ILIKE 'a_c'", "REGEXP '^[a2F]'")
        made += [f"{field} {negation}{word}" for negation in ("", "NOT ") for word in words]
    return made


async def test_every_operator_finds_what_the_model_finds(store: PostgresSearchStore) -> None:
    for condition in every_condition():
        for text in (condition, f"NOT ({condition})", f"metrics.acc >= 0 AND {condition}"):
            filter_ = parse_filter(text, RUNS)
            assert filter_ is not None
            expected = [run.run_id for run in in_order(MODEL, ()) if fulfils(run, filter_)]
            for searches in (store, FlatSearchStore(store._pool)):
                assert await all_pages(searches, filter_, (), 50) == expected, text
                assert await searches.count_runs([0], ViewType.ALL, filter_) == len(expected)


class _Limited(PostgresSearchStore):
    """A store with such limits that it takes all of its ways on few runs."""

    def __init__(self, pool: Pool, **limits: int) -> None:
        super().__init__(pool)
        self._limits = limits

    def _compile(self, search: RunSearch) -> RunQuery:
        return RunQuery(search, **self._limits)


async def test_a_search_sees_what_was_committed_just_now(pool: Pool, store: PostgresSearchStore) -> None:
    """A settled run that logs again is found by its new value and not by its old one, before and after settling."""
    run_id = UUID(hex=MODEL[1].run_id)
    async with GroupCommitWriter(PointStore(pool, MetricIds(pool))) as writer:
        log = await opened(pool, run_id)
        await commit(writer, log.batch({"loss": [(1_000, 1, 77.0)]}))
    for _ in range(2):
        for limits in ({"candidates_max": 0}, {"candidates_max": 1_000}):
            limited = _Limited(pool, **limits)
            for text in ("metrics.loss = 77", "metrics.loss > 70 AND metrics.loss < 80"):
                assert await all_pages(limited, parse_filter(text, RUNS), (), 10) == [run_id.hex]
            by_loss = parse_order(["metrics.loss DESC"], RUNS)
            at_most = parse_filter("metrics.loss <= 77", RUNS)
            assert (await all_pages(limited, at_most, by_loss, 10))[0] == run_id.hex
        await settle(pool, 0)
    assert await rows(pool, "SELECT count(*) FROM run WHERE unsettled_time_ms IS NOT NULL") == [(0,)]
    assert await rows(
        pool, "SELECT count(*) FROM metric_latest WHERE indexed_value IS DISTINCT FROM value"
    ) == [(0,)]


@pytest.mark.parametrize("candidates_max", [0, 1_000])
async def test_a_run_that_the_index_and_its_commits_know_is_there_once(
    pool: Pool, store: PostgresSearchStore, candidates_max: int
) -> None:
    run_id = UUID(hex=MODEL[1].run_id)
    async with GroupCommitWriter(PointStore(pool, MetricIds(pool))) as writer:
        log = await opened(pool, run_id)
        await commit(writer, log.batch({"loss": [(1_000, 1, 77.0)]}))
        await settle(pool, 0)
        await commit(writer, log.batch({"loss": [(1_001, 1, 78.0)]}))
    filter_ = parse_filter("metrics.loss BETWEEN 77 AND 78", RUNS)
    assert await all_pages(_Limited(pool, candidates_max=candidates_max), filter_, (), 10) == [run_id.hex]


LONG_TEXTS = ["a" * 199, "a" * 200, "a" * 201, "a" * 200 + "b", "ä" * 3_000]


@pytest.mark.parametrize("candidates_max", [0, 1_000])
async def test_texts_of_any_length_are_found(pool: Pool, candidates_max: int) -> None:
    runs = [
        ModelRun(
            UUID(int=number).hex, "long", "RUNNING", number, None, params={"text": text}, tags={"text": text}
        )
        for number, text in enumerate(LONG_TEXTS)
    ]
    await store_runs(pool, runs)
    store = _Limited(pool, candidates_max=candidates_max)
    for run in runs:
        for field in ("params", "tags"):
            wanted = parse_filter(f"{field}.text = '{run.params['text']}'", RUNS)
            assert await all_pages(store, wanted, (), 10) == [run.run_id]
    listed = ", ".join(f"'{text}'" for text in LONG_TEXTS[1:4])
    some = await all_pages(store, parse_filter(f"params.text IN ({listed})", RUNS), (), 10)
    assert some == [run.run_id for run in runs[3:0:-1]]


async def test_settling_passes_over_runs_that_are_committed_to(
    pool: Pool, store: PostgresSearchStore
) -> None:
    run_id = UUID(hex=MODEL[25].run_id)
    async with pool.transaction() as connection:
        await connection.execute("UPDATE writer SET position = position WHERE run_id = $1", run_id)
        assert await settle(pool, 0) == 19
    assert await rows(pool, "SELECT run_id FROM run WHERE unsettled_time_ms IS NOT NULL") == [(run_id,)]
    assert await settle(pool, 0) == 1


async def test_runs_from_before_the_clock_was_set_back_are_settled(
    pool: Pool, store: PostgresSearchStore
) -> None:
    later = "(extract(epoch FROM now() + interval '1 day') * 1000)::bigint"
    await rows(pool, f"UPDATE run SET unsettled_time_ms = {later} RETURNING 1")
    assert await settle(pool, 60_000) == len(MODEL)


async def test_settling_and_commits_at_once_lose_nothing(pool: Pool) -> None:
    runs = MODEL[:6]
    await store_runs(pool, runs)

    async def log_on(run: ModelRun, writer: GroupCommitWriter) -> None:
        log = await opened(pool, UUID(hex=run.run_id))
        for step in range(25):
            await commit(writer, log.batch({"loss": [(2_000 + step, 1, float(step))]}))

    async with GroupCommitWriter(PointStore(pool, MetricIds(pool))) as writer:
        logging = [asyncio.create_task(log_on(run, writer)) for run in runs]
        while not all(task.done() for task in logging):
            await settle(pool, 0)
        await asyncio.gather(*logging)
    stale = """
        SELECT run_id FROM run JOIN metric_latest USING (run_id)
        WHERE unsettled_time_ms IS NULL AND indexed_value IS DISTINCT FROM value
    """
    assert await rows(pool, stale) == []


@pytest.mark.parametrize("kind", [PostgresSearchStore, FlatSearchStore])
async def test_only_what_is_wanted_is_read(
    store: PostgresSearchStore, kind: type[PostgresSearchStore]
) -> None:
    store = kind(store._pool)
    projection = Projection(params=["lr"], metrics=["acc"], tags=[])
    search = RunSearch([0], ViewType.ALL, None, (), 100, projection=projection)
    found = {run.info.run_id.hex: run for run, _ in await store.search_runs(search)}
    for model in MODEL:
        run = found[model.run_id]
        assert (run.params, run.tags) == (model.params, {})
        assert {metric.key for metric in run.metrics} == {"acc"} & model.metrics.keys()
    search = RunSearch(None, ViewType.ALL, None, (), 100)
    everything = {run.info.run_id.hex: run for run, _ in await store.search_runs(search)}
    assert {metric.key for metric in everything[MODEL[1].run_id].metrics} == MODEL[1].metrics.keys()
    assert everything[MODEL[1].run_id].tags == MODEL[1].tags


async def test_one_node_and_several_find_the_same_of_runs(
    store: PostgresSearchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stepwell_server.store.tracking.flat_searches.FIRST_ROWS", 3)
    for projection in (Projection(), Projection(summaries=True), Projection([], ["loss"], ["kind of"])):
        search = RunSearch([0], ViewType.ALL, None, (), 100, projection=projection)
        found = [await kind.search_runs(search) for kind in (store, FlatSearchStore(store._pool))]
        assert len(found[0]) == len(MODEL)
        assert repr(found[0]) == repr(found[1])


@pytest.mark.parametrize(
    ("searches", "kind"),
    [("auto", PostgresSearchStore), ("single", PostgresSearchStore), ("distributed", FlatSearchStore)],
)
async def test_the_database_says_which_form_it_needs_unless_one_is_named(
    pool: Pool, searches: str, kind: type[PostgresSearchStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql.Queries, "is_distributed", not searches)  # put back at the end
    found, _ = composition.search_stores(Config(searches=searches), pool)
    assert type(found) is kind
    assert sql.Queries.is_distributed == (searches == "distributed")


@pytest.mark.parametrize("kind", [PostgresSearchStore, FlatSearchStore])
async def test_what_is_found_is_changed_and_counted(
    store: PostgresSearchStore, kind: type[PostgresSearchStore]
) -> None:
    searches, some = kind(store._pool), parse_filter("metrics.loss > 0 OR params.lr = 'abc'", RUNS)
    nothing = parse_filter("metrics.nobody = 1", RUNS)
    assert some is not None
    assert nothing is not None
    found = [run.run_id for run in in_order(MODEL, ()) if fulfils(run, some)]
    tags = {"good": "yes", "kind of": "new"}
    for _ in range(2):
        assert await searches.tag_runs([0], some, tags) == len(found)
    tagged = parse_filter("tags.good = 'yes' AND tags.`kind of` = 'new'", RUNS)
    assert await all_pages(store, tagged, (), 50) == found
    assert await searches.tag_runs([1], some, tags) == await searches.tag_runs(None, some, tags, [0]) == 0
    assert await searches.delete_runs([0], nothing) == 0
    assert await searches.delete_runs([0], some) == len(found)
    assert await searches.delete_runs([0], some) == await searches.tag_runs([0], some, tags) == 0
    experiment = "UPDATE experiment SET lifecycle_stage = $1 WHERE experiment_id = 0"
    async with store._pool.connection() as connection:
        await connection.execute(experiment, "deleted")
        assert await searches.restore_runs([0], some) == 0
        await connection.execute(experiment, "active")
    assert await searches.restore_runs([0], some) == len(found)
    assert await searches.count_runs([0], ViewType.ACTIVE_ONLY, None) == len(MODEL)


async def test_only_roots_are_found(store: PostgresSearchStore) -> None:
    """Runs without a parent among those that are asked about, one by one or on any node."""
    ids = [run.run_id for run in in_order(MODEL, ())]
    parents = {
        ids[1]: ids[0],
        ids[2]: ids[1],
        ids[3]: ids[3],
        ids[4]: UUID(int=9_999).hex,
        ids[5]: "no id",
        ids[6]: ids[7],
    }
    async with store._pool.connection() as connection:
        for run_id, parent in parents.items():
            await connection.execute(
                "INSERT INTO tag VALUES ($1, $2, $3)", UUID(hex=run_id), PARENT_RUN_TAG, parent
            )
        await connection.execute(
            "UPDATE run SET lifecycle_stage = 'deleted' WHERE run_id = $1", UUID(hex=ids[7])
        )
    for view, without in ((ViewType.ACTIVE_ONLY, {1, 2, 7}), (ViewType.ALL, {1, 2, 6})):
        expected = [run_id for number, run_id in enumerate(ids) if number not in without]
        for searches in (store, FlatSearchStore(store._pool)):
            search = RunSearch(None, view, None, (), 100, roots_only=True)
            assert [run.info.run_id.hex for run, _ in await searches.search_runs(search)] == expected


async def test_a_page_is_asked_for_again_when_one_of_its_runs_is_removed(
    store: PostgresSearchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = UUID(hex=in_order(MODEL, ())[2].run_id)
    composed = flat_searches.columns_query

    def late(run_ids: Sequence[UUID], *wanted: Any) -> tuple[str, Sequence[Any]]:
        return composed([UUID(int=1 << 100) if it == gone else it for it in run_ids], *wanted)

    monkeypatch.setattr(flat_searches, "columns_query", late)
    with pytest.raises(UnavailableError, match="search again"):
        await FlatSearchStore(store._pool).search_runs(RunSearch([0], ViewType.ALL, None, (), 10))
    async with store._pool.connection() as connection:
        await connection.execute("UPDATE run SET lifecycle_stage = 'deleted' WHERE run_id = $1", gone)
    found = await FlatSearchStore(store._pool).search_runs(RunSearch([0], ViewType.ACTIVE_ONLY, None, (), 10))
    assert len(found) == 10


async def test_a_regular_expression_that_is_none_is_refused(store: PostgresSearchStore) -> None:
    text = "params.none REGEXP 'a' AND NOT (run_name = 'x' OR params.none RLIKE '(')"
    with pytest.raises(
        BadPatternError, match=r"no regular expression: parentheses \(\) not balanced"
    ) as refused:
        await store.search_runs(RunSearch([0], ViewType.ALL, parse_filter(text, RUNS), (), 1))
    assert refused.value.place == text.index("'('")


async def test_pages_stay_where_they_are_while_runs_are_added(store: PostgresSearchStore, pool: Pool) -> None:
    order = parse_order(["metrics.acc DESC"], RUNS)
    first = await store.search_runs(RunSearch([0], ViewType.ALL, None, order, 10))
    await store_runs(
        pool, [ModelRun(UUID(int=999).hex, "new", "RUNNING", 9_999, None, metrics={"acc": [9.0]})]
    )
    second = await store.search_runs(RunSearch([0], ViewType.ALL, None, order, 100, first[-1][1]))
    ids = [run.info.run_id.hex for run, _ in [*first, *second]]
    assert ids == [run.run_id for run in in_order(MODEL, order)]
