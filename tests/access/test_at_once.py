"""What is changed at this process of the server counts with its next call, however long things are believed else."""

from collections.abc import AsyncIterator

import grpc
import grpc.aio
import pytest

from stepwell.wire.showing import ShowingChannel
from stepwell_api.v1 import access_pb2, runs_pb2, runs_pb2_grpc
from stepwell_api.v1.access_pb2_grpc import AccessServiceStub, AccountServiceStub
from tests.harness.calls import not_found, refused
from tests.harness.servers.access import (
    DENIED,
    UNAUTHENTICATED,
    GuardedServer,
    basic,
    new_experiment,
    new_run,
)

NONE, READ, WRITE = access_pb2.ACCESS_LEVEL_NONE, access_pb2.ACCESS_LEVEL_READ, access_pb2.ACCESS_LEVEL_WRITE
PASSWORD = "a long password"


@pytest.fixture
async def admin(guarded: GuardedServer) -> AsyncIterator[grpc.aio.Channel]:
    async with guarded.calls_of(await guarded.add("chief", is_admin=True)) as channel:
        yield channel


async def test_rights(guarded: GuardedServer, admin: grpc.aio.Channel) -> None:
    access, accounts = AccessServiceStub(admin), AccountServiceStub(admin)
    experiment_id = await new_experiment(admin, "watched")
    run_id = await new_run(admin, experiment_id)
    thing = access_pb2.AccessThing(experiment_id=experiment_id)
    everybody = access_pb2.AccessSubject(everybody=access_pb2.Everybody())
    vision = access_pb2.AccessSubject(group="vision")
    await accounts.AddGroup(access_pb2.AddGroupRequest(name="vision"))

    async def grant(subject: access_pb2.AccessSubject, level: access_pb2.AccessLevel) -> None:
        given = access_pb2.AccessGrant(subject=subject, thing=thing, level=level)
        await access.Grant(access_pb2.GrantRequest(grant=given))

    async def member(**change: list[str]) -> None:
        await accounts.ChangeGroup(access_pb2.ChangeGroupRequest(name="vision", **change))

    async with guarded.calls_of(await guarded.add("ann")) as of_ann:
        runs = runs_pb2_grpc.RunServiceStub(of_ann)

        async def read() -> None:
            await runs.GetRun(runs_pb2.GetRunRequest(run_id=run_id))

        async def write() -> None:
            await runs.UpdateRun(runs_pb2.UpdateRunRequest(run_id=run_id, name="new"))

        await read()
        await grant(everybody, NONE)
        async with not_found():
            await read()
        await grant(vision, WRITE)
        await member(added=["ann"])
        await write()
        await member(removed=["ann"])
        async with not_found():
            await read()
        await member(added=["ann"])
        await write()
        await access.RevokeGrant(access_pb2.RevokeGrantRequest(subject=vision, thing=thing))
        async with not_found():
            await read()
        await access.RevokeGrant(access_pb2.RevokeGrantRequest(subject=everybody, thing=thing))
        await read()
        await access.SetDefaultLevel(access_pb2.SetDefaultLevelRequest(level=NONE))
        async with not_found():
            await read()
        await access.SetDefaultLevel(access_pb2.SetDefaultLevelRequest(level=READ))
        await grant(vision, WRITE)
        await write()
        await accounts.RemoveGroup(access_pb2.RemoveGroupRequest(name="vision"))
        async with refused(*DENIED):
            await write()


async def test_accounts(guarded: GuardedServer, admin: grpc.aio.Channel) -> None:
    accounts = AccountServiceStub(admin)
    await accounts.AddUser(access_pb2.AddUserRequest(name="ann", password=PASSWORD))
    who = access_pb2.WhoAmIRequest()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{guarded.running.port}") as channel:
        ann = AccessServiceStub(ShowingChannel(channel, lambda: basic("ann", PASSWORD)))
        await ann.WhoAmI(who)
        await accounts.ChangeUser(access_pb2.ChangeUserRequest(name="ann", is_active=False))
        async with refused(*UNAUTHENTICATED, "switched off"):
            await ann.WhoAmI(who)
        await accounts.ChangeUser(access_pb2.ChangeUserRequest(name="ann", is_active=True))
        await ann.WhoAmI(who)
        await accounts.SetPassword(access_pb2.SetPasswordRequest(name="ann", password="another long one"))
        async with refused(*UNAUTHENTICATED, "wrong"):
            await ann.WhoAmI(who)
        await accounts.SetPassword(access_pb2.SetPasswordRequest(name="ann", password=PASSWORD))
        await ann.WhoAmI(who)
        await accounts.RemoveUser(access_pb2.RemoveUserRequest(name="ann"))
        async with refused(*UNAUTHENTICATED, "wrong"):
            await ann.WhoAmI(who)
