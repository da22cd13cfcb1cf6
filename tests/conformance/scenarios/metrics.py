"""Metrics: logged, and read in pages, in bulk and by interval."""

from tests.conformance.scenarios.odds import (
    INFINITY,
    INT64_MAX,
    INT64_MIN,
    INTEGERS,
    KEYS,
    NAN,
    NUMBERS,
    RUN_IDS,
    STRINGS,
    UNICODE,
)
from tests.conformance.steps import Scenario, Steps, odd


def scenarios() -> list[Scenario]:
    """Return them."""
    return [
        Scenario("log metric", _log().all),
        Scenario("metric values", _values().all),
        Scenario("latest metric", _latest().all),
        Scenario("metric history", _history().all),
        Scenario("history bulk", _bulk().all),
        Scenario("history bulk interval", _interval().all),
    ]


def _log() -> Steps:
    steps = Steps()
    steps.experiment()
    steps.run(run_name="named")
    good = {"run_id": "${run}", "key": "m", "value": 0.5, "timestamp": 1_700_000_000_000, "step": 1}
    steps.post("runs/log-metric", good)
    steps.post("runs/log-metric", good, "the same again")
    odds = {
        "run_id": RUN_IDS,
        "key": [*STRINGS, *UNICODE, *KEYS],
        "value": NUMBERS,
        "timestamp": INTEGERS,
        "step": INTEGERS,
    }
    odd(steps, "runs/log-metric", good, odds)
    steps.post("runs/log-metric", {**good, "run_uuid": "${run}"}, "both names")
    steps.post(
        "runs/log-metric", {"run_uuid": "${run}", "key": "old", "value": 1, "timestamp": 1}, "by the old name"
    )
    steps.post(
        "runs/log-metric",
        {**good, "model_id": "m-none", "dataset_name": "d", "dataset_digest": "1"},
        "of a model that is none",
    )
    steps.get("metrics/get-history", "run_id=${run}&metric_key=m")
    steps.get("runs/get", "run_id=${run}")
    return steps


def _values() -> Steps:
    steps = Steps()
    steps.experiment()
    steps.run(run_name="named")
    values = [
        NAN,
        INFINITY,
        -INFINITY,
        1.7976931348623157e308,
        5e-324,
        -0.0,
        0,
        1,
        2**53 + 1,
        1e-7,
        123456789.123456789,
        "NaN",
        "Infinity",
        "-Infinity",
        "1e5",
    ]
    for number, value in enumerate(values):
        content = {
            "run_id": "${run}",
            "key": f"v{number}",
            "value": value,
            "timestamp": 1_000 + number,
            "step": number,
        }
        steps.post("runs/log-metric", content, f"log {value}")
        steps.get("metrics/get-history", f"run_id=${{run}}&metric_key=v{number}", f"read {value}")
    steps.get("runs/get", "run_id=${run}")
    return steps


def _latest() -> Steps:
    steps = Steps()
    steps.experiment()
    steps.run(run_name="named")
    points = [
        (5, 100, 1.0),
        (5, 90, 2.0),
        (5, 100, 0.5),
        (4, 200, 9.0),
        (5, 100, 1.5),
        (5, 100, "NaN"),
        (6, 1, "NaN"),
        (6, 1, 3.0),
        (6, 1, -1.0),
    ]
    for step, timestamp, value in points:
        content = {"run_id": "${run}", "key": "m", "value": value, "timestamp": timestamp, "step": step}
        steps.post("runs/log-metric", content, f"log {step} {timestamp} {value}")
        steps.get("runs/get", "run_id=${run}", f"latest after {step} {timestamp} {value}")
    steps.get("metrics/get-history", "run_id=${run}&metric_key=m")
    for key, step in [("deep", INT64_MIN), ("high", INT64_MAX), ("below", -1)]:
        steps.post(
            "runs/log-metric", {"run_id": "${run}", "key": key, "value": 1, "timestamp": 7, "step": step}, key
        )
    steps.get("runs/get", "run_id=${run}", "steps of 64 bits")
    return steps


