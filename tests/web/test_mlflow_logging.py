"""What REST clients log: whole or not at all, once however often it comes, and beside streams."""

import asyncio
import json
import random
from typing import Any
from uuid import UUID, uuid4

import grpc.aio
import pytest

from stepwell_api.v1 import runs_pb2, runs_pb2_grpc
from stepwell_server.app import RunningServer
from stepwell_server.store.ingest.forgetting import forget_calls
from stepwell_server.store.postgres.pool import Pool
from tests.harness.network.raw_http import head
from tests.harness.network.rest import PREFIX, Rest
from tests.wire.test_ingest import batch_message, opened


@pytest.fixture
def rest(server: RunningServer) -> Rest:
    return Rest(server.http_url)


def points(count: int, key: str = "loss", first: int = 0) -> list[dict[str, Any]]:
    return [
        {"key": key, "value": step / 8, "timestamp": 1_000 + step, "step": step}
        for step in range(first, first + count)
    ]


async def test_all_of_a_batch_is_there_when_it_is_answered(rest: Rest) -> None:
    run_id = await rest.new_run()
    await rest.post(
        "runs/log-batch",
        {
            "run_id": run_id,
            "metrics": points(990),
            "params": [{"key": "lr", "value": "0.1"}],
            "tags": [{"key": "mlflow.runName", "value": "renamed"}, {"key": "team", "value": "blue"}],
        },
    )
    run = (await rest.get("runs/get", run_id=run_id))["run"]
    assert run["info"]["run_name"] == "renamed"
    assert run["data"] == {
        "metrics": [{"key": "loss", "value": 989 / 8, "timestamp": 1_989, "step": 989}],
        "params": [{"key": "lr", "value": "0.1"}],
        "tags": [{"key": "mlflow.runName", "value": "renamed"}, {"key": "team", "value": "blue"}],
    }
    assert await rest.points(run_id, "loss") == [(step, 1_000 + step, step / 8) for step in range(990)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"params": [{"key": "lr", "value": "0.2"}]},
        {"params": [{"key": "new", "value": "1"}, {"key": "a//b", "value": "1"}]},
        {"tags": [{"key": "new", "value": "1"}, {"key": "../x", "value": "1"}]},
        {"metrics": [*points(3), {"key": "a\\b", "value": 1, "timestamp": 1}]},
        {"metrics": [*points(3), {"key": "a", "value": "much", "timestamp": 1}]},
        {"metrics": [*points(3), {"key": "a", "value": 1, "timestamp": -1}]},
        {"metrics": points(1_001)},
        {"params": [{"key": f"p{number}", "value": ""} for number in range(101)]},
        {"tags": [{"key": f"t{number}", "value": ""} for number in range(101)]},
        {"params": [{"key": "twice", "value": "1"}, {"key": "twice", "value": "1"}]},
        {"metrics": points(950), "tags": [{"key": f"t{number}", "value": ""} for number in range(51)]},
    ],
)
async def test_a_batch_with_something_wrong_stores_nothing(rest: Rest, wrong: dict[str, Any]) -> None:
    run_id = await rest.new_run()
    await rest.post("runs/log-parameter", {"run_id": run_id, "key": "lr", "value": "0.1"})
    before = (await rest.get("runs/get", run_id=run_id))["run"]["data"]
    right = {"metrics": points(2, "good"), "params": [{"key": "good", "value": "1"}], "tags": []}
    batch = {name: [*right.get(name, []), *wrong.get(name, [])] for name in {*right, *wrong}}
    status, code, _ = await rest.refused("POST", "runs/log-batch", {"run_id": run_id, **batch})
    assert (status, code) == (400, "INVALID_PARAMETER_VALUE")
    assert (await rest.get("runs/get", run_id=run_id))["run"]["data"] == before
    assert await rest.points(run_id, "good") == []


