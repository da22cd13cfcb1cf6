"""MLflow's REST API: the forms of its answers, what it coerces, and what it refuses."""

from typing import Any

import pytest

from stepwell_server.app import RunningServer, running_server
from stepwell_server.config import Config
from stepwell_server.store.postgres.pool import Pool
from tests.harness.network.rest import Rest

RESOURCE_GONE = (404, "RESOURCE_DOES_NOT_EXIST")
INVALID = (400, "INVALID_PARAMETER_VALUE")


@pytest.fixture
def rest(server: RunningServer) -> Rest:
    return Rest(server.http_url)


async def test_the_life_of_an_experiment(rest: Rest) -> None:
    tags = [{"key": "team", "value": "blue"}]
    experiment_id = (await rest.post("experiments/create", {"name": "first", "tags": tags}))["experiment_id"]
    found = (await rest.get("experiments/get", experiment_id=experiment_id))["experiment"]
    assert found == {
        "experiment_id": experiment_id,
        "name": "first",
        "artifact_location": f"mlflow-artifacts:/{experiment_id}",
        "lifecycle_stage": "active",
        "last_update_time": found["last_update_time"],
        "creation_time": found["creation_time"],
        "tags": tags,
    }
    assert type(found["creation_time"]) is int
    assert (await rest.get("experiments/get-by-name", experiment_name="first"))["experiment"] == found
    named = {"experiment_id": experiment_id}
    assert await rest.post("experiments/update", {**named, "new_name": "second"}) == {}
    assert await rest.post("experiments/set-experiment-tag", {**named, "key": "k", "value": "v"}) == {}
    assert await rest.post("experiments/delete-experiment-tag", {**named, "key": "team"}) == {}
    found = (await rest.get("experiments/get", **named))["experiment"]
    assert (found["name"], found["tags"]) == ("second", [{"key": "k", "value": "v"}])
    run_id = await rest.new_run(experiment_id=experiment_id)
    assert await rest.post("experiments/delete", named) == {}
    assert (await rest.get("experiments/get", **named))["experiment"]["lifecycle_stage"] == "deleted"
    assert (await rest.refused("POST", "runs/create", named))[:2] == INVALID
    assert (await rest.refused("POST", "experiments/update", {**named, "new_name": "third"}))[:2] == INVALID
    assert (await rest.get("runs/get", run_id=run_id))["run"]["info"]["lifecycle_stage"] == "deleted"
    assert await rest.post("experiments/restore", named) == {}
    assert (await rest.get("runs/get", run_id=run_id))["run"]["info"]["lifecycle_stage"] == "active"
    assert (await rest.refused("POST", "experiments/create", {"name": "second"}))[:2] == (
        400,
        "RESOURCE_ALREADY_EXISTS",
    )


async def test_the_life_of_a_run(rest: Rest) -> None:
    tags = [{"key": "team", "value": "blue"}]
    fields = {"experiment_id": "0", "user_id": "me", "start_time": "123", "run_name": "mine", "tags": tags}
    run = (await rest.post("runs/create", fields))["run"]
    run_id = run["info"]["run_id"]
    info = {
        "run_uuid": run_id,
        "experiment_id": "0",
        "run_name": "mine",
        "user_id": "me",
        "status": "RUNNING",
        "start_time": 123,
        "artifact_uri": f"mlflow-artifacts:/0/{run_id}/artifacts",
        "lifecycle_stage": "active",
        "run_id": run_id,
    }
    named = {"key": "mlflow.runName", "value": "mine"}
    assert run == {"info": info, "data": {"tags": [named, *tags]}, "inputs": {}}
    assert (await rest.get("runs/get", run_id=run_id))["run"] == run
    assert (await rest.get("runs/get", run_uuid=run_id))["run"] == run
    updated = await rest.post("runs/update", {"run_id": run_id, "status": "FINISHED", "end_time": "456"})
    assert updated == {"run_info": info | {"status": "FINISHED", "end_time": 456}}
    updated = await rest.post("runs/update", {"run_uuid": run_id, "status": 4, "run_name": "yours"})
    assert updated == {"run_info": info | {"status": "FAILED", "end_time": 456, "run_name": "yours"}}
    assert await rest.post("runs/delete-tag", {"run_id": run_id, "key": "team"}) == {}
    assert (await rest.refused("POST", "runs/delete-tag", {"run_id": run_id, "key": "team"}))[
        :2
    ] == RESOURCE_GONE
    assert await rest.post("runs/delete", {"run_id": run_id}) == {}
    assert await rest.post("runs/restore", {"run_id": run_id}) == {}


