"""log-batch: its limits, its conflicts, its repeats."""

from typing import Any

from tests.conformance.scenarios.odds import INFINITY, LISTS, NAN, RUN_IDS
from tests.conformance.steps import Scenario, Steps, odd


def scenarios() -> list[Scenario]:
    """Return them."""
    return [
        Scenario("log batch", _batch().all),
        Scenario("log batch limits", _limits().all),
        Scenario("log batch conflicts", _conflicts().all),
        Scenario("log model", _log_model().all),
    ]


def metrics(count: int, **more: Any) -> list[dict[str, Any]]:
    """Return so many points of one metric."""
    return [
        {"key": "m", "value": 1.0, "timestamp": 1_000 + step, "step": step, **more} for step in range(count)
    ]


def pairs(count: int, letter: str) -> list[dict[str, Any]]:
    """Return so many params or tags."""
    return [{"key": f"{letter}{number}", "value": "v"} for number in range(count)]


def _batch() -> Steps:
    steps = Steps()
    steps.experiment()
    steps.run(run_name="named")
    good = {"run_id": "${run}", "metrics": metrics(2), "params": pairs(2, "p"), "tags": pairs(2, "t")}
    steps.post("runs/log-batch", good)
    steps.post("runs/log-batch", good, "the same again")
    steps.get("runs/get", "run_id=${run}")
    steps.get("metrics/get-history", "run_id=${run}&metric_key=m")
    entry = {"key": "e", "value": 1.0, "timestamp": 5, "step": 0}
    points = [[{**entry, key: value}] for key in entry for value in [None, "", "x", "5", 1.5, True, [], {}]]
    values = [[{**entry, "value": value}] for value in (NAN, INFINITY, -INFINITY, "NaN", "Infinity", "0.5")]
    lacking = [[{name: value for name, value in entry.items() if name != key}] for key in entry]
    odd(steps, "runs/log-batch", good, {"run_id": RUN_IDS})
    for number, wrong in enumerate([*LISTS, *points, *values, *lacking]):
        steps.post(
            "runs/log-batch", {"run_id": "${run}", "metrics": wrong}, f"metrics {number} {str(wrong)[:60]}"
        )
    named = [
        [{key: value, **rest}]
        for key, rest in (("key", {"value": "v"}), ("value", {"key": "k"}))
        for value in [None, "", 7, 1.5, True, [], {}]
    ]
    for kind in ("params", "tags"):
        for number, wrong in enumerate(
            [
                *LISTS,
                *named,
                [{"key": "a"}],
                [{"value": "b"}],
                [{"key": "/a", "value": "b"}],
                [{"key": "x" * 251, "value": "b"}],
            ]
        ):
            steps.post(
                "runs/log-batch", {"run_id": "${run}", kind: wrong}, f"{kind} {number} {str(wrong)[:60]}"
            )
    steps.post("runs/log-batch", {"run_id": "${run}"}, "nothing")
    steps.post("runs/log-batch", {"run_uuid": "${run}", "params": pairs(1, "old")}, "by the old name")
    steps.get("runs/get", "run_id=${run}", "in the end")
    return steps


def _limits() -> Steps:
    steps = Steps()
    steps.experiment()
    for name, content in {
        "1000 metrics": {"metrics": metrics(1_000)},
        "1001 metrics": {"metrics": metrics(1_001)},
        "100 params": {"params": pairs(100, "p")},
        "101 params": {"params": pairs(101, "p")},
        "100 tags": {"tags": pairs(100, "t")},
        "101 tags": {"tags": pairs(101, "t")},
        "1000 in all": {"metrics": metrics(800), "params": pairs(100, "p"), "tags": pairs(100, "t")},
        "1001 in all": {"metrics": metrics(801), "params": pairs(100, "p"), "tags": pairs(100, "t")},
        "long param": {"params": [{"key": "p", "value": "v" * 6_001}]},
        "long tag": {"tags": [{"key": "t", "value": "v" * 8_001}]},
        "more than a megabyte": {
            "tags": [{"key": f"t{number}", "value": "v" * 8_000} for number in range(100)],
            "params": [{"key": f"p{number}", "value": "v" * 6_000} for number in range(100)],
        },
        "unknown": {"points": [1], "metrics": metrics(1, unknown=1)},
    }.items():
        steps.run(run_name=name)
        steps.post("runs/log-batch", {"run_id": "${run}", **content}, name)
    return steps


def _conflicts() -> Steps:
    steps = Steps()
    steps.experiment()
    steps.run(run_name="named")
    run = {"run_id": "${run}"}
    one, other = {"key": "p", "value": "1"}, {"key": "p", "value": "2"}
    steps.post("runs/log-batch", {**run, "params": [one, one]}, "a param twice, the same")
    steps.post("runs/log-batch", {**run, "params": [one, other]}, "a param twice, changed")
    steps.post("runs/log-batch", {**run, "params": [one]}, "a param")
    steps.post("runs/log-batch", {**run, "params": [other, {"key": "q", "value": "1"}]}, "a param changed")
    steps.get("runs/get", "run_id=${run}", "after a refused param")
    steps.post(
        "runs/log-batch", {**run, "metrics": metrics(1), "params": [other]}, "metrics with a refused param"
    )
    steps.get("runs/get", "run_id=${run}", "after metrics with a refused param")
    steps.post("runs/log-batch", {**run, "tags": [one, other]}, "a tag twice")
    steps.post("runs/log-batch", {**run, "metrics": [*metrics(1), *metrics(1)]}, "a point twice")
    steps.post(
        "runs/log-batch",
        {**run, "metrics": [*metrics(2), {"key": "bad/../key", "value": 1, "timestamp": 1}]},
        "good and bad",
    )
    steps.get("runs/get", "run_id=${run}", "after good and bad")
    steps.post("runs/log-batch", {**run, "tags": [{"key": "mlflow.runName", "value": "renamed"}]}, "renamed")
    steps.get("runs/get", "run_id=${run}", "in the end")
    return steps


def _log_model() -> Steps:
    steps = Steps()
    steps.experiment()
    steps.run(run_name="named")
    model = '{"artifact_path": "model", "run_id": "${run}", "utc_time_created": "2024-01-01", "flavors": {}}'
    steps.post("runs/log-model", {"run_id": "${run}", "model_json": model})
    odds = {"run_id": RUN_IDS, "model_json": [None, "", "x", "{}", "[]", 7, {}]}
    odd(steps, "runs/log-model", {"run_id": "${run}", "model_json": model}, odds)
    steps.get("runs/get", "run_id=${run}")
    return steps