async def test_params_that_change_are_refused_among_many_callers(rest: Rest, other: Rest) -> None:
    run_id = await rest.new_run()
    batches = [
        {
            "run_id": run_id,
            "params": [{"key": "lr", "value": str(number)}, {"key": f"p{number}", "value": "1"}],
            "metrics": points(1, f"m{number}"),
        }
        for number in range(40)
    ]
    callers = [rest, other]
    answers = await asyncio.gather(
        *(callers[number % 2].send("POST", "runs/log-batch", batch) for number, batch in enumerate(batches))
    )
    accepted = [number for number, answer in enumerate(answers) if answer.status == 200]
    assert len(accepted) == 1
    data = (await rest.get("runs/get", run_id=run_id))["run"]["data"]
    params = {it["key"]: it["value"] for it in data["params"]}
    assert params == {"lr": str(accepted[0]), f"p{accepted[0]}": "1"}
    assert [it["key"] for it in data["metrics"]] == [f"m{accepted[0]}"]


async def test_a_batch_whose_answer_was_lost_is_there_once_when_it_is_sent_again(
    rest: Rest, other: Rest
) -> None:
    run_id = await rest.new_run()
    sent = []
    for number in range(8):
        batch = {"run_id": run_id, "metrics": points(100, first=100 * number)}
        body = json.dumps(batch).encode()
        peer = await rest.place.connect()
        await peer.send(head("POST", f"{PREFIX}runs/log-batch", body, content_type="application/json") + body)
        await asyncio.sleep(random.Random(number).uniform(0, 0.02))
        peer.close()
        sent.append(batch)
    # To the same server and to another one, at once.
    await asyncio.gather(*(to.post("runs/log-batch", batch) for batch in sent for to in (rest, other, rest)))
    assert await rest.points(run_id, "loss") == [(step, 1_000 + step, step / 8) for step in range(800)]
    assert await other.points(run_id, "loss") == await rest.points(run_id, "loss")


async def test_equal_points_are_one_point(rest: Rest) -> None:
    run_id = await rest.new_run()
    point = {"key": "loss", "value": 1.5, "timestamp": 7, "step": 3}
    nan = {"key": "loss", "value": "NaN", "timestamp": 7, "step": 3}
    await rest.post("runs/log-batch", {"run_id": run_id, "metrics": [point, nan, point, nan]})
    assert await rest.points(run_id, "loss") == [(3, 7, 1.5), (3, 7, "NaN")]
    for _ in range(3):
        await rest.post(
            "runs/log-metric", {"run_id": run_id, "key": "acc", "value": 1, "timestamp": 1, "step": 1}
        )
    assert await rest.points(run_id, "acc") == [(1, 1, 1.0)]


async def test_a_tag_that_returns_to_an_earlier_value_is_no_repeat(rest: Rest) -> None:
    run_id = await rest.new_run()
    for value in ("a", "b", "a"):
        batch = {"run_id": run_id, "metrics": points(1), "tags": [{"key": "state", "value": value}]}
        await rest.post("runs/log-batch", batch)
        tags = (await rest.get("runs/get", run_id=run_id))["run"]["data"]["tags"]
        assert {"key": "state", "value": value} in tags
    assert len(await rest.points(run_id, "loss")) == 1


async def test_a_key_for_the_call_tells_repeats_from_equal_calls(rest: Rest, other: Rest) -> None:
    run_id = await rest.new_run()
    batch = {"run_id": run_id, "metrics": points(1), "tags": [{"key": "state", "value": "first"}]}
    for key, to in (("one", rest), ("one", other), ("two", other)):
        await to.post("runs/log-batch", batch, idempotency_key=key)
    assert len(await rest.points(run_id, "loss")) == 2
    await rest.post("runs/set-tag", {"run_id": run_id, "key": "state", "value": "second"})
    await rest.post("runs/log-batch", batch, idempotency_key="one")  # comes late
    tags = (await rest.get("runs/get", run_id=run_id))["run"]["data"]["tags"]
    assert {"key": "state", "value": "second"} in tags
    created = [
        (await to.post("runs/create", {"experiment_id": "0"}, idempotency_key="a run"))["run"]["info"][
            "run_id"
        ]
        for to in (rest, other)
    ]
    assert created[0] == created[1] != run_id
    status, code, _ = await rest.refused("POST", "runs/log-batch", batch, idempotency_key="k" * 201)
    assert (status, code) == (400, "INVALID_PARAMETER_VALUE")