async def test_data_sets_of_runs_are_shown_and_found(rest: Rest) -> None:
    run_id = await rest.new_run()
    dataset = {"name": "digits", "digest": "d1", "source_type": "local", "source": "{}", "schema": "{}"}
    tags = [{"key": "mlflow.data.context", "value": "train"}]
    await rest.post("runs/log-inputs", {"run_id": run_id, "datasets": [{"tags": tags, "dataset": dataset}]})
    inputs = {"dataset_inputs": [{"tags": tags, "dataset": dataset}]}
    assert (await rest.get("runs/get", run_id=run_id))["run"]["inputs"] == inputs
    wanted = {"experiment_ids": ["0"], "filter": "datasets.name = 'digits'"}
    assert [run["inputs"] for run in (await rest.post("runs/search", wanted))["runs"]] == [inputs]


async def test_models_that_mlflow_2_logs_are_noted(rest: Rest) -> None:
    run_id = await rest.new_run()
    model = '{"run_id": "r", "artifact_path": "%s", "utc_time_created": "now", "flavors": {}}'
    for path in ("one", "two"):
        await rest.post("runs/log-model", {"run_id": run_id, "model_json": model % path})
    tags = (await rest.get("runs/get", run_id=run_id))["run"]["data"]["tags"]
    (history,) = [tag["value"] for tag in tags if tag["key"] == "mlflow.log-model.history"]
    assert history == f"[{model % 'one'}, {model % 'two'}]"
    fields = {"run_id": run_id, "model_json": "{}"}
    assert (await rest.refused("POST", "runs/log-model", fields))[:2] == INVALID


async def test_searches_give_pages_as_large_as_they_are_asked_for(rest: Rest, pool: Pool) -> None:
    async with pool.connection() as connection:
        rows = await connection.fetch(
            "INSERT INTO run (run_id, experiment_id, name, status, start_time_ms, user_name, artifact_uri)"
            " SELECT gen_random_uuid(), 0, 'a run', 1, number, '', '' FROM generate_series(1, 1100) AS number"
            " RETURNING run_id"
        )
    run_ids = [row["run_id"].hex for row in rows]
    newest_first = run_ids[::-1]

    async def ids_of(**fields: Any) -> tuple[list[str], str]:
        answer = await rest.post("runs/search", {"experiment_ids": ["0"], **fields})
        ids = [run["info"]["run_id"] for run in answer.get("runs", [])]
        return ids, answer.get("next_page_token", "")

    assert await ids_of(max_results=1_100) == (newest_first, "")
    page, token = await ids_of(max_results="1050")
    assert page == newest_first[:1_050]
    # A run that comes meanwhile moves nothing.
    await rest.new_run(start_time=10_000)
    assert await ids_of(max_results=1_050, page_token=token) == (newest_first[1_050:], "")
    assert len((await ids_of())[0]) == 1_000
    assert await ids_of(experiment_ids=[]) == ([], "")
    assert await ids_of(run_view_type="DELETED_ONLY") == ([], "")
    assert (await ids_of(filter="attributes.start_time <= 2", order_by=["start_time ASC"]))[0] == run_ids[:2]


async def test_experiments_are_searched_by_get_and_post(rest: Rest) -> None:
    for name in ("a", "b", "c"):
        await rest.post("experiments/create", {"name": name})

    async def names(method: str, **fields: Any) -> list[str]:
        answer = await rest.send(method, "experiments/search", fields)
        return [it["name"] for it in answer.json.get("experiments", [])]

    assert await names("POST") == ["c", "b", "a", "Default"]
    assert await names("GET", max_results=2) == ["c", "b"]
    assert await names("GET", max_results=9, order_by=["name ASC"], filter="name LIKE '_'") == ["a", "b", "c"]
    assert await names("POST", view_type="DELETED_ONLY") == []
    first = await rest.post("experiments/search", {"max_results": 3})
    rest_of_it = {"max_results": 3, "page_token": first["next_page_token"]}
    assert await names("POST", **rest_of_it) == ["Default"]


