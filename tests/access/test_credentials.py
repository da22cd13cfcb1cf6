"""What a credential is good for: tokens that end, that may less than who made them, and passwords that are guessed."""

import time
from typing import Any

import pytest

from stepwell_api.v1 import access_pb2
from stepwell_api.v1.access_pb2_grpc import AccessServiceStub, AccountServiceStub
from stepwell_server.model.access import Scope, TokenSpec
from stepwell_server.services.access.tokens import add_token
from stepwell_server.store.access.accounts import PostgresAccountStore
from stepwell_server.store.access.tokens import PostgresTokenStore
from tests.harness.calls import not_found, refused
from tests.harness.network.rest import Rest
from tests.harness.servers.access import DENIED, UNAUTHENTICATED, GuardedServer

READ, WRITE, ADMIN = (
    access_pb2.TOKEN_SCOPE_READ,
    access_pb2.TOKEN_SCOPE_WRITE,
    access_pb2.TOKEN_SCOPE_ADMIN,
)


async def test_a_token_ends(guarded: GuardedServer) -> None:
    await guarded.add("ann")
    assert guarded.running.pool is not None
    account = await PostgresAccountStore(guarded.running.pool).get("ann")
    store, now_ms = PostgresTokenStore(guarded.running.pool), round(time.time() * 1_000)
    for expires_ms, is_good in ((now_ms + 60_000, True), (now_ms - 1, False)):
        _, secret = await add_token(store, account.account_id, TokenSpec("x", Scope.READ, expires_ms))
        async with guarded.calls_of(secret) as channel:
            calling = AccessServiceStub(channel).WhoAmI(access_pb2.WhoAmIRequest())
            if is_good:
                assert (await calling).name == "ann"
            else:
                async with refused(*UNAUTHENTICATED, "has expired"):
                    await calling


