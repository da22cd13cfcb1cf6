"""MLflow's published rules of what is logged, one by one: limits, names, metrics, params, tags, lifecycle.

These tests, and those of searches, were held against MLflow 3.17.2, too. They pass there, but for infinities, values
that are lists or objects, a profile of 16 MiB, renaming a deleted experiment, and an order that names a field twice.
"""

import re
import uuid
from typing import Any

import pytest

from tests.harness.network.rest import Rest

INVALID = (400, "INVALID_PARAMETER_VALUE")
GONE = (404, "RESOURCE_DOES_NOT_EXIST")


def points(count: int) -> list[dict[str, Any]]:
    return [{"key": "m", "value": step, "timestamp": 1, "step": step} for step in range(count)]


def pairs(count: int, letter: str) -> list[dict[str, str]]:
    return [{"key": f"{letter}{number}", "value": "v"} for number in range(count)]


async def data_of(rest: Rest, run: str) -> dict[str, Any]:
    return (await rest.get("runs/get", run_id=run))["run"]["data"]


# Limits and names.


@pytest.mark.parametrize(
    ("metrics", "params", "tags", "is_taken"),
    [
        (1_000, 0, 0, True),
        (1_001, 0, 0, False),
        (0, 100, 0, True),
        (0, 101, 0, False),
        (0, 0, 100, True),
        (0, 0, 101, False),
        (800, 100, 100, True),
        (801, 100, 100, False),
    ],
)
async def test_a_batch_has_limits(
    rest: Rest, run: str, metrics: int, params: int, tags: int, is_taken: bool
) -> None:
    batch = {
        "run_id": run,
        "metrics": points(metrics),
        "params": pairs(params, "p"),
        "tags": pairs(tags, "t"),
    }
    if is_taken:
        assert await rest.post("runs/log-batch", batch) == {}
        assert len((await data_of(rest, run)).get("params", [])) == params
    else:
        assert (await rest.refused("POST", "runs/log-batch", batch))[:2] == INVALID
        assert "params" not in await data_of(rest, run)


@pytest.mark.parametrize("key", ["k" * 250, "a/b.c-d_e f", "ünïcödé", "a:b", "0"])
async def test_names_that_are_taken(rest: Rest, run: str, key: str) -> None:
    await rest.post("runs/log-metric", {"run_id": run, "key": key, "value": 1, "timestamp": 1})
    await rest.post("runs/log-parameter", {"run_id": run, "key": key, "value": "v"})
    await rest.post("runs/set-tag", {"run_id": run, "key": key, "value": "v"})
    data = await data_of(rest, run)
    assert key in {it["key"] for it in data["tags"]}
    assert [it["key"] for it in data["metrics"] + data["params"]] == [key, key]


@pytest.mark.parametrize(
    "key", ["k" * 251, "", "/a", "a//b", "../a", "a/../b", "a/", ".", "a;b", "a'b", "a\nb"]
)
async def test_names_that_are_not(rest: Rest, run: str, key: str) -> None:
    for route, fields in {
        "runs/log-metric": {"value": 1, "timestamp": 1},
        "runs/log-parameter": {"value": "v"},
        "runs/set-tag": {"value": "v"},
    }.items():
        assert (await rest.refused("POST", route, {"run_id": run, "key": key, **fields}))[:2] == INVALID
    assert set(await data_of(rest, run)) == {"tags"}


async def test_long_values_of_params_and_tags_are_cut(rest: Rest, run: str) -> None:
    await rest.post("runs/log-parameter", {"run_id": run, "key": "p", "value": "v" * 6_001})
    await rest.post("runs/set-tag", {"run_id": run, "key": "t", "value": "v" * 8_001})
    data = await data_of(rest, run)
    assert data["params"] == [{"key": "p", "value": "v" * 6_000}]
    assert {"key": "t", "value": "v" * 8_000} in data["tags"]


async def test_tags_of_experiments_are_not_cut_but_refused(rest: Rest, experiment: str) -> None:
    tag = {"experiment_id": experiment, "key": "k", "value": "v" * 20_000}
    assert await rest.post("experiments/set-experiment-tag", tag) == {}
    for wrong in ({"value": "v" * 20_001}, {"key": "k" * 251}):
        assert (await rest.refused("POST", "experiments/set-experiment-tag", {**tag, **wrong}))[:2] == INVALID


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "x" * 501},
        {"artifact_location": "x" * 2_049},
        {"artifact_location": "runs:/a/b"},
    ],
)
async def test_experiments_have_limits(rest: Rest, wrong: dict[str, str]) -> None:
    fields = {"name": uuid.uuid4().hex, **wrong}
    assert (await rest.refused("POST", "experiments/create", fields))[:2] == INVALID


