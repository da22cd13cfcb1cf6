"""One campaign: a server, hostile callers with messages by chance, and a good neighbour.

python -m tests.fuzz.campaign --seconds 600 [--seed 7] [--workers 2] [--auth]

With --auth the server knows accounts: the callers are nobody, an admin, somebody who may do nothing, and somebody who
may read.
"""

import argparse
import asyncio
import base64
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
from urllib.parse import urlsplit
from uuid import uuid4

import grpc
import grpc.aio
import psutil

from stepwell_api.v1 import access_pb2, artifacts_pb2, runs_pb2
from stepwell_api.v1.access_pb2_grpc import AccessServiceStub, AccountServiceStub
from stepwell_api.v1.artifacts_pb2_grpc import ArtifactServiceStub
from stepwell_api.v1.runs_pb2_grpc import ExperimentServiceStub, RunServiceStub
from stepwell_server.config import HoldingLimits
from tests.fuzz.contract import Rpc, all_rpcs
from tests.fuzz.messages import Chooser
from tests.fuzz.requests import Asked, all_routes, any_request
from tests.harness.network.neighbours import connected, neighbour_aside
from tests.harness.network.raw_http import Answer, Place, head
from tests.harness.servers.processes import ServerProcess
from tests.harness.store.databases import cloned_database, template_database

CALLERS = 4
CALL_S = 20.0
ANSWERS_READ = 20
# What a server may grow by beyond what it holds for callers.
GROWTH_BYTES_MAX = HoldingLimits().bytes_max + 64 * 2**20
NEVER = frozenset({"INTERNAL", "UNKNOWN", "DATA_LOSS"})
P99_GROWTH_MAX = 5
IDLE_S = 10.0

PASSWORD = "correct horse"
ADMIN, NO_RIGHTS, READER = "admin", "without", "reader"
# What an admin would lock himself out with, and the neighbour.
NOT_CALLED_WITH_ACCOUNTS = ("/SetPassword", "/ChangeUser", "/RemoveUser")


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

    def __init__(
        self, server: ServerProcess, seed: int, rpcs: Sequence[Rpc], callers: Sequence[str | None]
    ) -> None:
        """`callers`: what each says of who it is."""
        self.found = Found()
        self.callers = callers
        self.is_over = False
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

    async def call_for_ever(self, address: str, number: int) -> None:
        """Make calls until cancelled."""
        async with connected(address, self.callers[number]) as channel:
            await self._call_for_ever(channel, number)

    async def _call_for_ever(self, channel: grpc.aio.Channel, number: int) -> None:
        chooser = Chooser(self._seed * 1_000 + number, self._known)
        # What changes runs of all experiments, the neighbour's too, only `_encoded` may ask for.
        routes = [it for it in all_routes() if not it[1].endswith("/ChangeRuns")]
        for turn in itertools.count():
            if (
                self.is_over
            ):  # a cancellation that comes with an answer is lost in asyncio.wait_for before Python 3.12
                return
            if turn % 4 == 3:
                await self._ask(chooser, *chooser.random.choice(routes), self.callers[number])
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

    async def _ask(self, chooser: Chooser, method: str, path: str, caller: str | None) -> None:
        known = {name: chooser.random.choice(values) for name, values in self._known.items()}
        asked = any_request(chooser, method, path, known)
        try:
            answer = await asyncio.wait_for(self._asked(asked, caller), CALL_S)
        except (OSError, asyncio.IncompleteReadError):
            self._note(path, "HTTP closed", False, "", [])
            return
        except TimeoutError:
            self._note(path, "HTTP no answer", True, "", [asked.body])
            return
        where = f"{asked.path} {answer.body[:200]!r}"
        self._note(path, f"HTTP {answer.status}", answer.status in (500, 502), where, [asked.body])

    async def _asked(self, asked: Asked, caller: str | None) -> Answer:
        headers = asked.headers if caller is None else {**asked.headers, "authorization": caller}
        peer = await self._http.connect()
        try:
            await peer.send(head(asked.method, asked.path, asked.body, **headers) + asked.body)
            return await peer.answer(asked.method)
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


