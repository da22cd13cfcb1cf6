"""MLflow's published rules of searches, one by one: conditions, orders, pages, of runs and of experiments."""

import uuid
from typing import Any

import pytest

from tests.harness.network.rest import Rest

INVALID = (400, "INVALID_PARAMETER_VALUE")

RUNS: dict[str, dict[str, Any]] = {
    "a": {"metrics": {"loss": 0.5, "odd name": 1}, "params": {"lr": "0.1"}, "tags": {"team": "red"}},
    "b": {"metrics": {"loss": 0.25}, "params": {"lr": "0.01"}, "tags": {"team": "Blue"}},
    "c": {"metrics": {"loss": "NaN"}, "params": {"empty": ""}},
    "d": {},
}
START_MS = 1_700_000_000_000


@pytest.fixture
async def filled(rest: Rest, experiment: str) -> dict[str, str]:
    """Ids of runs by their letters."""
    ids = {}
    for number, (letter, logged) in enumerate(RUNS.items()):
        run = await rest.new_run(
            experiment_id=experiment, run_name=f"run {letter}", start_time=START_MS + number, user_id="ada"
        )
        metrics = logged.get("metrics", {}).items()
        await rest.post(
            "runs/log-batch",
            {
                "run_id": run,
                "metrics": [{"key": key, "value": value, "timestamp": 1} for key, value in metrics],
                "params": [{"key": key, "value": value} for key, value in logged.get("params", {}).items()],
                "tags": [{"key": key, "value": value} for key, value in logged.get("tags", {}).items()],
            },
        )
        ids[letter] = run
    await rest.post("runs/update", {"run_id": ids["a"], "status": "FINISHED", "end_time": START_MS + 9})
    dataset = {"name": "digits", "digest": "1a", "source_type": "local", "source": "{}"}
    tags = [{"key": "mlflow.data.context", "value": "train"}]
    await rest.post("runs/log-inputs", {"run_id": ids["b"], "datasets": [{"dataset": dataset, "tags": tags}]})
    return ids


async def found(rest: Rest, experiment: str, filter_: str = "", **more: Any) -> str:
    """Return the letters of the runs that a search finds, in order."""
    fields = {"experiment_ids": [experiment], "filter": filter_, **more}
    runs = (await rest.post("runs/search", fields)).get("runs", [])
    return "".join(run["info"]["run_name"][-1] for run in runs)


@pytest.mark.parametrize(
    ("filter_", "letters"),
    [
        # Metrics: a number, the latest point; NaN is only unequal to it.
        ("metrics.loss = 0.5", "a"),
        ("metrics.loss != 0.5", "bc"),
        ("metrics.loss > 0.25", "a"),
        ("metric.loss >= 0.25", "ab"),
        ("metrics.loss < 5e-1", "b"),
        ("metrics.loss <= 0.5", "ab"),
        ("metrics.`odd name` = 1", "a"),
        ('metrics."odd name" = 1', "a"),
        # Params and tags: texts; what a run does not have is not unequal.
        ("params.lr = '0.1'", "a"),
        ('param.lr = "0.1"', "a"),
        ("parameters.lr != '0.1'", "b"),
        ("params.lr LIKE '0.0%'", "b"),
        ("params.empty = ''", "c"),
        ("params.lr IS NULL", "cd"),
        ("params.lr IS NOT NULL", "ab"),
        ("tags.team != 'red'", "b"),
        ("tag.team LIKE 'b%'", ""),
        ("tags.team ILIKE 'b%'", "b"),
        ("tags.team IS NULL", "cd"),
        ("tags.`team` = 'red'", "a"),
        # Attributes, by several names.
        ("attributes.status = 'FINISHED'", "a"),
        ("attribute.status != 'FINISHED'", "bcd"),
        ("attr.run_name = 'run c'", "c"),
        ("run.run_name LIKE 'run%'", "abcd"),
        ("run_name ILIKE 'RUN D'", "d"),
        ("attributes.`Run name` = 'run d'", "d"),
        ("tags.mlflow.runName = 'run d'", "d"),
        ("user_id = 'ada'", "abcd"),
        (f"start_time > {START_MS + 1}", "cd"),
        (f"attributes.created <= {START_MS}", "a"),
        (f"end_time = {START_MS + 9}", "a"),
        ("artifact_uri LIKE '%artifacts'", "abcd"),
        # Data sets.
        ("datasets.name = 'digits'", "b"),
        ("dataset.digest LIKE '1%'", "b"),
        ("datasets.context IN ('train', 'test')", "b"),
        # AND.
        ("metrics.loss < 1 AND params.lr = '0.1'", "a"),
        ("metrics.loss < 1 and tags.team ILIKE 'BLUE' and status = 'RUNNING'", "b"),
    ],
)
async def test_conditions(
    rest: Rest, experiment: str, filled: dict[str, str], filter_: str, letters: str
) -> None:
    assert "".join(sorted(await found(rest, experiment, filter_))) == letters


async def test_ids_in_lists(rest: Rest, experiment: str, filled: dict[str, str]) -> None:
    ids = f"('{filled['a']}', '{filled['d']}')"
    assert sorted(await found(rest, experiment, f"attributes.run_id IN {ids}")) == ["a", "d"]
    assert sorted(await found(rest, experiment, f"run_id NOT IN {ids}")) == ["b", "c"]
    assert await found(rest, experiment, f"run_id = '{filled['b']}'") == "b"