async def test_many_callers_and_a_stream_write_one_run(
    rest: Rest, other: Rest, channel: grpc.aio.Channel
) -> None:
    run_id = await rest.new_run()

    async def stream() -> None:
        opened_stream = await opened(channel, run_id)
        for first in range(0, 200, 10):
            await opened_stream.say(batch_message(first, list(range(first, first + 10))))
            await asyncio.sleep(0)
        await opened_stream.until(200)

    async def call(to: Rest, number: int) -> None:
        for first in range(0, 100, 20):
            start = 1_000 * number + first
            await to.post("runs/log-batch", {"run_id": run_id, "metrics": points(20, first=start)})

    await asyncio.gather(stream(), *(call((rest, other)[number % 2], number) for number in range(1, 9)))
    expected = [(step, 7, float(step)) for step in range(200)]
    expected += [
        (s, 1_000 + s, s / 8) for number in range(1, 9) for s in range(1_000 * number, 1_000 * number + 100)
    ]
    assert sorted(await rest.points(run_id, "loss")) == sorted(expected)
    latest = (await other.get("runs/get", run_id=run_id))["run"]["data"]["metrics"]
    assert latest == [{"key": "loss", "value": 8_099 / 8, "timestamp": 9_099, "step": 8_099}]


async def test_a_call_finds_its_way_after_another_one_failed(rest: Rest, server: RunningServer) -> None:
    run_id = await rest.new_run()
    await rest.post("runs/log-batch", {"run_id": run_id, "metrics": points(10)})
    # The log is not where this server believes.
    async with server.pool.connection() as connection:
        await connection.execute(
            "UPDATE writer SET position = position + 5 WHERE run_id = $1", UUID(hex=run_id)
        )
    await asyncio.gather(
        *(
            rest.post("runs/log-batch", {"run_id": run_id, "metrics": points(10, first=10 * number)})
            for number in range(1, 10)
        )
    )
    assert [step for step, _, _ in await rest.points(run_id, "loss")] == list(range(100))


async def test_what_is_logged_after_a_rewind_shows(
    rest: Rest, other: Rest, channel: grpc.aio.Channel
) -> None:
    run_id = await rest.new_run()
    runs = runs_pb2_grpc.RunServiceStub(channel)
    for attempt, value in enumerate((1.0, 2.0, 3.0)):
        for to in (rest, other):
            new = [{**it, "value": value, "timestamp": 10 * attempt + (to is other)} for it in points(10)]
            params = [{"key": f"attempt {attempt}", "value": "1"}]
            await to.post("runs/log-batch", {"run_id": run_id, "metrics": new, "params": params})
        if attempt < 2:
            await runs.RewindRun(runs_pb2.RewindRunRequest(run_id=run_id, from_step=5))
    found = sorted((step, value) for step, _, value in await rest.points(run_id, "loss"))
    assert found == sorted(
        (step, value)
        for step in range(10)
        for value in ((1.0, 2.0, 3.0) if step < 5 else (3.0,))
        for _ in range(2)
    )
    data = (await rest.get("runs/get", run_id=run_id))["run"]["data"]
    assert len(data["params"]) == 3
    assert data["metrics"] == [{"key": "loss", "value": 3.0, "timestamp": 21, "step": 9}]