def _filled(points: int = 20) -> Steps:
    steps = Steps()
    steps.experiment()
    steps.run(run_name="named")
    steps.run("other", run_name="other")
    for run, count in (("run", points), ("other", points // 2)):
        metrics = [
            {"key": "m", "value": step * 0.5, "timestamp": 1_000 + step, "step": step * 10}
            for step in range(count)
        ]
        steps.post("runs/log-batch", {"run_id": f"${{{run}}}", "metrics": metrics}, f"fill {run}")
    return steps


def _history() -> Steps:
    steps = _filled()
    route, run = "metrics/get-history", "run_id=${run}&metric_key=m"
    steps.get(route, run)
    steps.get(route, "run_uuid=${run}&metric_key=m", "by the old name")
    steps.get(route, f"{run}&max_results=8", "first page", token="next_page_token")
    steps.get(route, f"{run}&max_results=8&page_token=${{token}}", "second page", token="next_page_token")
    steps.get(route, f"{run}&max_results=8&page_token=${{token}}", "last page")
    steps.get(route, f"{run}&max_results=20", "exactly one page")
    for query in [
        "",
        "run_id=${run}",
        "metric_key=m",
        "run_id=${run}&metric_key=none",
        "run_id=${run}&metric_key=",
        f"run_id={'0' * 32}&metric_key=m",
        "run_id=&metric_key=m",
        f"{run}&max_results=0",
        f"{run}&max_results=-1",
        f"{run}&max_results=x",
        f"{run}&max_results=",
        f"{run}&max_results=1.5",
        f"{run}&max_results=50001",
        f"{run}&max_results=9999999999",
        f"{run}&page_token=x",
        f"{run}&page_token=",
        f"{run}&max_results=2&page_token=bm9uc2Vuc2U=",
    ]:
        steps.get(route, query, f"history ?{query[:60]}")
    return steps


def _bulk() -> Steps:
    steps = _filled()
    path = "/ajax-api/2.0/mlflow/metrics/get-history-bulk"
    for query in [
        "run_id=${run}&metric_key=m",
        "run_id=${run}&run_id=${other}&metric_key=m",
        "run_id=${run}&metric_key=m&max_results=5",
        "run_id=${run}&run_id=${other}&metric_key=m&max_results=30",
        "metric_key=m",
        "run_id=${run}",
        "",
        "run_id=${run}&metric_key=none",
        f"run_id={'0' * 32}&metric_key=m",
        "run_id=${run}&metric_key=m&max_results=x",
        "run_id=${run}&metric_key=m&max_results=-1",
    ]:
        steps.add("GET", f"{path}?{query}", name=f"bulk ?{query[:70]}")
    many = "&".join(f"run_id={number:032x}" for number in range(101))
    steps.add("GET", f"{path}?{many}&metric_key=m", name="101 runs")
    return steps


def _interval() -> Steps:
    steps = _filled(40)
    route = "metrics/get-history-bulk-interval"
    both = "run_ids=${run}&run_ids=${other}&metric_key=m"
    for query in [
        both,
        f"{both}&max_results=5",
        f"{both}&max_results=1",
        f"{both}&start_step=50&end_step=150",
        f"{both}&start_step=50&end_step=150&max_results=4",
        f"{both}&start_step=50",
        f"{both}&end_step=50",
        f"{both}&start_step=150&end_step=50",
        f"{both}&start_step=-5&end_step=0",
        f"{both}&max_results=0",
        f"{both}&max_results=2500",
        f"{both}&max_results=2501",
        f"{both}&max_results=-1",
        f"{both}&max_results=x",
        f"{both}&start_step=x&end_step=1",
        "run_ids=${run}",
        "metric_key=m",
        "",
        "run_ids=${run}&metric_key=none",
        f"run_ids={'0' * 32}&metric_key=m",
    ]:
        steps.get(route, query, f"interval ?{query[:90]}")
    many = "&".join(f"run_ids={number:032x}" for number in range(101))
    steps.get(route, f"{many}&metric_key=m", "101 runs")
    steps.add("GET", f"/ajax-api/2.0/mlflow/{route}?{both}&max_results=7", name="ajax")
    return steps
