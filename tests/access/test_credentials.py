"""What a credential is good for: tokens that end, that may less than who made them, and passwords that are guessed."""

import time
from typing import Any

from stepwell_api.v1 import access_pb2
from stepwell_api.v1.access_pb2_grpc import AccessServiceStub, AccountServiceStub
from stepwell_server.model.access import Scope, TokenSpec
from stepwell_server.services.access.authentication import AUTHORIZATION_CHARS_MAX, WRONG_PASSWORDS_MAX
from stepwell_server.services.access.tokens import add_token
from stepwell_server.store.access.accounts import PostgresAccountStore
from stepwell_server.store.access.tokens import PostgresTokenStore
from tests.harness.access import ADMIN_PASSWORD, DENIED, UNAUTHENTICATED, GuardedServer, basic
from tests.harness.calls import refused
from tests.harness.rest import Rest

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


async def test_who_guesses_passwords_is_not_even_looked_at(guarded: GuardedServer) -> None:
    assert guarded.running.http_url is not None
    rest = Rest(guarded.running.http_url)

    async def shows(header: str) -> int:
        answer = await rest.send("GET", "experiments/get", {"experiment_id": 0}, authorization=header)
        return answer.status

    assert await shows(f"Bearer {'x' * AUTHORIZATION_CHARS_MAX}") == 401
    tried = [await shows(basic("admin", f"wrong {number}")) for number in range(WRONG_PASSWORDS_MAX)]
    assert tried == [401] * WRONG_PASSWORDS_MAX
    assert await shows(basic("admin", ADMIN_PASSWORD)) == 429
    assert await shows(basic("another", "wrong")) == 401