@pytest.mark.parametrize("prefix", ["/api/2.0/mlflow/", "/ajax-api/2.0/mlflow/"])
async def test_both_prefixes_serve_the_same(rest: Rest, prefix: str) -> None:
    run_id = await rest.new_run()
    await rest.post(f"{prefix}runs/log-metric", {"run_id": run_id, "key": "a", "value": 1, "timestamp": 1})
    point = {"key": "a", "value": 1.0, "timestamp": 1, "step": 0}
    assert await rest.get(f"{prefix}metrics/get-history", run_id=run_id, metric_key="a") == {
        "metrics": [point]
    }


async def test_messages_are_coerced_as_protobuf_does_it(rest: Rest) -> None:
    run = (await rest.post("runs/create", {"experimentId": 0, "startTime": 7.0, "runName": "camel", "x": 1}))[
        "run"
    ]
    assert (run["info"]["run_name"], run["info"]["start_time"]) == ("camel", 7)
    run_id = run["info"]["run_id"]
    point = {"runId": run_id, "run_id": None, "key": "a", "value": "1.5", "timestamp": "2", "step": "-3"}
    await rest.post("runs/log-metric", point)
    assert await rest.points(run_id, "a") == [(-3, 2, 1.5)]
    # A JSON text in JSON, as old R clients send it.
    await rest.post("experiments/create", b'"{\\"name\\": \\"in a text\\"}"')
    answer = await rest.send(
        "POST", "experiments/create", b'{"name": "b"}', content_type="application/json; charset=utf-8"
    )
    assert answer.status == 200


@pytest.mark.parametrize(
    ("method", "path", "fields", "status", "code"),
    [
        (
            "POST",
            "runs/log-metric",
            {"run_id": "0" * 32, "key": "a", "value": "1_0", "timestamp": 1},
            *INVALID,
        ),
        (
            "POST",
            "runs/log-metric",
            {"run_id": "0" * 32, "key": "a", "value": "\uff11", "timestamp": 1},
            *INVALID,
        ),
        ("POST", "experiments/create", {}, *INVALID),
        ("POST", "experiments/create", {"name": ""}, *INVALID),
        ("POST", "experiments/create", {"name": 5}, *INVALID),
        ("POST", "experiments/create", {"name": "x" * 501}, *INVALID),
        ("POST", "experiments/create", {"name": "a\0b"}, *INVALID),
        ("POST", "experiments/create", {"name": "a", "artifact_location": "runs:/x"}, *INVALID),
        ("POST", "experiments/create", {"name": "a", "tags": {"a": "b"}}, *INVALID),
        ("POST", "experiments/create", b"{bad", *INVALID),
        ("POST", "experiments/create", b"[1]", *INVALID),
        ("POST", "experiments/create", b"[" * 100_000, *INVALID),
        ("POST", "experiments/create", b'{"name": "\\ud800"}', *INVALID),
        ("POST", "experiments/create", b'{"name": "\xff"}', *INVALID),
        ("GET", "experiments/get", {"experiment_id": "abc"}, *INVALID),
        ("GET", "experiments/get", {"experiment_id": "9" * 25}, *RESOURCE_GONE),
        ("GET", "experiments/get-by-name", {"experiment_name": "nobody's"}, *RESOURCE_GONE),
        ("POST", "experiments/search", {"max_results": 0}, *INVALID),
        ("POST", "experiments/search", {"max_results": 50_001}, *INVALID),
        ("POST", "experiments/search", {"view_type": "SOME"}, *INVALID),
        ("POST", "experiments/search", {"page_token": "eyJvZmZzZXQiOiAxfQ=="}, *INVALID),
        ("POST", "runs/create", {}, *INVALID),
        ("POST", "runs/create", {"experiment_id": "999"}, *RESOURCE_GONE),
        ("POST", "runs/create", {"experiment_id": "0", "start_time": 1.5}, *INVALID),
        (
            "POST",
            "runs/create",
            {"experiment_id": "0", "run_name": "x", "tags": [{"key": "mlflow.runName", "value": "y"}]},
            *INVALID,
        ),
        ("GET", "runs/get", {}, *INVALID),
        ("GET", "runs/get", {"run_id": "0" * 32}, *RESOURCE_GONE),
        ("GET", "runs/get", {"run_id": "../x"}, *RESOURCE_GONE),
        ("POST", "runs/search", {"experiment_ids": ["0"], "filter": "metrics.a > 'x'"}, *INVALID),
        ("POST", "runs/search", {"experiment_ids": "0"}, *INVALID),
        ("POST", "runs/search", {"experiment_ids": ["x"]}, *INVALID),
        ("POST", "runs/search", {"order_by": ["metrics.a", "metrics.a DESC"]}, *INVALID),
        ("GET", "metrics/get-history", {"run_id": "0" * 32}, *INVALID),
        ("GET", "metrics/get-history", {"run_id": "0" * 32, "metric_key": "a", "max_results": 0}, *INVALID),
        ("GET", "metrics/get-history-bulk", {"metric_key": "a"}, *INVALID),
        (
            "GET",
            "metrics/get-history-bulk",
            {"metric_key": "a", "run_id": [str(n) for n in range(101)]},
            *INVALID,
        ),
        ("GET", "metrics/get-history-bulk-interval", {"run_ids": "a"}, *INVALID),
        (
            "GET",
            "metrics/get-history-bulk-interval",
            {"run_ids": "a", "metric_key": "b", "start_step": 1},
            *INVALID,
        ),
        (
            "GET",
            "metrics/get-history-bulk-interval",
            {"run_ids": "a", "metric_key": "b", "max_results": 2_501},
            *INVALID,
        ),
        ("GET", "runs/create", {}, 405, "BAD_REQUEST"),
        ("POST", "runs/nothing", {}, 404, "ENDPOINT_NOT_FOUND"),
        ("PATCH", "logged-models/m-1/tags", {}, *RESOURCE_GONE),
        ("POST", "registered-models/create", {"name": "a/b"}, 400, "INVALID_PARAMETER_VALUE"),
        (
            "POST",
            "model-versions/create",
            {"name": "none", "source": "s3://a"},
            404,
            "RESOURCE_DOES_NOT_EXIST",
        ),
    ],
)
async def test_what_is_wrong_is_refused(
    rest: Rest, method: str, path: str, fields: Any, status: int, code: str
) -> None:
    assert (await rest.refused(method, path, fields))[:2] == (status, code)