async def test_runs_that_are_deleted_or_gone_are_not_written(rest: Rest, server: RunningServer) -> None:
    run_id = await rest.new_run()
    await rest.post("runs/log-batch", {"run_id": run_id, "metrics": points(1)})
    await rest.post("runs/delete", {"run_id": run_id})
    for path, fields in (
        ("runs/log-metric", {"key": "a", "value": 1, "timestamp": 1}),
        ("runs/log-parameter", {"key": "a", "value": "1"}),
        ("runs/set-tag", {"key": "a", "value": "1"}),
        ("runs/log-batch", {}),
        ("runs/update", {"status": "FAILED"}),
    ):
        status, code, message = await rest.refused("POST", path, {"run_id": run_id, **fields})
        assert (status, code) == (400, "INVALID_PARAMETER_VALUE")
        assert "deleted" in message
    await rest.post("runs/restore", {"run_id": run_id})
    await rest.post("runs/log-metric", {"run_id": run_id, "key": "a", "value": 1, "timestamp": 1})
    assert len(await rest.points(run_id, "a")) == 1
    for unknown in (uuid4().hex, "no id"):
        fields = {"run_id": unknown, "metrics": points(1)}
        assert (await rest.refused("POST", "runs/log-batch", fields))[:2] == (404, "RESOURCE_DOES_NOT_EXIST")


async def test_calls_are_forgotten_by_age_and_by_number(rest: Rest, pool: Pool) -> None:
    run_id = await rest.new_run()
    for step in range(5):
        await rest.post(
            "runs/log-metric", {"run_id": run_id, "key": "a", "value": 1, "timestamp": 1, "step": step}
        )

    async def known() -> int:
        async with pool.connection() as connection:
            return await connection.fetchval("SELECT count(*) FROM logged_call")

    assert await forget_calls(pool) == 0
    async with pool.connection() as connection:
        await connection.execute(
            "UPDATE logged_call SET time_ms = n FROM (SELECT call_id, row_number() OVER () AS n"
            " FROM logged_call) AS x WHERE x.call_id = logged_call.call_id"
        )
    assert await forget_calls(pool, kept_ms=2**50, kept_max=2) == 3
    assert await known() == 2
    assert await forget_calls(pool, kept_ms=60_000, kept_max=100) == 2
    assert await known() == 0


async def test_values_are_kept_as_they_are(rest: Rest) -> None:
    run_id = await rest.new_run()
    given = [
        ("NaN", "NaN"),
        ("Infinity", "Infinity"),
        ("-Infinity", "-Infinity"),
        (1e308, 1e308),
        ("0.25", 0.25),
        (-0.0, 0.0),
        (2**53 + 1, float(2**53)),
        (5e-324, 5e-324),
    ]
    for step, (value, _) in enumerate(given):
        fields = {
            "run_id": run_id,
            "key": "x",
            "value": value,
            "timestamp": str(10 + step),
            "step": str(step),
        }
        await rest.post("runs/log-metric", fields)
    assert [value for _, _, value in await rest.points(run_id, "x")] == [value for _, value in given]
    for step in (-(2**63), 2**63 - 1):
        await rest.post(
            "runs/log-metric", {"run_id": run_id, "key": "far", "value": 1, "timestamp": 0, "step": step}
        )
    assert [step for step, _, _ in await rest.points(run_id, "far")] == [-(2**63), 2**63 - 1]
    # Words that JSON does not have, but Python's json writes.
    body = f'{{"run_id": "{run_id}", "key": "y", "value": NaN, "timestamp": 1}}'.encode()
    await rest.post("runs/log-metric", body)
    assert await rest.points(run_id, "y") == [(0, 1, "NaN")]


async def test_long_values_are_cut_as_mlflow_cuts_them(rest: Rest) -> None:
    run_id = await rest.new_run()
    long = "ä" * 9_000
    await rest.post("runs/log-parameter", {"run_id": run_id, "key": "p", "value": long})
    await rest.post("runs/set-tag", {"run_id": run_id, "key": "t", "value": long})
    data = (await rest.get("runs/get", run_id=run_id))["run"]["data"]
    assert data["params"] == [{"key": "p", "value": "ä" * 6_000}]
    assert {"key": "t", "value": "ä" * 8_000} in data["tags"]
