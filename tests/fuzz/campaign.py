"""One campaign: a server, hostile callers with messages by chance, and a good neighbour.

python -m tests.fuzz.campaign --seconds 600 [--seed 7]
"""

import argparse
import asyncio
import itertools
import json
import random
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import MagicMock
from urllib.parse import quote, urlsplit
from uuid import uuid4

import grpc
import grpc.aio
import psutil
from starlette.routing import Route

from stepwell_api.v1 import artifacts_pb2, runs_pb2
from stepwell_api.v1.artifacts_pb2_grpc import ArtifactServiceStub
from stepwell_api.v1.runs_pb2_grpc import ExperimentServiceStub, RunServiceStub
from stepwell_server.config import HoldingLimits
from stepwell_server.web.artifacts.routes import artifact_routes
from stepwell_server.web.mlflow.routes import mlflow_routes
from tests.fuzz.contract import Rpc, all_rpcs
from tests.fuzz.messages import TEXTS, Chooser
from tests.harness.databases import cloned_database, template_database
from tests.harness.neighbours import good_neighbour
from tests.harness.processes import ServerProcess
from tests.harness.raw_http import Place, head

CALLERS = 4
CALL_S = 20.0
ANSWERS_READ = 20
# What a server may grow by beyond what it holds for callers.
GROWTH_BYTES_MAX = HoldingLimits().bytes_max + 64 * 2**20
NEVER = frozenset({"INTERNAL", "UNKNOWN", "DATA_LOSS"})
P99_GROWTH_MAX = 5
IDLE_S = 10.0


@dataclass
class Found:
    """What became of the calls; `problems` are what must not be."""

    calls: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    idle_p99_s: float = 0.0
    busy_p99_s: float = 0.0
    growth_bytes: int = 0


class Campaign:
    """Hostile callers of one server."""

    def __init__(self, server: ServerProcess, seed: int, rpcs: Sequence[Rpc]) -> None:
        self.found = Found()
        self._server = server
        self._seed = seed
        self._rpcs = rpcs
        self._http = Place(urlsplit(server.url).port, stop=_nothing)
        self._known: dict[str, list[Any]] = {}

    async def prepare(self, channel: grpc.aio.Channel) -> None:
        """Make what the callers know of: an experiment, runs, an upload."""
        made = runs_pb2.CreateExperimentRequest(name=f"fuzzed {self._seed}")
        experiment = (await ExperimentServiceStub(channel).CreateExperiment(made)).experiment.experiment_id
        runs = [uuid4().hex for _ in range(3)]
        for run_id in runs:
            spec = runs_pb2.RunSpec(run_id=run_id, experiment_id=experiment)
            await RunServiceStub(channel).CreateRun(runs_pb2.CreateRunRequest(spec=spec))
        upload = artifacts_pb2.UploadSpec(path="a.txt", size_bytes=5, sha256=bytes(32))
        request = artifacts_pb2.BeginUploadsRequest(run_id=runs[0], files=[upload])
        plan = (await ArtifactServiceStub(channel).BeginUploads(request)).plans[0]
        self._known = {
            "experiment_id": [experiment],
            "run_id": runs,
            "upload_id": [plan.upload_id],
            "writer_id": [uuid4().hex],
            "key": ["loss", "a"],
            "path": ["a.txt", "a"],
            # Not those of the neighbour, whose run has to stay.
            "all_experiments": [False],
        }

    async def call_for_ever(self, channel: grpc.aio.Channel, number: int) -> None:
        """Make calls until cancelled."""
        chooser = Chooser(self._seed * 1_000 + number, self._known)
        routes = _routes()
        for turn in itertools.count():
            if turn % 4 == 3:
                await self._ask(chooser, *chooser.random.choice(routes))
            else:
                await self._call(chooser, channel, chooser.random.choice(self._rpcs))

    async def _call(self, chooser: Chooser, channel: grpc.aio.Channel, rpc: Rpc) -> None:
        count = chooser.random.randrange(1, 5) if rpc.requests_stream else 1
        sent = [self._encoded(chooser, rpc) for _ in range(count)]
        try:
            async with asyncio.timeout(CALL_S + 10):
                status, details = await _status(channel, rpc, sent)
        except TimeoutError:
            status, details = "NO_ANSWER", ""
        self._note(rpc.path, status, status in NEVER or status == "NO_ANSWER", details, sent)

    def _encoded(self, chooser: Chooser, rpc: Rpc) -> bytes:
        if not rpc.path.endswith("/ChangeRuns"):
            return chooser.encoded(rpc.request)
        message: Any = chooser.message(rpc.request)
        message.all_experiments = False
        del message.experiment_ids[:]
        message.experiment_ids.extend(self._known["experiment_id"])
        return message.SerializeToString()  # type: ignore[no-any-return]

    async def _ask(self, chooser: Chooser, method: str, path: str) -> None:
        filled = "/".join(
            quote(str(chooser.random.choice([*self._known["run_id"], *TEXTS[:10]])), safe="")
            if part.startswith("{")
            else part
            for part in path.split("/")
        )
        body = b""
        query = ""
        fields = {
            name: chooser.random.choice([*values, *TEXTS, 5, None, [], {}, 2**70, -1.5, True])
            for name, values in self._known.items()
            if name != "all_experiments" and chooser.random.random() < 0.7
        }
        if method == "GET":
            query = "?" + "&".join(f"{name}={quote(str(value), safe='')}" for name, value in fields.items())
        else:
            body = json.dumps(fields).encode()
            if chooser.random.random() < 0.3:
                body = chooser.mutated(body)
        try:
            answer = await asyncio.wait_for(self._asked(method, filled + query, body), CALL_S)
        except (OSError, asyncio.IncompleteReadError):
            self._note(path, "HTTP closed", False, "", [])
            return
        except TimeoutError:
            self._note(path, "HTTP no answer", True, "", [body])
            return
        self._note(path, f"HTTP {answer.status}", answer.status in (500, 502), answer.body[:200], [body])

    async def _asked(self, method: str, path: str, body: bytes) -> Any:
        peer = await self._http.connect()
        try:
            await peer.send(head(method, path, body, content_type="application/json") + body)
            return await peer.answer(method)
        finally:
            peer.close()
            self._http.peers.remove(peer)

    def _note(self, path: str, status: str, is_problem: bool, details: object, sent: Sequence[bytes]) -> None:
        self.found.calls += 1
        self.found.statuses[status] += 1
        if is_problem:
            shown = [data[:300].hex() for data in sent[:3]]
            self.found.problems.append(f"{path}: {status} {details!r} for {shown}")