async def test_what_only_mlflow_has_is_named(rest: Rest) -> None:
    for path, what in (
        ("/api/3.0/mlflow/traces/tr-1", "traces"),
        ("/api/3.0/mlflow/datasets/create", "data sets"),
    ):
        status, code, message = await rest.refused("POST", path)
        assert (status, code) == (404, "ENDPOINT_NOT_FOUND")
        assert f"Stepwell has no {what}" in message
    prompt = {"name": "p", "tags": [{"key": "mlflow.prompt.is_prompt", "value": "true"}]}
    status, code, message = await rest.refused("POST", "registered-models/create", prompt)
    assert (status, code) == (501, "NOT_IMPLEMENTED")
    assert "prompts" in message
    assert await rest.get("registered-models/search") == {}


async def test_refusals_say_what_was_given(rest: Rest) -> None:
    for experiment_id in (str(2**80), "-5"):
        _, _, said = await rest.refused("GET", "experiments/get", {"experiment_id": experiment_id})
        assert said == f"there is no experiment with id {experiment_id}"
    _, _, said = await rest.refused("GET", "model-versions/get", {"name": "a", "version": "0"})
    assert said == "Parameter 'version' must be an integer from 1 to 2147483647, got '0'."
    run = {"experiment_id": "0"}
    assert (await rest.send("POST", "runs/create", run, content_encoding="identity")).status == 200
    refused = await rest.refused("POST", "runs/create", run, content_encoding="gzip")
    assert (refused[0], "Content-Encoding 'gzip' is not taken" in refused[2]) == (400, True)


async def test_searches_of_models_find_none(rest: Rest) -> None:
    # mlflow 3 makes the first one wherever it lists artifacts.
    assert await rest.get("registered-models/search", max_results=5) == {}
    assert await rest.get("model-versions/search", filter="name = 'x'") == {}


async def test_a_page_of_others_cannot_send_a_form(rest: Rest) -> None:
    refused = await rest.refused("POST", "experiments/create", b'{"name": "a"}', content_type="text/plain")
    assert refused[:2] == INVALID


async def test_below_a_prefix(database_url: str, tmp_path: Any) -> None:
    config = Config(
        port=0, http_port=0, store=database_url, data=tmp_path, shutdown_grace_s=5, static_prefix="/tracking"
    )
    async with running_server(config) as running:
        rest = Rest(running.http_url)
        found = await rest.get("/tracking/api/2.0/mlflow/experiments/get", experiment_id="0")
        assert found["experiment"]["name"] == "Default"
        assert (await rest.refused("GET", "experiments/get", {}))[0] == 404