async def test_ids_of_runs_are_32_letters(rest: Rest, run: str) -> None:
    assert re.fullmatch("[0-9a-f]{32}", run)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "n" * 501},
        {"digest": "d" * 37},
        {"schema": "s" * 1_048_576},
        {"source": "s" * 65_536},
        {"profile": "p" * 16_777_216},
    ],
)
async def test_data_sets_have_limits(rest: Rest, run: str, wrong: dict[str, str]) -> None:
    dataset = {"name": "d", "digest": "1", "source_type": "local", "source": "s"}
    good = {
        "run_id": run,
        "datasets": [{"dataset": dataset, "tags": [{"key": "k" * 250, "value": "v" * 500}]}],
    }
    assert await rest.post("runs/log-inputs", good) == {}
    used = {"run_id": run, "datasets": [{"dataset": {**dataset, **wrong}}]}
    answer = await rest.send("POST", "runs/log-inputs", used)
    assert answer.status == (413 if "profile" in wrong else 400)
    long_tag = {"run_id": run, "datasets": [{"dataset": dataset, "tags": [{"key": "k", "value": "v" * 501}]}]}
    assert (await rest.refused("POST", "runs/log-inputs", long_tag))[:2] == INVALID


# Metrics.


async def test_values_are_any_numbers(rest: Rest, run: str) -> None:
    values = ["NaN", "Infinity", "-Infinity", 1.7976931348623157e308, 5e-324, -1.5, 0.0]
    batch = [{"key": f"m{number}", "value": it, "timestamp": 1} for number, it in enumerate(values)]
    await rest.post("runs/log-batch", {"run_id": run, "metrics": batch})
    for number, value in enumerate(values):
        assert await rest.points(run, f"m{number}") == [(0, 1, value)]


@pytest.mark.parametrize("value", ["x", "", None, [], {}])
async def test_values_are_nothing_else(rest: Rest, run: str, value: Any) -> None:
    point = {"run_id": run, "key": "m", "value": value, "timestamp": 1}
    assert (await rest.refused("POST", "runs/log-metric", point))[:2] == INVALID


async def test_steps_are_any_integers_in_any_order(rest: Rest, run: str) -> None:
    steps = [5, -7, 2**63 - 1, -(2**63), 5, 0]
    for step in steps:
        await rest.post(
            "runs/log-metric", {"run_id": run, "key": "m", "value": 1, "timestamp": 1, "step": str(step)}
        )
    assert [step for step, _, _ in await rest.points(run, "m")] == sorted(set(steps))
    await rest.post("runs/log-metric", {"run_id": run, "key": "no step", "value": 1, "timestamp": 1})
    assert await rest.points(run, "no step") == [(0, 1, 1)]
    wrong = {"run_id": run, "key": "m", "value": 1, "timestamp": -1}
    assert (await rest.refused("POST", "runs/log-metric", wrong))[:2] == INVALID
    wrong = {"run_id": run, "key": "m", "value": 1}
    assert (await rest.refused("POST", "runs/log-metric", wrong))[:2] == INVALID


async def test_equal_points_are_one_and_others_of_the_same_step_are_more(rest: Rest, run: str) -> None:
    point = {"run_id": run, "key": "m", "value": 1, "timestamp": 1, "step": 1}
    for fields in (point, point, {**point, "value": 2}, {**point, "timestamp": 2}):
        await rest.post("runs/log-metric", fields)
    assert await rest.points(run, "m") == [(1, 1, 1), (1, 1, 2), (1, 2, 1)]


async def test_the_latest_point_is_the_greatest_step_time_and_value(rest: Rest, run: str) -> None:
    expected = (0, 0, 0.0)
    for step, time, value in [(5, 9, 1.0), (5, 8, 7.0), (5, 9, 0.5), (4, 99, 9.0), (5, 9, 2.0), (6, 1, -1.0)]:
        point = {"run_id": run, "key": "m", "value": value, "timestamp": time, "step": step}
        await rest.post("runs/log-metric", point)
        expected = max(expected, (step, time, value))
        (latest,) = (await data_of(rest, run))["metrics"]
        assert (latest["step"], latest["timestamp"], latest["value"]) == expected