@pytest.mark.parametrize(
    "filter_",
    [
        "metrics.loss",
        "metrics.loss < 'x'",
        "metrics.loss LIKE '1'",
        "unknown.loss = 1",
        "attributes.unknown = 'x'",
        "params.lr = 'open",
        "start_time > 'x'",
        "datasets.unknown = 'x'",
        "attributes.run_id IN ()",
        "metrics.loss < 1; DROP TABLE run",
    ],
)
async def test_what_is_no_condition(rest: Rest, experiment: str, filter_: str) -> None:
    fields = {"experiment_ids": [experiment], "filter": filter_}
    assert (await rest.refused("POST", "runs/search", fields))[:2] == INVALID


@pytest.mark.parametrize(
    ("order", "letters"),
    [
        ([], "dcba"),  # the latest start first
        (["metrics.loss ASC"], "bacd"),  # NaN, then nothing, behind all numbers
        (["metrics.loss DESC"], "abcd"),  # in both directions
        (["params.lr"], "badc"),  # what has none by its start
        (["params.lr DESC"], "abdc"),
        (["tags.team"], "badc"),
        (["attributes.status", "start_time ASC"], "abcd"),
        (["start_time"], "abcd"),
        (["attributes.end_time", "run_name DESC"], "adcb"),
        (["run_name DESC"], "dcba"),
    ],
)
async def test_orders(
    rest: Rest, experiment: str, filled: dict[str, str], order: list[str], letters: str
) -> None:
    assert await found(rest, experiment, order_by=order) == letters


@pytest.mark.parametrize(
    "order", [["metrics.loss", "metrics.loss"], ["metrics.loss UP"], ["loss"], [""], ["attributes.unknown"]]
)
async def test_what_is_no_order(rest: Rest, experiment: str, order: list[str]) -> None:
    fields = {"experiment_ids": [experiment], "order_by": order}
    assert (await rest.refused("POST", "runs/search", fields))[:2] == INVALID


async def test_pages(rest: Rest, experiment: str, filled: dict[str, str]) -> None:
    fields = {"experiment_ids": [experiment], "order_by": ["start_time"], "max_results": 3}
    first = await rest.post("runs/search", fields)
    assert len(first["runs"]) == 3
    second = await rest.post("runs/search", {**fields, "page_token": first["next_page_token"]})
    assert [run["info"]["run_name"] for run in second["runs"]] == ["run d"]
    assert "next_page_token" not in second
    for wrong in (0, -1, 50_001):
        assert (await rest.refused("POST", "runs/search", {**fields, "max_results": wrong}))[:2] == INVALID
    assert (await rest.refused("POST", "runs/search", {**fields, "page_token": "x"}))[:2] == INVALID


@pytest.mark.parametrize(
    ("view", "letters"), [("ACTIVE_ONLY", "abc"), ("DELETED_ONLY", "d"), ("ALL", "abcd")]
)
async def test_views(rest: Rest, experiment: str, filled: dict[str, str], view: str, letters: str) -> None:
    await rest.post("runs/delete", {"run_id": filled["d"]})
    assert await found(rest, experiment, run_view_type=view, order_by=["start_time"]) == letters


async def test_children_are_found_by_the_tag(rest: Rest, experiment: str, filled: dict[str, str]) -> None:
    tags = [{"key": "mlflow.parentRunId", "value": filled["a"]}]
    await rest.new_run(experiment_id=experiment, run_name="child x", tags=tags)
    assert await found(rest, experiment, f"tags.mlflow.parentRunId = '{filled['a']}'") == "x"


async def test_experiments(rest: Rest) -> None:
    word = uuid.uuid4().hex
    for number, team in enumerate(["red", "blue", "red"]):
        tags = [{"key": "team", "value": team}]
        await rest.post("experiments/create", {"name": f"{word} {number}", "tags": tags})

    async def names(filter_: str, **more: Any) -> str:
        fields = {"filter": f"name LIKE '{word}%'{filter_}", "max_results": 10, **more}
        listed = (await rest.post("experiments/search", fields)).get("experiments", [])
        return "".join(it["name"][-1] for it in listed)

    assert sorted(await names("")) == ["0", "1", "2"]
    assert await names("", order_by=["name"]) == "012"
    assert await names("", order_by=["name DESC"]) == "210"
    assert await names("", order_by=["creation_time ASC", "experiment_id ASC"]) == "012"
    assert await names(" AND tags.team = 'red'", order_by=["name"]) == "02"
    assert await names(" AND tags.team != 'red'") == "1"
    assert await names(" AND tag.team ILIKE 'BL%'") == "1"
    assert await names(f" AND attribute.name = '{word} 2'") == "2"
    assert await names(f" AND name ILIKE '{word.upper()} 1'") == "1"
    page = {"filter": f"name LIKE '{word}%'", "max_results": 2, "order_by": ["name"]}
    first = await rest.post("experiments/search", page)
    second = await rest.post("experiments/search", {**page, "page_token": first["next_page_token"]})
    assert [len(it["experiments"]) for it in (first, second)] == [2, 1]
    for wrong in ("name", "unknown = 'x'", "creation_time LIKE 'x'", "params.x = 'y'"):
        assert (await rest.refused("POST", "experiments/search", {"filter": wrong}))[:2] == INVALID
