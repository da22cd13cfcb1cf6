"""Runs: created, read, changed, deleted, restored; their tags and params."""

import json
from typing import Any

from tests.conformance.scenarios.odds import EXPERIMENT_IDS, INTEGERS, KEYS, LISTS, RUN_IDS, STRINGS, UNICODE
from tests.conformance.steps import Scenario, Steps, odd

STATUSES: list[Any] = [
    None,
    "",
    "RUNNING",
    "SCHEDULED",
    "FINISHED",
    "FAILED",
    "KILLED",
    "finished",
    "DONE",
    3,
    5,
    99,
    "3",
    [],
    {},
    True,
]


def scenarios() -> list[Scenario]:
    """Return them."""
    return [
        Scenario("run life", _life().all),
        Scenario("runs create", _create().all),
        Scenario("runs get", _get().all),
        Scenario("runs update", _update().all),
        Scenario("runs delete", _delete().all),
        Scenario("run tags", _tags().all),
        Scenario("params", _params().all),
        Scenario("inputs", _inputs().all),
    ]


def _life() -> Steps:
    steps = Steps()
    steps.experiment()
    tags = [{"key": "mlflow.user", "value": "ada"}, {"key": "mlflow.source.name", "value": "train.py"}]
    steps.run(user_id="ada", run_name="first", tags=tags)
    steps.get("runs/get", "run_id=${run}")
    steps.post("runs/log-metric", {"run_id": "${run}", "key": "m", "value": 1.5, "timestamp": 5, "step": 3})
    steps.post("runs/log-parameter", {"run_id": "${run}", "key": "p", "value": "v"})
    steps.post("runs/set-tag", {"run_id": "${run}", "key": "t", "value": "v"})
    steps.get("runs/get", "run_id=${run}")
    steps.post("runs/set-tag", {"run_id": "${run}", "key": "mlflow.runName", "value": "second"})
    steps.get("runs/get", "run_id=${run}")
    finished = {"run_id": "${run}", "status": "FINISHED", "end_time": 1_700_000_001_000, "run_name": "third"}
    steps.post("runs/update", finished)
    steps.get("runs/get", "run_id=${run}")
    steps.post(
        "runs/log-metric",
        {"run_id": "${run}", "key": "m", "value": 2, "timestamp": 6, "step": 4},
        "after the end",
    )
    steps.post("runs/delete", {"run_id": "${run}"})
    steps.post("runs/delete", {"run_id": "${run}"})
    steps.get("runs/get", "run_id=${run}")
    for route, content in _writes("${run}"):
        steps.post(route, content, f"{route} to a deleted run")
    steps.post("runs/restore", {"run_id": "${run}"})
    steps.post("runs/restore", {"run_id": "${run}"})
    steps.get("runs/get", "run_uuid=${run}", "by the old name")
    steps.run("child", tags=[{"key": "mlflow.parentRunId", "value": "${run}"}])
    steps.get("runs/get", "run_id=${child}")
    return steps


def _writes(run_id: str) -> list[tuple[str, dict[str, Any]]]:
    return [
        ("runs/log-metric", {"run_id": run_id, "key": "m", "value": 1, "timestamp": 5}),
        ("runs/log-parameter", {"run_id": run_id, "key": "q", "value": "v"}),
        ("runs/set-tag", {"run_id": run_id, "key": "t", "value": "w"}),
        ("runs/delete-tag", {"run_id": run_id, "key": "t"}),
        ("runs/update", {"run_id": run_id, "status": "FAILED"}),
        ("runs/log-batch", {"run_id": run_id, "metrics": [{"key": "m", "value": 1, "timestamp": 5}]}),
    ]


def _create() -> Steps:
    steps = Steps()
    steps.experiment()
    good = {"experiment_id": "${experiment}", "start_time": 1_700_000_000_000, "run_name": "named"}
    steps.post("runs/create", good)
    tag = {"key": "mlflow.runName", "value": "named"}
    odds = {
        "experiment_id": EXPERIMENT_IDS,
        "start_time": INTEGERS,
        "run_name": [*STRINGS, *UNICODE, "x" * 250, "x" * 251, "x" * 501],
        "user_id": [*STRINGS, *UNICODE, "u" * 256],
        "tags": [
            *LISTS,
            [tag],
            [{**tag, "value": "other"}],
            [{"key": "a"}],
            [{"value": "b"}],
            [{"key": "", "value": "x"}],
            [{"key": "/a", "value": "x"}],
            {"a": "b"},
            [{"key": "a", "value": "1"}, {"key": "a", "value": "2"}],
            [{"key": "t", "value": "v" * 8_001}],
        ],
    }
    odd(steps, "runs/create", good, odds)
    steps.post("runs/create", {}, "nothing at all")
    steps.post("runs/create", {"experiment_id": "0", "status": "FINISHED", "unknown": 1}, "unknown fields")
    steps.post("runs/create", {"experimentId": "${experiment}", "runName": "camel"}, "camel case")
    return steps


def _get() -> Steps:
    steps = Steps()
    steps.experiment()
    steps.run(run_name="named")
    for query in [
        "run_id=",
        "run_id=no-such",
        f"run_id={'0' * 32}",
        f"run_id={'x' * 300}",
        "run_id=a%2Fb",
        "",
        "run_uuid=",
        "runId=${run}",
        "run_id=${run}&run_uuid=other",
        "run_id=other&run_uuid=${run}",
        "run_id=${run}&unknown=1",
        "run_id=%00",
    ]:
        steps.get("runs/get", query, f"get ?{query[:40]}")
    return steps


