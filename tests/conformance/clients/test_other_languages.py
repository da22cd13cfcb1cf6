"""The calls that MLflow's clients for R and Java make, by raw HTTP with their shapes.

R writes every value as text, integers in scientific notation where that is shorter, and leaves out what is NULL. Java
writes messages as proto3's JSON: 64-bit integers as text, names of enums. Both send `run_uuid` beside `run_id`, and
call each other's routes nothing but these.
"""

import json
import math
from collections.abc import Callable
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from stepwell import StepwellClient
from tests.harness.servers.processes import ServerProcess

Call = Callable[..., Any]

AT_MS = 1_700_000_000_123
R = {"User-Agent": "mlflow-r-client/2.22.0", "Accept": "application/json, text/xml, application/xml, */*"}
JAVA = {"User-Agent": "mlflow-java-client/2.22.0"}


@pytest.fixture
def call(shared_server: ServerProcess) -> Call:
    """Makes one call with the headers of a client: GET with a query, or POST with a body; returns what it answers."""

    def request(headers: dict[str, str], route: str, **keywords: Any) -> Any:
        query, body = keywords.get("query"), keywords.get("body")
        connection = HTTPConnection(urlsplit(shared_server.url).netloc, timeout=30)
        path = f"/api/2.0/mlflow/{route}" + (f"?{urlencode(query, doseq=True)}" if query else "")
        if body is None:
            connection.request("GET", path, headers=headers)
        else:
            connection.request(
                "POST", path, json.dumps(body), {**headers, "Content-Type": "application/json"}
            )
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        assert answer.status == 200, text
        return json.loads(text)

    return request


def twice(run_id: str) -> dict[str, str]:
    return {"run_uuid": run_id, "run_id": run_id}


def test_r(call: Call, shared_server: ServerProcess, experiment: str) -> None:
    made = call(R, "experiments/create", body={"name": experiment, "tags": []})
    experiment_id = made["experiment_id"]
    found = call(R, "experiments/get", query={"experiment_id": experiment_id})["experiment"]
    assert (found["name"], found["lifecycle_stage"]) == (experiment, "active")
    assert call(R, "experiments/get-by-name", query={"experiment_name": experiment})["experiment"] == found
    listed = call(R, "experiments/search", body={"view_type": "ACTIVE_ONLY", "max_results": "1000"})
    assert experiment_id in [it["experiment_id"] for it in listed["experiments"]]

    run = call(
        R,
        "runs/create",
        body={
            "experiment_id": experiment_id,
            "user_id": "ada",
            "run_name": "from R",
            "start_time": "1.7e+12",
            "tags": [{"key": "mlflow.source.type", "value": "LOCAL"}],
        },
    )["run"]
    run_id = run["info"]["run_uuid"]
    assert run["info"]["start_time"] == 1_700_000_000_000
    for value, step in (("0.25", "1"), ("NaN", "2"), ("Infinity", "99999"), ("-1e-05", "1e+05")):
        point = {"key": "loss", "value": value, "timestamp": str(AT_MS), "step": step}
        assert call(R, "runs/log-metric", body={**twice(run_id), **point}) == {}
    call(R, "runs/log-parameter", body={**twice(run_id), "key": "alpha", "value": "0.1"})
    call(R, "runs/set-tag", body={**twice(run_id), "key": "stage", "value": "first"})
    call(R, "runs/set-tag", body={**twice(run_id), "key": "gone", "value": "soon"})
    call(R, "runs/delete-tag", body={"run_id": run_id, "key": "gone"})
    call(
        R,
        "runs/log-batch",
        body={
            "run_id": run_id,
            "metrics": [{"key": "acc", "value": "0.5", "step": "3", "timestamp": "1.7e+12"}],
            "params": [{"key": "beta", "value": "2"}],
            "tags": [{"key": "more", "value": "tags"}],
        },
    )
    history = call(R, "metrics/get-history", query={**twice(run_id), "metric_key": "loss"})["metrics"]
    assert [(it["step"], it["timestamp"]) for it in history] == [
        (1, AT_MS),
        (2, AT_MS),
        (99_999, AT_MS),
        (100_000, AT_MS),
    ]
    assert history[0]["value"] == 0.25
    assert math.isnan(float(history[1]["value"]))
    assert math.isinf(float(history[2]["value"]))
    search = {"experiment_ids": [experiment_id], "run_view_type": "ACTIVE_ONLY", "order_by": []}
    (found,) = call(R, "runs/search", body={**search, "filter": "params.alpha = '0.1'"})["runs"]
    assert found["info"]["run_uuid"] == run_id
    ended = {"status": "FINISHED", "end_time": str(AT_MS)}
    assert call(R, "runs/update", body={**twice(run_id), **ended})["run_info"]["run_uuid"] == run_id
    call(R, "runs/delete", body={"run_id": run_id})
    call(R, "runs/restore", body={"run_id": run_id})

    stored = StepwellClient(shared_server.tracking_uri).get_run(run_id)
    assert (stored.info.status, stored.info.end_time, stored.info.user_id) == ("FINISHED", AT_MS, "ada")
    assert stored.data.metrics == {"loss": -1e-05, "acc": 0.5}
    assert stored.data.params == {"alpha": "0.1", "beta": "2"}
    assert stored.data.tags["stage"] == "first"
    assert "gone" not in stored.data.tags

    StepwellClient(shared_server.tracking_uri).log_text(run_id, "text", "plots/a.txt")
    listed = call(R, "artifacts/list", query=twice(run_id))
    assert listed["root_uri"] == run["info"]["artifact_uri"]
    assert [(it["path"], it["is_dir"]) for it in listed["files"]] == [("plots", True)]
    (file,) = call(R, "artifacts/list", query={**twice(run_id), "path": "plots"})["files"]
    assert (file["path"], int(file["file_size"])) == ("plots/a.txt", 4)

    call(R, "experiments/update", body={"experiment_id": experiment_id, "new_name": f"{experiment}-new"})
    call(R, "experiments/delete", body={"experiment_id": experiment_id})
    call(R, "experiments/restore", body={"experiment_id": experiment_id})


