"""A server with accounts, and calls by whoever has some."""

import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import grpc
import grpc.aio

from stepwell.wire.showing import ShowingChannel
from stepwell_api.v1 import runs_pb2, runs_pb2_grpc
from stepwell_server.app import RunningServer, running_server
from stepwell_server.config import Config
from stepwell_server.model.access import (
    AccountKind,
    Level,
    Scope,
    Subject,
    SubjectKind,
    Thing,
    ThingKind,
    TokenSpec,
)
from stepwell_server.services.access.authentication import token_sha256
from stepwell_server.services.access.tokens import HINT_CHARS, TOKENS_OF_ACCOUNT_MAX
from stepwell_server.store.access.accounts import PostgresAccountStore
from stepwell_server.store.access.grants import PostgresGrantStore
from stepwell_server.store.access.tokens import PostgresTokenStore

ADMIN_PASSWORD = "correct horse"
# Of `refused`.
UNAUTHENTICATED = (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")
DENIED = (grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED")


@dataclass(frozen=True)
class GuardedServer:
    """A server of this process that was started with --auth. Of changes made here it hears as of another process's."""

    running: RunningServer

    async def add(self, name: str, *, is_admin: bool = False, service: bool = False) -> str:
        """Add an account, and return a token of it that may do all that it may."""
        assert self.running.pool is not None
        kind = AccountKind.SERVICE if service else AccountKind.USER
        await PostgresAccountStore(self.running.pool).add(name, name, kind, None, is_admin=is_admin)
        return await self.token(name)

    async def token(
        self, name: str, scope: Scope = Scope.ADMIN, experiment_ids: Sequence[int] | None = None
    ) -> str:
        """Return another token of an account."""
        assert self.running.pool is not None
        account = await PostgresAccountStore(self.running.pool).get(name)
        secret = f"stepwell_{name}_{scope.name}_{'_'.join(map(str, experiment_ids or ()))}"
        spec = TokenSpec(name, scope, None, experiment_ids)
        store = PostgresTokenStore(self.running.pool)
        await store.add(
            account.account_id, spec, token_sha256(secret), secret[:HINT_CHARS], TOKENS_OF_ACCOUNT_MAX
        )
        return secret

    async def grant(self, name: str, thing: Thing, level: Level) -> None:
        """Say what an account ("": everybody) may do with something."""
        assert self.running.pool is not None
        subject = Subject(SubjectKind.ACCOUNT, name) if name else Subject(SubjectKind.EVERYBODY)
        await PostgresGrantStore(self.running.pool).grant(subject, thing, level)

    async def set_default(self, level: Level) -> None:
        """Say what everybody may do where nothing is granted."""
        assert self.running.pool is not None
        await PostgresGrantStore(self.running.pool).set_default(level)

    @asynccontextmanager
    async def calls_of(self, token: str) -> AsyncIterator[grpc.aio.Channel]:
        """Connect as whoever has a token; "" for nobody."""
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self.running.port}") as channel:
            yield cast(
                "grpc.aio.Channel", ShowingChannel(channel, lambda: f"Bearer {token}" if token else None)
            )


def experiment(experiment_id: int | str) -> Thing:
    """Return an experiment that something is granted of."""
    return Thing(ThingKind.EXPERIMENT, str(experiment_id))


async def new_experiment(channel: grpc.aio.Channel, name: str) -> int:
    """Make an experiment, and return its id."""
    stub = runs_pb2_grpc.ExperimentServiceStub(channel)
    answer = await stub.CreateExperiment(runs_pb2.CreateExperimentRequest(name=name))
    return answer.experiment.experiment_id


async def new_run(channel: grpc.aio.Channel, experiment_id: int) -> str:
    """Begin a run, and return its id."""
    run_id = uuid4().hex
    spec = runs_pb2.RunSpec(run_id=run_id, experiment_id=experiment_id)
    await runs_pb2_grpc.RunServiceStub(channel).CreateRun(runs_pb2.CreateRunRequest(spec=spec))
    return run_id


def basic(name: str, password: str) -> str:
    """Return the header of a name and a password."""
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


@asynccontextmanager
async def guarded_server(store: str, data: Path, **config: Any) -> AsyncIterator[GuardedServer]:
    """Start a server with --auth; the password of `admin` is ADMIN_PASSWORD."""
    settings = Config(port=0, http_port=0, store=store, data=data, shutdown_grace_s=5, auth=True, **config)
    async with running_server(settings) as running:
        yield GuardedServer(running)