async def run(seed: int, seconds: float, *, timed: bool, workers: int = 1, auth: bool = False) -> Found:
    """Run a campaign; `timed` also compares the neighbour's commits with those of an idle server."""
    options = ["--workers", str(workers), *(["--auth"] if auth else [])]
    environment = {"STEPWELL_ADMIN_PASSWORD": PASSWORD} if auth else {}
    with tempfile.TemporaryDirectory(prefix="stepwell-fuzz-") as folder:
        async with cloned_database() as url:
            with ServerProcess("--store", url, "--data", folder, *options, environment=environment) as server:
                return await _against(server, seed, seconds, timed=timed, auth=auth)


async def _against(server: ServerProcess, seed: int, seconds: float, *, timed: bool, auth: bool) -> Found:
    address = f"127.0.0.1:{server.port}"
    parent = psutil.Process(server.process.pid)
    processes = [parent, *parent.children(recursive=True)]
    rpcs = [it for it in all_rpcs() if not (auth and it.path.endswith(NOT_CALLED_WITH_ACCOUNTS))]
    admin = _basic(ADMIN) if auth else None
    callers = [None, admin, _basic(NO_RIGHTS), _basic(READER)] if auth else [None] * CALLERS
    async with connected(address, admin) as channel, neighbour_aside(address, admin) as commits:
        if auth:
            await _add_accounts(channel)
        campaign = Campaign(server, seed, rpcs, callers)
        found = campaign.found
        await campaign.prepare(channel)
        if timed:
            await commits()
            await asyncio.sleep(IDLE_S)
            found.idle_p99_s = _p99(await commits())
        memory = _memory_bytes(processes)
        calling = [
            asyncio.create_task(campaign.call_for_ever(address, number)) for number in range(len(callers))
        ]
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            done, _ = await asyncio.wait(calling, timeout=0.2, return_when=asyncio.FIRST_EXCEPTION)
            for caller in done:
                caller.result()
            if server.process.poll() is not None:
                found.problems.append(
                    f"the server ended with {server.process.returncode}: {server.log()[-2_000:]}"
                )
                break
            found.growth_bytes = max(found.growth_bytes, _memory_bytes(processes) - memory)
        campaign.is_over = True
        for caller in calling:
            caller.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*calling, return_exceptions=True)
        found.busy_p99_s = _p99(await commits())
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


async def _add_accounts(channel: grpc.aio.Channel) -> None:
    """Add those who are not admins; where nothing is granted, they may nothing, but for the reader of Default."""
    for name in (NO_RIGHTS, READER):
        asked = access_pb2.AddUserRequest(name=name, password=PASSWORD)
        await AccountServiceStub(channel).AddUser(asked)
    none = access_pb2.ACCESS_LEVEL_NONE
    await AccessServiceStub(channel).SetDefaultLevel(access_pb2.SetDefaultLevelRequest(level=none))
    grant = access_pb2.AccessGrant(
        subject=access_pb2.AccessSubject(user=READER),
        thing=access_pb2.AccessThing(experiment_id=0),
        level=access_pb2.ACCESS_LEVEL_READ,
    )
    await AccessServiceStub(channel).Grant(access_pb2.GrantRequest(grant=grant))


def _basic(name: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{PASSWORD}".encode()).decode()


def _memory_bytes(processes: Sequence[psutil.Process]) -> int:
    return sum(it.memory_info().rss for it in processes if it.is_running())


def _p99(seconds: Sequence[float]) -> float:
    return statistics.quantiles(seconds, n=100)[-1] if len(seconds) > 1 else 0.0


async def _nothing() -> None:
    """Nobody has to be stopped."""


def main() -> None:
    """Run one campaign and print what it found, as JSON; ends with 1 when that is a problem."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--auth", action="store_true")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)  # noqa: T201
    with template_database():
        found = asyncio.run(
            run(options.seed, options.seconds, timed=True, workers=options.workers, auth=options.auth)
        )
    print(json.dumps(vars(found), indent=1, default=str))  # noqa: T201
    raise SystemExit(1 if found.problems else 0)


if __name__ == "__main__":
    main()
