"""Any message to any route of the door: a good answer or an error as JSON, never a failure of the server."""

from typing import Any
from uuid import uuid4

import pytest

from stepwell_server.app import RunningServer
from tests.fuzz.messages import Chooser
from tests.fuzz.requests import Asked, all_routes, any_request
from tests.harness.network.raw_http import Answer
from tests.harness.network.rest import Rest

CALLS_PER_ROUTE = 6
# Of those where only one message in many comes far: they take most of MLflow's fields.
CALLS_PER_MLFLOW_ROUTE = 20


def test_every_kind_of_route_is_found() -> None:
    paths = {path for _, path in all_routes()}
    for path in (
        "/health",
        "/api/2.0/mlflow/registered-models/alias",
        "/api/2.0/mlflow/logged-models/{model_id}/tags/{key:path}",
        "/api/2.0/mlflow-artifacts/artifacts/{address:any_text}",
        "/api/stepwell/v1/runs/{run_id}/artifacts/{path:any_text}",
        "/stepwell_api.v1.RunService/GetRun",
    ):
        assert path in paths
    assert len(paths) > 150


@pytest.mark.parametrize("seed", range(2))
async def test_any_message_gets_an_answer(server: RunningServer, seed: int) -> None:
    assert server.http_url is not None
    rest = Rest(server.http_url)
    known = await what_is_there(rest, seed)
    # Of the contract; what its messages name is removed by none of them.
    chooser = Chooser(seed, {name: [value] for name, value in known.items() if isinstance(value, str)})
    good = 0
    for method, path in all_routes():
        count = CALLS_PER_MLFLOW_ROUTE if "/mlflow/" in path else CALLS_PER_ROUTE
        for _ in range(count):
            asked = any_request(chooser, method, path, known)
            answer = await rest.place.ask(asked.method, asked.path, asked.body, **asked.headers)
            good += answer.status == 200
            require_sound(path, asked, answer)
    assert good > 200  # or the messages never come far
    # The server is as it was.
    run_id = await rest.new_run()
    await rest.post("runs/log-metric", {"run_id": run_id, "key": "a", "value": 1, "timestamp": 1})
    assert await rest.points(run_id, "a") == [(0, 1, 1.0)]


def require_sound(route: str, asked: Asked, answer: Answer) -> None:
    """Fail for an answer that is a failure of the server, and for an error that is not told as such."""
    where = (asked, answer.status, answer.body[:500])
    assert answer.status < 500 or answer.status == 501, where
    if answer.status < 400 or asked.method == "HEAD" or route.startswith("/stepwell_api."):
        return
    assert answer.headers["content-type"] == "application/json", where
    assert set(answer.json) == {"error_code", "message"}, where
    assert answer.json["message"], where


async def what_is_there(rest: Rest, seed: int) -> dict[str, Any]:
    """Make something of each kind and return the values that name it."""
    name = f"fuzz {seed}"
    experiment_id = (await rest.post("experiments/create", {"name": name}))["experiment_id"]
    run_id = await rest.new_run(experiment_id=experiment_id)
    await rest.post("runs/log-metric", {"run_id": run_id, "key": "a", "value": 1, "timestamp": 1})
    address = f"{experiment_id}/{run_id}/artifacts/a.txt"
    put = await rest.place.ask("PUT", f"/api/2.0/mlflow-artifacts/artifacts/{address}", b"content")
    assert put.status == 200
    model = await rest.post(
        "logged-models", {"experiment_id": experiment_id, "name": "m", "source_run_id": run_id}
    )
    await rest.post("registered-models/create", {"name": "a"})
    source = f"mlflow-artifacts:/{address}"
    await rest.post("model-versions/create", {"name": "a", "source": source, "run_id": run_id})
    await rest.post("registered-models/alias", {"name": "a", "alias": "best", "version": "1"})
    return {
        "experiment_id": experiment_id,
        "run_id": run_id,
        "model_id": model["model"]["info"]["model_id"],
        "source": source,
        "address": address,
        "path": "a.txt",
        "alias": "best",
        "version": "1",
        "stage": "Staging",
        "key": "a",
        "value": "1",
        "timestamp": 5,
        "metric_key": "a",
        "run_ids": [run_id],
        "experiment_ids": [experiment_id],
        "name": "a",
        "new_name": f"b {uuid4().hex}",
        "max_results": 3,
        "metrics": [{"key": "a", "value": 1, "timestamp": 1}],
        "params": [{"key": "p", "value": "1"}],
        "upload_id": uuid4().hex,
        "writer_id": uuid4().hex,
    }