async def test_a_history_is_in_order_of_time_step_and_value(rest: Rest, run: str) -> None:
    logged = [(3, 10, 1.0), (1, 20, 2.0), (2, 10, 5.0), (2, 10, 4.0)]
    batch = [{"key": "m", "value": value, "timestamp": time, "step": step} for step, time, value in logged]
    await rest.post("runs/log-batch", {"run_id": run, "metrics": batch})
    assert await rest.points(run, "m") == sorted(logged, key=lambda it: (it[1], it[0], it[2]))


async def test_charts_have_limits(rest: Rest, run: str) -> None:
    await rest.post("runs/log-batch", {"run_id": run, "metrics": points(100)})
    route = "metrics/get-history-bulk-interval"
    query = {"run_ids": [run], "metric_key": "m", "max_results": 10}
    found = (await rest.get(route, **query))["metrics"]
    assert [it["step"] for it in found] == [0, 10, 20, 30, 40, 50, 60, 70, 80, 99]
    found = (await rest.get(route, **query, start_step=5, end_step=7))["metrics"]
    assert [it["step"] for it in found] == [5, 6, 7]
    for wrong in ({"start_step": 5}, {"end_step": 5}, {"max_results": 2_501}, {"run_ids": ["a"] * 0}):
        assert (await rest.refused("GET", route, {**query, **wrong}))[:2] == INVALID
    many = [f"{number:032x}" for number in range(101)]
    assert (await rest.refused("GET", route, {**query, "run_ids": many}))[:2] == INVALID
    bulk = "/ajax-api/2.0/mlflow/metrics/get-history-bulk"
    assert (await rest.refused("GET", bulk, {"run_id": many, "metric_key": "m"}))[:2] == INVALID


# Params and tags.


async def test_params_are_written_once(rest: Rest, run: str) -> None:
    param = {"run_id": run, "key": "p", "value": "1"}
    for _ in range(2):
        assert await rest.post("runs/log-parameter", param) == {}
    status, code, message = await rest.refused("POST", "runs/log-parameter", {**param, "value": "2"})
    assert (status, code) == INVALID
    assert all(it in message for it in ("'p'", "'1'", "'2'"))
    assert await rest.post("runs/log-parameter", {"run_id": run, "key": "empty", "value": ""}) == {}
    assert await rest.post("runs/log-parameter", {"run_id": run, "key": "q", "value": "1"}) == {}
    changed = [{"key": "p", "value": "8"}, {"key": "q", "value": "9"}, {"key": "r", "value": "1"}]
    _, code, message = await rest.refused("POST", "runs/log-batch", {"run_id": run, "params": changed})
    assert code == INVALID[1]
    assert all(it in message for it in ("'p'", "'q'"))
    twice = [{"key": "s", "value": "1"}, {"key": "s", "value": "2"}]
    assert (await rest.refused("POST", "runs/log-batch", {"run_id": run, "params": twice}))[:2] == INVALID
    found = {it["key"]: it["value"] for it in (await data_of(rest, run))["params"]}
    assert found == {"p": "1", "q": "1", "empty": ""}


async def test_tags_are_overwritten_and_removed(rest: Rest, run: str) -> None:
    for value in ("1", "2"):
        await rest.post("runs/set-tag", {"run_id": run, "key": "t", "value": value})
    assert {"key": "t", "value": "2"} in (await data_of(rest, run))["tags"]
    assert await rest.post("runs/delete-tag", {"run_id": run, "key": "t"}) == {}
    assert (await rest.refused("POST", "runs/delete-tag", {"run_id": run, "key": "t"}))[:2] == GONE


async def test_the_name_of_a_run_is_a_tag(rest: Rest, run: str, experiment: str) -> None:
    async def names() -> tuple[str, str]:
        found = (await rest.get("runs/get", run_id=run))["run"]
        (tag,) = [it["value"] for it in found["data"]["tags"] if it["key"] == "mlflow.runName"]
        return found["info"]["run_name"], tag

    assert len(set(await names())) == 1
    await rest.post("runs/set-tag", {"run_id": run, "key": "mlflow.runName", "value": "one"})
    assert await names() == ("one", "one")
    await rest.post("runs/update", {"run_id": run, "run_name": "two"})
    assert await names() == ("two", "two")
    await rest.post("runs/log-batch", {"run_id": run, "tags": [{"key": "mlflow.runName", "value": "three"}]})
    assert await names() == ("three", "three")
    torn = {"experiment_id": experiment, "run_name": "a", "tags": [{"key": "mlflow.runName", "value": "b"}]}
    assert (await rest.refused("POST", "runs/create", torn))[:2] == INVALID