async def _status(channel: grpc.aio.Channel, rpc: Rpc, sent: Sequence[bytes]) -> tuple[str, str]:
    """Make one call with encoded messages, read some answers, and return how it ended."""

    async def requests() -> AsyncIterator[bytes]:
        for data in sent:
            yield data

    kind = (
        ("stream" if rpc.requests_stream else "unary") + "_" + ("stream" if rpc.responses_stream else "unary")
    )
    call = getattr(channel, kind)(rpc.path)(requests() if rpc.requests_stream else sent[0], timeout=CALL_S)
    try:
        if not rpc.responses_stream:
            await call
        else:
            for _ in range(ANSWERS_READ):
                if await asyncio.wait_for(call.read(), 3) is grpc.aio.EOF:
                    break
            call.cancel()
    except TimeoutError:  # of a stream that watches
        call.cancel()
    except grpc.aio.AioRpcError as error:
        if error.details() == "Internal error from Core":  # gRPC's own client, when the other side ends first
            return "ENDED", ""
        return error.code().name, error.details() or ""
    return "OK", ""


def _routes() -> list[tuple[str, str]]:
    """Return method and path of all routes that answer MLflow's clients and that bring artifacts."""
    routes = [*mlflow_routes(MagicMock()), *artifact_routes(MagicMock())]
    return [
        (method, route.path)
        for route in routes
        if isinstance(route, Route)
        for method in sorted(route.methods or {"GET"})
        if method != "HEAD"
    ]


async def run(seed: int, seconds: float, *, timed: bool) -> Found:
    """Run a campaign; `timed` also compares the neighbour's commits with those of an idle server."""
    with tempfile.TemporaryDirectory(prefix="stepwell-fuzz-") as folder:
        async with cloned_database() as url:
            with ServerProcess("--store", url, "--data", folder) as server:
                return await _against(server, seed, seconds, timed=timed)


async def _against(server: ServerProcess, seed: int, seconds: float, *, timed: bool) -> Found:
    address = f"127.0.0.1:{server.port}"
    process = psutil.Process(server.process.pid)
    async with grpc.aio.insecure_channel(address) as channel, good_neighbour(address) as neighbour:
        campaign = Campaign(server, seed, all_rpcs())
        found = campaign.found
        await campaign.prepare(channel)
        if timed:
            await asyncio.sleep(IDLE_S)
            found.idle_p99_s = _p99(neighbour.commit_s)
        neighbour.commit_s.clear()
        memory = process.memory_info().rss
        callers = [asyncio.create_task(campaign.call_for_ever(channel, number)) for number in range(CALLERS)]
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            done, _ = await asyncio.wait(callers, timeout=0.2, return_when=asyncio.FIRST_EXCEPTION)
            for caller in done:
                caller.result()
            if server.process.poll() is not None:
                found.problems.append(
                    f"the server ended with {server.process.returncode}: {server.log()[-2_000:]}"
                )
                break
            found.growth_bytes = max(found.growth_bytes, process.memory_info().rss - memory)
        for caller in callers:
            caller.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*callers, return_exceptions=True)
        found.busy_p99_s = _p99(neighbour.commit_s)
    for line in server.log().splitlines():
        if "unexpected error" in line or '"level": "critical"' in line:
            found.problems.append(line[:3_000])
    if found.growth_bytes > GROWTH_BYTES_MAX:
        found.problems.append(f"the server grew by {found.growth_bytes:,} bytes")
    if timed and found.busy_p99_s > P99_GROWTH_MAX * found.idle_p99_s:
        found.problems.append(
            f"the neighbour's commits took {found.busy_p99_s:.3f} s instead of {found.idle_p99_s:.3f} s"
        )
    return found


def _p99(seconds: Sequence[float]) -> float:
    return statistics.quantiles(seconds, n=100)[-1] if len(seconds) > 1 else 0.0


async def _nothing() -> None:
    """Nobody has to be stopped."""


def main() -> None:
    """Run one campaign and print what it found, as JSON; ends with 1 when that is a problem."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)  # noqa: T201
    with template_database():
        found = asyncio.run(run(options.seed, options.seconds, timed=True))
    print(json.dumps(vars(found), indent=1, default=str))  # noqa: T201
    raise SystemExit(1 if found.problems else 0)


if __name__ == "__main__":
    main()