def _update() -> Steps:
    steps = Steps()
    steps.experiment()
    steps.run(run_name="named")
    good = {"run_id": "${run}", "status": "RUNNING", "end_time": 1_700_000_001_000, "run_name": "named"}
    steps.post("runs/update", good)
    odds = {"run_id": RUN_IDS, "status": STATUSES, "end_time": INTEGERS, "run_name": [*STRINGS, *UNICODE]}
    odd(steps, "runs/update", good, odds)
    steps.post("runs/update", {"run_uuid": "${run}", "status": "KILLED"}, "by the old name")
    steps.post("runs/update", {"run_id": "${run}"}, "nothing to change")
    steps.get("runs/get", "run_id=${run}")
    return steps


def _delete() -> Steps:
    steps = Steps()
    steps.experiment()
    steps.run(run_name="named")
    for route in ("runs/delete", "runs/restore"):
        odd(steps, route, {"run_id": "${run}"}, {"run_id": RUN_IDS})
        steps.post(route, {"run_uuid": "${run}"}, f"{route} by the old name")
    return steps


def _tags() -> Steps:
    steps = Steps()
    steps.experiment()
    steps.run(run_name="named")
    good = {"run_id": "${run}", "key": "a", "value": "b"}
    steps.post("runs/set-tag", good)
    odds = {
        "run_id": RUN_IDS,
        "key": [*STRINGS, *UNICODE, *KEYS],
        "value": [*STRINGS, *UNICODE, "v" * 5_001, "v" * 8_000, "v" * 8_001],
    }
    odd(steps, "runs/set-tag", good, odds)
    steps.get("runs/get", "run_id=${run}")
    steps.post("runs/set-tag", {"run_uuid": "${run}", "key": "old", "value": "name"}, "by the old name")
    steps.post("runs/set-tag", {**good, "value": "overwritten"}, "overwritten")
    odd(
        steps,
        "runs/delete-tag",
        {"run_id": "${run}", "key": "a"},
        {"run_id": RUN_IDS, "key": [*STRINGS, "missing", "/a"]},
    )
    steps.post("runs/delete-tag", {"run_id": "${run}", "key": "a"})
    steps.post("runs/delete-tag", {"run_id": "${run}", "key": "a"})
    steps.get("runs/get", "run_id=${run}")
    return steps


def _params() -> Steps:
    steps = Steps()
    steps.experiment()
    steps.run(run_name="named")
    good = {"run_id": "${run}", "key": "a", "value": "b"}
    steps.post("runs/log-parameter", good)
    steps.post("runs/log-parameter", good, "the same again")
    steps.post("runs/log-parameter", {**good, "value": "c"}, "another value")
    odd(steps, "runs/log-parameter", good, {"run_id": RUN_IDS, "key": [*STRINGS, *UNICODE, *KEYS]})
    for number, value in enumerate([*STRINGS, *UNICODE, "v" * 6_000, "v" * 6_001, "v" * 8_001]):
        steps.post("runs/log-parameter", {**good, "key": f"v{number}", "value": value}, f"value {number}")
    steps.post("runs/log-parameter", {"run_id": "${run}", "key": "none"}, "no value")
    steps.post("runs/log-parameter", {"run_uuid": "${run}", "key": "old", "value": "name"}, "by the old name")
    steps.get("runs/get", "run_id=${run}")
    return steps


def _inputs() -> Steps:
    steps = Steps()
    steps.experiment()
    steps.run(run_name="named")
    dataset = {
        "name": "d",
        "digest": "1a2b",
        "source_type": "local",
        "source": '{"uri": "/d"}',
        "schema": "{}",
        "profile": "{}",
    }
    tags = [{"key": "mlflow.data.context", "value": "train"}]
    good = {"run_id": "${run}", "datasets": [{"dataset": dataset, "tags": tags}]}
    steps.post("runs/log-inputs", good)
    steps.post("runs/log-inputs", good, "the same again")
    for ids in [
        ["${experiment}"],
        ["${experiment}", "999999"],
        [],
        None,
        ["999999"],
        ["x"],
        [str(it) for it in range(21)],
    ]:
        steps.add(
            "POST",
            "/ajax-api/2.0/mlflow/experiments/search-datasets",
            json.dumps({"experiment_ids": ids}),
            name=f"search-datasets {len(ids or [])} {str(ids)[:20]}",
        )
    odd(
        steps,
        "runs/log-inputs",
        good,
        {"run_id": RUN_IDS, "datasets": [*LISTS, [{"tags": tags}], [{"dataset": {}}]]},
    )
    for key in dataset:
        for value in [None, "", 7, "x" * 501]:
            changed = {**dataset, key: value}
            steps.post(
                "runs/log-inputs",
                {**good, "datasets": [{"dataset": changed}]},
                f"dataset {key}={str(value)[:8]}",
            )
    steps.post(
        "runs/log-inputs",
        {**good, "datasets": [{"dataset": dataset, "tags": [{"key": "a"}]}]},
        "tag without value",
    )
    steps.get("runs/get", "run_id=${run}")
    return steps