async def test_tags_of_the_system_are_kept_as_they_are(rest: Rest, experiment: str) -> None:
    names = ["user", "source.name", "source.type", "source.git.commit", "source.git.branch", "note.content"]
    names += ["project.env", "docker.image.uri", "autologging", "loggedArtifacts", "runColor", "parentRunId"]
    tags = [{"key": f"mlflow.{name}", "value": f"<{name}>"} for name in names]
    run = await rest.new_run(experiment_id=experiment, tags=tags)
    found = (await data_of(rest, run))["tags"]
    assert all(tag in found for tag in tags)


# Lifecycle.


@pytest.mark.parametrize("status", ["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"])
async def test_whatever_its_status_a_run_is_written(rest: Rest, run: str, status: str) -> None:
    info = (await rest.post("runs/update", {"run_id": run, "status": status, "end_time": 9}))["run_info"]
    assert (info["status"], info["end_time"]) == (status, 9)
    await rest.post("runs/log-metric", {"run_id": run, "key": "m", "value": 1, "timestamp": 1})
    await rest.post("runs/update", {"run_id": run, "status": "RUNNING"})
    again = (await rest.get("runs/get", run_id=run))["run"]["info"]
    assert (again["status"], again["end_time"]) == ("RUNNING", 9)


async def test_only_a_deleted_run_is_not(rest: Rest, run: str) -> None:
    await rest.post("runs/delete", {"run_id": run})
    assert (await rest.get("runs/get", run_id=run))["run"]["info"]["lifecycle_stage"] == "deleted"
    for route, fields in {
        "runs/log-metric": {"key": "m", "value": 1, "timestamp": 1},
        "runs/log-parameter": {"key": "p", "value": "v"},
        "runs/set-tag": {"key": "t", "value": "v"},
        "runs/delete-tag": {"key": "mlflow.runName"},
        "runs/update": {"status": "FAILED"},
        "runs/log-batch": {"metrics": points(1)},
    }.items():
        assert (await rest.refused("POST", route, {"run_id": run, **fields}))[:2] == INVALID
    await rest.post("runs/restore", {"run_id": run})
    await rest.post("runs/set-tag", {"run_id": run, "key": "t", "value": "v"})


async def test_the_default_experiment_is_there(rest: Rest) -> None:
    found = (await rest.get("experiments/get", experiment_id="0"))["experiment"]
    assert (found["name"], found["lifecycle_stage"]) == ("Default", "active")


async def test_an_experiment_goes_and_comes_with_its_runs(rest: Rest, experiment: str, run: str) -> None:
    name = (await rest.get("experiments/get", experiment_id=experiment))["experiment"]["name"]
    assert (await rest.refused("POST", "experiments/create", {"name": name}))[:2] == (
        400,
        "RESOURCE_ALREADY_EXISTS",
    )
    named = {"experiment_id": experiment}
    for route, stage in (("experiments/delete", "deleted"), ("experiments/restore", "active")):
        await rest.post(route, named)
        assert (await rest.get("runs/get", run_id=run))["run"]["info"]["lifecycle_stage"] == stage
        by_name = (await rest.get("experiments/get-by-name", experiment_name=name))["experiment"]
        assert by_name["lifecycle_stage"] == stage
        changed = await rest.send("POST", "experiments/update", {**named, "new_name": f"{name} {stage}"})
        assert changed.status == (200 if stage == "active" else 400)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "webhooks"),
        ("POST", "webhooks"),
        ("PATCH", "webhooks/1"),
        ("DELETE", "webhooks/1"),
        ("POST", "webhooks/1/test"),
    ],
)
async def test_webhooks_are_refused_by_name(rest: Rest, method: str, path: str) -> None:
    status, code, message = await rest.refused(method, path)
    assert (status, code) == (501, "NOT_IMPLEMENTED")
    assert "stepwell models webhooks" in message
