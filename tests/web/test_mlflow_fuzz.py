"""Any message to any route: a good answer or an error as JSON, never a failure of the server."""

import json
import random
from typing import Any

import pytest

from stepwell_server.app import RunningServer
from tests.harness.rest import PREFIX, Rest

CALLS_PER_ROUTE = 40

# Every field that some route reads.
FIELDS = (
    "name",
    "artifact_location",
    "tags",
    "experiment_id",
    "experiment_name",
    "new_name",
    "key",
    "value",
    "view_type",
    "max_results",
    "filter",
    "order_by",
    "page_token",
    "run_id",
    "run_uuid",
    "runId",
    "user_id",
    "start_time",
    "end_time",
    "run_name",
    "status",
    "timestamp",
    "step",
    "metrics",
    "params",
    "datasets",
    "models",
    "model_json",
    "metric_key",
    "run_ids",
    "start_step",
    "end_step",
    "experiment_ids",
    "run_view_type",
)
ROUTES = {
    "POST": (
        "experiments/create",
        "experiments/search",
        "experiments/update",
        "experiments/set-experiment-tag",
        "experiments/delete-experiment-tag",
        "experiments/delete",
        "experiments/restore",
        "runs/create",
        "runs/update",
        "runs/delete",
        "runs/restore",
        "runs/log-metric",
        "runs/log-parameter",
        "runs/log-batch",
        "runs/set-tag",
        "runs/delete-tag",
        "runs/search",
        "runs/log-inputs",
        "runs/log-model",
        "runs/outputs",
        "logged-models",
        "registered-models/create",
        "model-versions/create",
    ),
    "GET": (
        "experiments/get",
        "experiments/get-by-name",
        "experiments/search",
        "runs/get",
        "metrics/get-history",
        "metrics/get-history-bulk",
        "metrics/get-history-bulk-interval",
        "logged-models/m-1",
        "/api/3.0/mlflow/server-info",
    ),
}
STRINGS = (
    "",
    "a",
    "0",
    "1",
    "-1",
    "NaN",
    "Infinity",
    "1e400",
    "0x10",
    "1_000",
    "٣",
    "\0",
    "a\0b",
    "\ud800",
    "\U0001f600",
    "../x",
    "a//b",
    "/",
    ".",
    "x" * 251,
    "x" * 9_000,
    "null",
    "{}",
    "[]",
    "'",
    '"',
    "`",
    "%",
    "\\",
    "metrics.a > 1",
    "a = 'b' OR 1",
    "metrics.a DESC",
    "tags.`x y` LIKE '%'",
    "runs:/x",
    "mlflow.runName",
    "ACTIVE_ONLY",
    "FINISHED",
    "s.",
    "t.",
    "s.e30=",
    "WyJhIl0=",
    "t.WyJoaXN0b3J5IiwgMCwgMSwgMSwgMSwgMV0=",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
)
NUMBERS = (
    0,
    1,
    -1,
    1.5,
    2.0,
    1e300,
    2**31,
    2**53 + 1,
    2**63 - 1,
    2**63,
    -(2**63),
    -(2**63) - 1,
    10**30,
    10**400,
)
BODIES = (
    b"",
    b"{",
    b"[]",
    b"5",
    b"null",
    b'""',
    b'"{}"',
    b"\xff\xfe",
    b'{"a": NaN}',
    b"{}" * 2,
    b"[" * 5_000,
    b"{" * 5_000,
)


def any_value(chosen: random.Random, known: dict[str, Any], depth: int = 0) -> Any:
    kind = chosen.randrange(9 if depth < 3 else 6)
    if kind < 2:
        return chosen.choice(STRINGS)
    if kind == 2:
        return chosen.choice(NUMBERS)
    if kind == 3:
        return chosen.choice((True, False, None, float("nan"), float("inf")))
    if kind < 6:
        return known[chosen.choice(list(known))]
    if kind < 8:
        return [any_value(chosen, known, depth + 1) for _ in range(chosen.randrange(4))]
    return any_message(chosen, known, depth + 1)


def any_message(chosen: random.Random, known: dict[str, Any], depth: int = 0) -> dict[str, Any]:
    fields = chosen.sample(FIELDS, chosen.randrange(1, 8))
    found = {field: any_value(chosen, known, depth) for field in fields}
    # Half of what is known by its name is right, so that messages come further than the first check.
    return found | {field: value for field, value in known.items() if chosen.random() < 0.5}


@pytest.mark.parametrize("seed", range(3))
async def test_any_message_gets_an_answer(server: RunningServer, seed: int) -> None:
    rest, chosen = Rest(server.http_url), random.Random(seed)
    experiment_id = (await rest.post("experiments/create", {"name": f"fuzz {seed}"}))["experiment_id"]
    run_id = await rest.new_run(experiment_id=experiment_id)
    await rest.post("runs/log-metric", {"run_id": run_id, "key": "a", "value": 1, "timestamp": 1})
    known = {
        "experiment_id": experiment_id,
        "run_id": run_id,
        "key": "a",
        "value": "1",
        "timestamp": 5,
        "metric_key": "a",
        "run_ids": [run_id],
        "experiment_ids": [experiment_id],
        "name": "a",
        "max_results": 3,
        "metrics": [{"key": "a", "value": 1, "timestamp": 1}],
        "params": [{"key": "p", "value": "1"}],
    }
    good = 0
    for method, routes in ROUTES.items():
        for path in routes:
            for _ in range(CALLS_PER_ROUTE):
                message = any_message(chosen, known)
                sent: Any = message if method == "GET" else json.dumps(message).encode()
                if method == "POST" and chosen.random() < 0.1:
                    sent = chosen.choice(BODIES)
                if method == "GET":
                    sent = {
                        name: [str(it).encode("utf-8", "replace") for it in value]
                        if isinstance(value, list)
                        else str(value).encode("utf-8", "replace")
                        for name, value in message.items()
                    }
                answer = await rest.send(method, path, sent)
                where = (method, PREFIX + path, sent, answer)
                assert answer.status < 500 or answer.status == 501, where
                assert answer.headers["content-type"] == "application/json", where
                body = answer.json
                good += answer.status == 200
                if answer.status != 200:
                    assert set(body) == {"error_code", "message"}, where
                    assert body["message"], where
    assert good > 50  # or the messages never come far
    # The server is as it was.
    run_id = await rest.new_run()
    await rest.post("runs/log-metric", {"run_id": run_id, "key": "a", "value": 1, "timestamp": 1})
    assert await rest.points(run_id, "a") == [(0, 1, 1.0)]