def test_java(call: Call, shared_server: ServerProcess, experiment: str) -> None:
    experiment_id = call(JAVA, "experiments/create", body={"name": experiment})["experiment_id"]
    call(
        JAVA,
        "experiments/set-experiment-tag",
        body={"experiment_id": experiment_id, "key": "team", "value": "java"},
    )
    found = call(JAVA, "experiments/get", query={"experiment_id": experiment_id})["experiment"]
    assert found["tags"] == [{"key": "team", "value": "java"}]
    run = call(
        JAVA,
        "runs/create",
        body={"experiment_id": experiment_id, "user_id": "grace", "start_time": str(AT_MS)},
    )["run"]
    run_id = run["info"]["run_id"]
    assert run["info"]["status"] == "RUNNING"
    for step, value in enumerate((0.5, "NaN", "-Infinity", 1)):
        point = {"key": "loss", "value": value, "timestamp": str(AT_MS + step), "step": str(step)}
        assert call(JAVA, "runs/log-metric", body={**twice(run_id), **point}) == {}
    call(JAVA, "runs/log-parameter", body={**twice(run_id), "key": "alpha", "value": "0.1"})
    call(
        JAVA,
        "runs/log-batch",
        body={
            "run_id": run_id,
            "metrics": [
                {"key": "acc", "value": step / 2, "timestamp": str(AT_MS), "step": str(step)}
                for step in range(3)
            ],
            "params": [{"key": "beta", "value": "2"}],
            "tags": [{"key": "more", "value": "tags"}],
        },
    )
    history = call(JAVA, "metrics/get-history", query={**twice(run_id), "metric_key": "acc"})["metrics"]
    assert [(it["step"], it["value"]) for it in history] == [(0, 0.0), (1, 0.5), (2, 1.0)]
    page = call(
        JAVA,
        "runs/search",
        body={
            "experiment_ids": [experiment_id],
            "filter": "metrics.acc = 1",
            "run_view_type": "ACTIVE_ONLY",
            "max_results": 1,
            "order_by": ["metrics.loss DESC"],
        },
    )
    assert [it["info"]["run_id"] for it in page["runs"]] == [run_id]
    assert not page.get("next_page_token")
    ended = {"status": "FAILED", "end_time": str(AT_MS + 9)}
    assert call(JAVA, "runs/update", body={**twice(run_id), **ended})["run_info"]["status"] == "FAILED"
    read = call(JAVA, "runs/get", query=twice(run_id))["run"]
    assert read["data"]["params"] == [{"key": "alpha", "value": "0.1"}, {"key": "beta", "value": "2"}]
    assert read["info"]["end_time"] == AT_MS + 9
    assert StepwellClient(shared_server.tracking_uri).get_run(run_id).data.metrics == {
        "loss": 1.0,
        "acc": 1.0,
    }
