"""Logged models over MLflow's REST API: their life, files, metrics, and what MLflow 2 logs."""

import json
from typing import Any
from uuid import uuid4

import pytest

from stepwell_server.app import RunningServer
from tests.harness.network.rest import Rest

RESOURCE_GONE = (404, "RESOURCE_DOES_NOT_EXIST")
INVALID = (400, "INVALID_PARAMETER_VALUE")
PROXY = "/api/2.0/mlflow-artifacts/artifacts"


@pytest.fixture
def rest(server: RunningServer) -> Rest:
    return Rest(server.http_url)


async def create(rest: Rest, run_id: str = "", **fields: Any) -> str:
    wanted = {"experiment_id": "0", "name": "m", "source_run_id": run_id, **fields}
    model_id: str = (await rest.post("logged-models", wanted))["model"]["info"]["model_id"]
    return model_id


async def get(rest: Rest, model_id: str) -> Any:
    return (await rest.get(f"logged-models/{model_id}"))["model"]


async def put(rest: Rest, address: str, data: bytes) -> None:
    answer = await rest.place.ask("PUT", f"{PROXY}/{address}", data)
    assert answer.status == 200, answer


async def change(rest: Rest, method: str, path: str, fields: Any = None) -> Any:
    answer = await rest.send(method, path, fields)
    assert answer.status == 200, answer
    return answer.json


async def listed(rest: Rest, run_id: str, path: str = "", **headers: str) -> list[str]:
    found = await rest.send("GET", "artifacts/list", {"run_id": run_id, "path": path}, **headers)
    return [it["path"] for it in found.json.get("files", [])]


async def test_the_life_of_a_model_as_a_client_of_mlflow_3_leads_it(rest: Rest) -> None:
    run_id = await rest.new_run()
    model_id = await create(rest, run_id, model_type="t", params=[{"key": "p", "value": "1"}])
    root = f"mlflow-artifacts:/0/models/{model_id}/artifacts"
    assert (await get(rest, model_id))["info"]["artifact_uri"] == root
    outputs = {"run_id": run_id, "models": [{"model_id": model_id, "step": 3}]}
    assert await rest.post("runs/outputs", outputs) == {}
    await put(rest, f"0/models/{model_id}/artifacts/MLmodel", b"flavors: {}")
    await put(rest, f"0/models/{model_id}/artifacts/data/model.pkl", b"1234")
    assert await listed(rest, run_id) == []
    ready = {"model_id": model_id, "status": "LOGGED_MODEL_READY"}
    answer = await change(rest, "PATCH", f"logged-models/{model_id}", ready)
    assert answer["model"]["info"]["status"] == "LOGGED_MODEL_READY"
    assert await listed(rest, run_id, "m") == ["m/MLmodel", "m/data"]
    await put(rest, f"0/{run_id}/artifacts/m/own", b"1")
    newer = {"user_agent": "mlflow-python-client/3.17.2"}
    assert await listed(rest, run_id, "m", **newer) == ["m/own"]
    proxied = await rest.send("GET", PROXY, {"path": f"0/{run_id}/artifacts/m"}, **newer)
    assert [it["path"] for it in proxied.json["files"]] == ["own"]
    run = (await rest.get("runs/get", run_id=run_id))["run"]
    assert run["outputs"] == {"model_outputs": [{"model_id": model_id, "step": 3}]}
    found = await rest.get(f"logged-models/{model_id}/artifacts/directories")
    assert found == {
        "root_uri": root,
        "files": [
            {"path": "MLmodel", "is_dir": False, "file_size": 11},
            {"path": "data", "is_dir": True},
        ],
    }
    proxied = await rest.send("GET", PROXY, {"path": f"0/models/{model_id}/artifacts/data"})
    assert proxied.json == {"files": [{"path": "model.pkl", "is_dir": False, "file_size": 4}]}
    file = await rest.send(
        "GET",
        f"/ajax-api/2.0/mlflow/logged-models/{model_id}/artifacts/files",
        {"artifact_file_path": "MLmodel"},
    )
    assert file.body == b"flavors: {}"
    assert (
        await change(
            rest, "PATCH", f"logged-models/{model_id}/tags", {"tags": [{"key": "a/b", "value": "1"}]}
        )
        == {}
    )
    assert await change(rest, "DELETE", f"logged-models/{model_id}/tags/a/b") == {}
    assert (await rest.refused("DELETE", f"logged-models/{model_id}/tags/a"))[:2] == RESOURCE_GONE
    assert await change(rest, "DELETE", f"logged-models/{model_id}") == {}
    assert (await rest.refused("GET", f"logged-models/{model_id}"))[:2] == RESOURCE_GONE
    assert await listed(rest, run_id, "m") == ["m/own"]


