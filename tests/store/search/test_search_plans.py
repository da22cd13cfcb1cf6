"""The ways that searches take, as EXPLAIN ANALYZE tells them: which indexes, and how many rows are looked at."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from benchmarks.loads.seeded_runs import seed
from stepwell_server.model.runs import ViewType
from stepwell_server.search.parser import parse_field, parse_filter, parse_order
from stepwell_server.search.queries import Projection, RunSearch
from stepwell_server.search.subjects import RUNS
from stepwell_server.store.postgres.pool import Pool
from stepwell_server.store.search import group_query
from stepwell_server.store.search.run_query import RunQuery

RUN_COUNT = 2_000
CANDIDATES_MAX = 50
WALKED_MAX = 400
PAGE = 11
TABLES = ("run", "param", "tag", "metric_latest")


@pytest.fixture
async def seeded(pool: Pool, database_url: str) -> Pool:
    await seed(database_url, runs=RUN_COUNT, params=3, metrics=5, tags=2)
    return pool


async def plan(pool: Pool, filter_: str, *order_by: str) -> dict[str, Any]:
    search = RunSearch(
        [1],
        ViewType.ACTIVE_ONLY,
        parse_filter(filter_, RUNS),
        parse_order(order_by, RUNS),
        PAGE,
        projection=Projection(params=["param_00"], metrics=["metric_01"], tags=[]),
    )
    query = RunQuery(search, candidates_max=CANDIDATES_MAX, walked_max=WALKED_MAX)
    async with pool.connection() as connection:
        text = await connection.fetchval(
            "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, FORMAT JSON) " + query.text, *query.parameters.values
        )
    return json.loads(text)[0]["Plan"]


def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from nodes(child)


def part(root: dict[str, Any], name: str) -> dict[str, Any]:
    """The sub-plan of a part of the statement."""
    return next(node for node in nodes(root) if node.get("Subplan Name") == f"CTE {name}")


def looked_at(root: dict[str, Any]) -> dict[str, int]:
    """Rows read of each table, with those that were thrown away."""
    rows = dict.fromkeys(TABLES, 0)
    for node in nodes(root):
        if node.get("Relation Name") in rows:
            each = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
            rows[node["Relation Name"]] += round(each * node["Actual Loops"])
    return rows


def ran(root: dict[str, Any], name: str) -> bool:
    return any(
        node["Actual Loops"] > 0 for node in nodes(part(root, name)) if node.get("Relation Name") in TABLES
    )


def assert_by_index(root: dict[str, Any]) -> None:
    """No table with rows of many runs is read as a whole; of runs, the counts of rows tell."""
    whole = [
        node["Relation Name"]
        for node in nodes(root)
        if node["Node Type"] == "Seq Scan" and node["Actual Loops"]
    ]
    assert not set(whole) & {"param", "tag", "metric_latest"}


async def test_many_matches_are_walked_in_order_until_the_page_is_full(seeded: Pool) -> None:
    root = await plan(
        seeded,
        "metrics.metric_00 < 0.5 AND metrics.metric_01 > 0.4 AND params.param_01 != 'word 3'",
        "metrics.metric_02 DESC",
    )
    walked = part(root, "walked")
    entries = next(node for node in nodes(walked) if node.get("Index Name") == "metric_latest_by_value")
    assert 0 < entries["Actual Rows"] <= WALKED_MAX
    assert not ran(root, "driven")
    assert_by_index(root)
    assert sum(looked_at(root).values()) < 6 * WALKED_MAX


async def test_a_walk_asks_the_index_about_texts_before_it_looks_at_runs(seeded: Pool) -> None:
    root = await plan(
        seeded, "metrics.metric_00 < 0.9 AND params.param_01 = 'word 3'", "metrics.metric_02 DESC"
    )
    walked = [node for node in nodes(part(root, "walked")) if node["Actual Loops"]]
    (texts,) = (node for node in walked if node.get("Relation Name") == "param")
    assert (texts["Node Type"], texts["Index Name"]) == ("Index Only Scan", "param_by_value")
    (runs,) = (node for node in walked if node.get("Relation Name") == "run")
    assert 0 < runs["Actual Loops"] < texts["Actual Loops"] / 4
    assert not ran(root, "driven")


@pytest.mark.parametrize("table", ["param", "tag"])
async def test_texts_that_an_index_cannot_hold_have_one_of_their_beginnings(seeded: Pool, table: str) -> None:
    root = await plan(seeded, f"{table}s.{table}_01 IN ('word 3', '{'x' * 201}')")
    used = {node.get("Index Name") for node in nodes(root)}
    assert {f"{table}_by_value", f"{table}_by_start"} <= used
    assert_by_index(root)


async def test_few_matches_are_looked_up_and_sorted(seeded: Pool) -> None:
    root = await plan(
        seeded, "metrics.metric_00 < 0.01 AND metrics.metric_01 > 0.4", "metrics.metric_02 DESC"
    )
    assert not ran(root, "walked")
    assert ran(root, "driven")
    assert_by_index(root)
    assert sum(looked_at(root).values()) < 12 * CANDIDATES_MAX


async def test_a_tag_is_looked_up_by_its_value(seeded: Pool) -> None:
    root = await plan(seeded, "tags.tag_01 = 'label 7'", "run_name")
    assert any(
        (node["Node Type"], node.get("Index Name")) == ("Index Only Scan", "tag_by_value")
        for node in nodes(root)
    )
    assert_by_index(root)
    assert sum(looked_at(root).values()) < 12 * CANDIDATES_MAX


async def test_the_usual_listing_walks_along_start_times(seeded: Pool) -> None:
    root = await plan(seeded, "")
    assert any(
        node.get("Index Name") == "run_by_experiment" and node["Actual Loops"]
        for node in nodes(part(root, "walked"))
    )
    assert_by_index(root)
    assert sum(looked_at(root).values()) < WALKED_MAX + 12 * PAGE + CANDIDATES_MAX


async def test_a_walk_in_vain_is_bounded(seeded: Pool) -> None:
    """Each condition names many runs, all of them together none: the walk gives up, the intersection tells."""
    root = await plan(
        seeded,
        "metrics.metric_00 < 0.04 AND metrics.metric_01 < 0.04 AND metrics.metric_03 < 0.04",
        "metrics.metric_02",
    )
    walked = part(root, "walked")
    entries = next(node for node in nodes(walked) if node.get("Index Name") == "metric_latest_by_value")
    assert entries["Actual Rows"] <= WALKED_MAX + 1
    assert looked_at(root)["run"] < WALKED_MAX + 4 * CANDIDATES_MAX


async def explained(pool: Pool, text: str, values: Sequence[Any]) -> dict[str, Any]:
    async with pool.connection() as connection:
        told = await connection.fetchval(
            f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, FORMAT JSON) {text}", *values
        )
    return json.loads(told)[0]["Plan"]


async def test_roots_are_walked_with_a_look_at_the_tag_of_each(seeded: Pool) -> None:
    search = RunSearch(
        [1], ViewType.ACTIVE_ONLY, None, (), PAGE, projection=Projection([], [], []), roots_only=True
    )
    query = RunQuery(search, candidates_max=CANDIDATES_MAX, walked_max=WALKED_MAX)
    root = await explained(seeded, query.text, query.parameters.values)
    assert not ran(root, "driven")
    assert_by_index(root)
    assert looked_at(root)["tag"] <= WALKED_MAX


@pytest.mark.parametrize("probed_max", [RUN_COUNT, 0])
async def test_groups_read_keys_from_indexes(
    seeded: Pool, monkeypatch: pytest.MonkeyPatch, probed_max: int
) -> None:
    """Of few runs, one probe for each and field; of many, the entries of a key and nothing else of its table."""
    monkeypatch.setattr(group_query, "PROBED_RUNS_MAX", probed_max)
    async with seeded.connection() as connection:
        await connection.execute("ANALYZE")
        ids = [row["run_id"] for row in await connection.fetch("SELECT run_id FROM run")]
    by = [parse_field("params.param_01", RUNS), parse_field("tags.tag_01", RUNS)]
    query = group_query.GroupQuery(ids, by, [parse_field("metrics.metric_01", RUNS)], 100)
    root = await explained(seeded, query.text, query.parameters.values)
    assert_by_index(root)
    used = {node.get("Index Name") for node in nodes(root)}
    indexes = {"param_by_value", "tag_by_value", "metric_latest_by_value"}
    assert (indexes <= used) == (probed_max == 0)
    assert sum(looked_at(root).values()) <= 6 * RUN_COUNT