async def test_a_token_that_was_good_a_moment_ago_ends_when_it_says(
    guarded: GuardedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On its own, and as what a session of a browser began with."""
    assert guarded.running.pool is not None
    await guarded.add("ann")
    account = await PostgresAccountStore(guarded.running.pool).get("ann")
    store, expires_ms = PostgresTokenStore(guarded.running.pool), round((time.time() + 3_600) * 1_000)
    _, secret = await add_token(store, account.account_id, TokenSpec("x", Scope.READ, expires_ms))
    monkeypatch.setattr(
        "stepwell_server.services.access.authentication.time.time", lambda: expires_ms / 1_000
    )
    rest = Rest(guarded.running.http_url)
    own = {"x_stepwell_page": "1"}
    answer = await rest.send("POST", "/api/stepwell/v1/session", {"token": secret}, **own)
    shown = [
        {"cookie": answer.headers["set-cookie"].partition(";")[0]},
        {"authorization": f"Bearer {secret}"},
    ]

    async def statuses() -> list[int]:
        asked = {"experiment_id": 0}
        return [(await rest.send("GET", "experiments/get", asked, **it)).status for it in shown]

    assert await statuses() == [200, 200]
    async with guarded.running.pool.connection() as connection:
        await connection.execute("UPDATE access_token SET expires_time_ms = 1")
    assert await statuses() == [401, 401]
    rest.place.close()


async def test_a_token_makes_none_that_may_more(guarded: GuardedServer) -> None:
    limited: list[tuple[Scope, list[int] | None, dict[str, Any]]] = [
        (Scope.WRITE, None, {"scope": ADMIN}),
        (Scope.READ, None, {"scope": WRITE}),
        (Scope.ADMIN, [0], {"scope": READ}),
        (Scope.ADMIN, [0], {"scope": READ, "experiment_ids": [0, 1]}),
        (Scope.WRITE, None, {"scope": READ, "account": "admin"}),
    ]
    for number, (scope, ids, wanted) in enumerate(limited):
        name = f"chief {number}"
        await guarded.add(name, is_admin=True)
        async with guarded.calls_of(await guarded.token(name, scope, ids)) as channel:
            async with refused(*DENIED):
                await AccessServiceStub(channel).CreateToken(
                    access_pb2.CreateTokenRequest(name="more", **wanted)
                )
            await AccessServiceStub(channel).CreateToken(
                access_pb2.CreateTokenRequest(name="as much", scope=READ, experiment_ids=[0])
            )


async def test_a_token_makes_none_that_lasts_longer(guarded: GuardedServer) -> None:
    """Whoever has taken one for an hour does not have it for ever."""
    await guarded.add("ann")
    assert guarded.running.pool is not None
    account = await PostgresAccountStore(guarded.running.pool).get("ann")
    soon, later = (round(time.time() * 1_000) + hours * 3_600_000 for hours in (1, 2))
    store = PostgresTokenStore(guarded.running.pool)
    _, secret = await add_token(store, account.account_id, TokenSpec("x", Scope.ADMIN, soon))
    async with guarded.calls_of(secret) as channel:
        for wanted, given in ((0, soon), (later, soon), (soon - 1, soon - 1)):
            request = access_pb2.CreateTokenRequest(name="child", scope=READ, expires_time_ms=wanted)
            made = await AccessServiceStub(channel).CreateToken(request)
            assert made.token.expires_time_ms == given
    async with guarded.running.pool.connection() as connection:
        subjects = await connection.fetch("SELECT subject FROM audit_entry WHERE action = 'token.created'")
    assert all(row["subject"].endswith("made with token 2") for row in subjects)


async def test_a_token_revokes_itself_and_none_that_may_more(guarded: GuardedServer) -> None:
    whole = await guarded.add("ann")
    read, limited = await guarded.token("ann", Scope.READ), await guarded.token("ann", Scope.ADMIN, [0])
    for secret, own in ((read, 2), (limited, 3)):
        async with guarded.calls_of(secret) as channel:
            access = AccessServiceStub(channel)
            async with refused(*DENIED, "cannot revoke"):
                await access.RevokeToken(access_pb2.RevokeTokenRequest(token_id=1))
            await access.RevokeToken(access_pb2.RevokeTokenRequest(token_id=own))
    async with guarded.calls_of(whole) as channel, not_found("no token with the id 99"):
        await AccessServiceStub(channel).RevokeToken(access_pb2.RevokeTokenRequest(token_id=99))


async def test_tokens_that_are_good_no_more_are_not_kept_for_ever(guarded: GuardedServer) -> None:
    await guarded.add("ann")
    assert guarded.running.pool is not None
    account = await PostgresAccountStore(guarded.running.pool).get("ann")
    store, past = PostgresTokenStore(guarded.running.pool), round(time.time() * 1_000) - 1
    for number in range(6):
        spec = TokenSpec("x", Scope.READ, past if number % 2 else None)
        token = await store.add(account.account_id, spec, bytes([number]) * 32, "hint", 3)
        if spec.expires_time_ms is None:
            await store.revoke(token.token_id)
    kept = [it.token_id for it in await store.list("ann", 100)]
    assert kept == [7, 6, 5, 4, 1], "three of the past, the one just made, and the first, which is good"


async def test_a_limited_token_has_no_hand_on_the_account(guarded: GuardedServer) -> None:
    await guarded.add("ann")
    ben = await guarded.add("ben")
    async with guarded.calls_of(ben) as channel:
        for other in ({"account": "ann"}, {"all": True}):
            async with refused(*DENIED, "tokens of others"):
                await AccessServiceStub(channel).ListTokens(access_pb2.ListTokensRequest(**other))
        request = access_pb2.SetPasswordRequest(name="ben", password="a long password")
        await AccountServiceStub(channel).SetPassword(request)
    for scope, ids in ((Scope.WRITE, None), (Scope.ADMIN, [0])):
        token = await guarded.token("ben", scope, ids)
        async with guarded.calls_of(token) as channel, refused(*DENIED, "only an admin"):
            await AccountServiceStub(channel).SetPassword(request)


async def test_a_session_ends_at_once_with_its_account_or_token(guarded: GuardedServer) -> None:
    """At the process that was told; what it knew of the session is not believed for a while more."""
    assert guarded.running.http_url is not None
    rest = Rest(guarded.running.http_url)
    token = await guarded.add("ann")

    async def signed_in() -> dict[str, str]:
        own = {"x_stepwell_page": "1"}
        answer = await rest.send("POST", "/api/stepwell/v1/session", {"token": token}, **own)
        cookie, _, rules = answer.headers["set-cookie"].partition(";")
        assert "HttpOnly" in rules
        assert "SameSite=lax" in rules
        return {"cookie": cookie}

    async def status(session: dict[str, str]) -> int:
        return (await rest.send("GET", "experiments/get", {"experiment_id": 0}, **session)).status

    async with guarded.calls_of(await guarded.add("chief", is_admin=True)) as channel:
        session = await signed_in()
        assert await status(session) == 200
        accounts = AccountServiceStub(channel)
        await accounts.ChangeUser(access_pb2.ChangeUserRequest(name="ann", is_active=False))
        assert await status(session) == 401
        await accounts.ChangeUser(access_pb2.ChangeUserRequest(name="ann", is_active=True))
        assert await status(session) == 200
        await AccessServiceStub(channel).RevokeToken(access_pb2.RevokeTokenRequest(token_id=1))
        assert await status(session) == 401
    rest.place.close()
