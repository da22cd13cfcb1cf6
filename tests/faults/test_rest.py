"""REST clients that get no answer, because it or the server was lost: they send again, and nothing is doubled."""

import asyncio
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness.network.ports import free_port
from tests.harness.network.proxy import Proxy, Way
from tests.harness.network.rest import Rest
from tests.harness.servers.processes import ServerProcess

CALLERS = 8
BATCHES = 40
POINTS = 25
FAILURES = 4
TRIES_MAX = 600
PAUSE_S = 0.05


@pytest.fixture
def port() -> int:
    """A port that a server can come back to."""
    return free_port()


@pytest.fixture
def proxy(port: int) -> Iterator[Proxy]:
    """The way to the server."""
    with Proxy(port) as passing:
        yield passing


async def test_calls_that_got_no_answer_are_there_once(
    database_url: str, start_server: Callable[..., ServerProcess], tmp_path: Path, port: int, proxy: Proxy
) -> None:
    options = ("--store", database_url, "--data", str(tmp_path), "--workers", "2", "--http-port", str(port))
    server = start_server(*options)
    rest = Rest(f"http://127.0.0.1:{proxy.port}")
    run_id = await rest.new_run()
    chosen = random.Random(5)
    sent = 0

    async def deliver(caller: int, number: int) -> None:
        """Send a batch until it is answered, as clients do."""
        nonlocal sent
        first = (caller * BATCHES + number) * POINTS
        points = [
            {"key": "loss", "value": step / 4, "timestamp": step, "step": step}
            for step in range(first, first + POINTS)
        ]
        params = [{"key": f"p{caller}-{number}", "value": "1"}]
        for _ in range(TRIES_MAX):
            sent += 1
            try:
                answer = await rest.send(
                    "POST", "runs/log-batch", {"run_id": run_id, "metrics": points, "params": params}
                )
            except (OSError, asyncio.IncompleteReadError):
                await asyncio.sleep(PAUSE_S)
                continue
            if answer.status == 200:
                return
            assert answer.status == 503, answer
            await asyncio.sleep(PAUSE_S)
        raise AssertionError("no answer")

    async def call(caller: int) -> None:
        for number in range(BATCHES):
            await deliver(caller, number)
            await asyncio.sleep(chosen.uniform(0, 0.1))

    async def fail() -> None:
        nonlocal server
        for number in range(FAILURES):
            await asyncio.sleep(chosen.uniform(0.2, 0.6))
            proxy.hold(Way.DOWN)
            await asyncio.sleep(0.3)  # what is on its way is committed, and its answer waits
            if number % 2:
                await asyncio.to_thread(server.kill)
            proxy.cut()
            proxy.heal()
            if number % 2:
                server = await asyncio.to_thread(start_server, *options)

    await asyncio.gather(fail(), *(call(caller) for caller in range(CALLERS)))
    assert sent > CALLERS * BATCHES  # or nothing was ever sent again
    count = CALLERS * BATCHES * POINTS
    assert await rest.points(run_id, "loss") == [(step, step, step / 4) for step in range(count)]
    data = (await rest.get("runs/get", run_id=run_id))["run"]["data"]
    assert len(data["params"]) == CALLERS * BATCHES
    assert data["metrics"] == [
        {"key": "loss", "value": (count - 1) / 4, "timestamp": count - 1, "step": count - 1}
    ]
