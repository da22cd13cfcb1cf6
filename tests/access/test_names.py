"""Names of accounts and groups: no two that people would take for one another."""

import pytest

from stepwell_api.v1 import access_pb2
from stepwell_api.v1.access_pb2_grpc import AccountServiceStub
from stepwell_server.errors import InvalidArgumentError
from stepwell_server.services.access.names import alike, check_name
from tests.harness.calls import already_exists, invalid
from tests.harness.servers.access import GuardedServer


@pytest.mark.parametrize("name", ["ann", "Zoë", "ann+jobs@example.org", "Илья", "山田 たろう", "a b"])
def test_names(name: str) -> None:
    check_name("account", name, 250)


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ann",
        "ann ",
        "ann  lee",
        "ann\u00a0lee",  # a space that does not break
        "\uff41dmin",  # wide
        "\u0430dmin",  # Cyrillic
        "Zoe\u0308",  # as two characters
        "\u2460",
        "ann\u200b",
        "stepwell_x",
        "a:b",
    ],
)
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(InvalidArgumentError, match="cannot be the name"):
        check_name("account", name, 250)


def test_what_looks_alike() -> None:
    assert alike("Straße") == alike("STRASSE")
    assert alike("ann") != alike("anne")


async def test_names_that_are_taken_by_others_that_look_alike(guarded: GuardedServer) -> None:
    async with guarded.calls_of(await guarded.add("chief", is_admin=True)) as channel:
        accounts = AccountServiceStub(channel)
        async with already_exists("'admin'"):
            await accounts.AddUser(access_pb2.AddUserRequest(name="Admin"))
        async with invalid("several alphabets"):
            await accounts.AddUser(access_pb2.AddUserRequest(name="\u0430dmin"))
        await accounts.AddGroup(access_pb2.AddGroupRequest(name="Vision"))
        async with already_exists("'Vision'"):
            await accounts.AddGroup(access_pb2.AddGroupRequest(name="vision"))
        assert [it.name for it in (await accounts.ListGroups(access_pb2.ListGroupsRequest())).groups] == [
            "Vision"
        ]