async def test_metrics_of_models(rest: Rest) -> None:
    run_id = await rest.new_run()
    model_id = await create(rest, run_id)
    point = {"key": "acc", "value": 0.5, "timestamp": 5, "step": 1, "model_id": model_id}
    await rest.post("runs/log-metric", {"run_id": run_id, **point})
    on_data = {**point, "value": "NaN", "step": 2, "dataset_name": "d", "dataset_digest": "x"}
    later = {**point, "value": 0.7, "step": 2}
    without = {"key": "loss", "value": 1, "timestamp": 5}
    for _ in range(2):  # also a repeat
        await rest.post("runs/log-batch", {"run_id": run_id, "metrics": [on_data, later, without]})
    metrics = (await get(rest, model_id))["data"]["metrics"]
    assert metrics == [
        {"key": "acc", "value": 0.7, "timestamp": 5, "step": 2, "model_id": model_id, "run_id": run_id},
        {**on_data, "run_id": run_id},
    ]
    assert [it[0] for it in await rest.points(run_id, "acc")] == [1, 2, 2]
    other = await rest.new_run()
    await rest.post("runs/log-inputs", {"run_id": other, "models": [{"model_id": model_id}]})
    run = (await rest.get("runs/get", run_id=other))["run"]
    assert run["inputs"] == {"model_inputs": [{"model_id": model_id}]}
    wanted = {"experiment_ids": ["0"], "filter": f"attributes.run_id = '{other}'"}
    assert [it["inputs"] for it in (await rest.post("runs/search", wanted))["runs"]] == [run["inputs"]]


async def test_searches(rest: Rest) -> None:
    first, second = await create(rest, name="a"), await create(rest, name="b")
    wanted: dict[str, Any] = {
        "experiment_ids": ["0"],
        "order_by": [{"field_name": "name", "ascending": True}],
    }

    async def ids(**fields: Any) -> list[str]:
        found = await rest.post("logged-models/search", {**wanted, **fields})
        return [it["info"]["model_id"] for it in found.get("models", [])]

    assert await ids() == [first, second]
    assert await ids(order_by=[{"field_name": "name", "ascending": False}]) == [second, first]
    assert await ids(filter="name = 'a'") == [first]
    page = await rest.post("logged-models/search", {**wanted, "max_results": 1})
    assert await ids(max_results=1, page_token=page["next_page_token"]) == [second]
    for wrong in ({"filter": "x = 'y'"}, {"order_by": [{"field_name": "x"}]}, {"max_results": 5_000}):
        assert (await rest.refused("POST", "logged-models/search", {**wanted, **wrong}))[:2] == INVALID
    assert (await rest.refused("POST", "logged-models/search", {}))[:2] == INVALID


async def test_what_mlflow_2_logs_to_a_run_becomes_a_logged_model(rest: Rest) -> None:
    run_id = await rest.new_run()
    await rest.post("runs/log-parameter", {"run_id": run_id, "key": "lr", "value": "1"})
    models = []
    for number in range(2):
        await put(rest, f"0/{run_id}/artifacts/some/model/MLmodel", b"number: %d" % number)
        model = {
            "run_id": run_id,
            "artifact_path": "some/model",
            "utc_time_created": "now",
            "flavors": {},
            "model_uuid": uuid4().hex,
        }
        for _ in range(2):  # a repeat is the same model
            await rest.post("runs/log-model", {"run_id": run_id, "model_json": json.dumps(model)})
        models.append(f"m-{model['model_uuid']}")
    found = (await rest.post("logged-models/search", {"experiment_ids": ["0"]}))["models"]
    assert [it["info"]["model_id"] for it in found] == models[::-1]
    assert found[0]["info"]["name"] == "some/model"
    assert found[0]["info"]["status"] == "LOGGED_MODEL_READY"
    assert found[0]["data"]["params"] == [{"key": "lr", "value": "1"}]
    for number, model_id in enumerate(models):
        file = await rest.place.ask("GET", f"{PROXY}/0/models/{model_id}/artifacts/MLmodel")
        assert file.body == b"number: %d" % number
    run = (await rest.get("runs/get", run_id=run_id))["run"]
    assert {it["model_id"] for it in run["outputs"]["model_outputs"]} == set(models)
    assert await listed(rest, run_id, "some/model") == ["some/model/MLmodel"]
    await change(rest, "DELETE", f"logged-models/{models[1]}")
    file = await rest.place.ask("GET", f"{PROXY}/0/{run_id}/artifacts/some/model/MLmodel")
    assert file.body == b"number: 0"


async def test_what_is_wrong_is_refused(rest: Rest) -> None:
    run_id, nowhere = await rest.new_run(), f"m-{'0' * 32}"
    model_id = await create(rest, run_id)
    wrong: list[tuple[str, str, Any, tuple[int, str]]] = [
        ("POST", "logged-models", {"name": "a"}, INVALID),
        ("POST", "logged-models", {"experiment_id": "0", "name": "a/b"}, INVALID),
        ("POST", "logged-models", {"experiment_id": "77", "name": "a"}, RESOURCE_GONE),
        ("POST", "logged-models", {"experiment_id": "0", "source_run_id": "x"}, INVALID),
        ("GET", f"logged-models/{nowhere}", None, RESOURCE_GONE),
        ("GET", "logged-models/../x", None, (404, "ENDPOINT_NOT_FOUND")),
        ("PATCH", f"logged-models/{model_id}", {"status": "GOOD"}, INVALID),
        ("PATCH", f"logged-models/{model_id}", {}, INVALID),
        ("POST", f"logged-models/{model_id}/params", {"params": [{"key": "x" * 251, "value": "1"}]}, INVALID),
        ("POST", "runs/outputs", {"run_id": run_id, "models": [{"model_id": nowhere}]}, RESOURCE_GONE),
        ("POST", "runs/outputs", {"run_id": "0" * 32, "models": [{"model_id": model_id}]}, RESOURCE_GONE),
        ("POST", "runs/log-inputs", {"run_id": run_id, "models": [{"model_id": "m-1"}]}, RESOURCE_GONE),
    ]
    for method, path, fields, expected in wrong:
        answer = await rest.send(method, path, fields)
        assert (answer.status, answer.json["error_code"]) == expected, (method, path, fields, answer)
