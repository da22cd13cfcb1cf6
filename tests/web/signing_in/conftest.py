"""What tests of signing in share: a server that knows accounts and a provider, and browsers without a screen."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import asyncpg
import httpx2
import pytest

from tests.harness.servers.processes import ANSWER_TIMEOUT_S, ServerProcess
from tests.harness.servers.provider import Provider, openid_provider
from tests.harness.servers.shared import server_of_many

ADMIN = "admin"
PASSWORD = "correct horse"
SESSION = "/api/stepwell/v1/session"
BEGIN = f"{SESSION}/provider"
OWN = {"x-stepwell-page": "1"}
IDLE_HOURS, LIFE_HOURS = 1, 2


class Visitor(httpx2.Client):
    """A browser as far as cookies go; it sends what our own page sends."""

    def __init__(self, server: ServerProcess) -> None:
        super().__init__(timeout=ANSWER_TIMEOUT_S, base_url=server.url, headers=OWN, follow_redirects=False)
        self.cookie_name = f"stepwell-{server.url.rpartition(':')[2]}"

    def sign_in(self, name: str = ADMIN, password: str = PASSWORD) -> httpx2.Response:
        """Sign in by name and password."""
        return self.post(SESSION, json={"name": name, "password": password})

    def sign_in_at(self, provider: Provider, subject: str, back: str = "") -> httpx2.Response:
        """Go to the provider and back, as browsers do; return the last answer."""
        begun = self.get(BEGIN, params={"back": back})
        assert begun.status_code == 303
        return self.get(provider.sign_in(begun.headers["location"], subject))

    def described(self) -> dict[str, Any]:
        """What the server says of the session."""
        return self.get(SESSION).json()

    @property
    def person(self) -> dict[str, Any] | None:
        """Who is signed in."""
        return self.described()["person"]

    @property
    def secret(self) -> str:
        """What the cookie of the session holds."""
        return next(cookie.value for cookie in self.cookies.jar if cookie.name == self.cookie_name)


Visit = Callable[[], Visitor]
Ask = Callable[..., Any]


@pytest.fixture(scope="session")
def provider() -> Iterator[Provider]:
    with openid_provider() as running:
        yield running


@pytest.fixture(scope="session")
def accounts_server(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with accounts, the first of which is `ADMIN`; people sign in at the provider, too."""
    options = (
        "--auth",
        *("--oidc-issuer", provider.issuer, "--oidc-client-id", "stepwell", "--oidc-name", "Our house"),
        *("--oidc-groups-claim", "groups", "--oidc-admin-groups", "wheel"),
        *("--session-idle", str(IDLE_HOURS), "--session-lifetime", str(LIFE_HOURS)),
        *("--trusted-user-header", "X-Forwarded-User", "--trusted-proxies", "127.0.0.7,10.0.0.0/8"),
    )
    environment = {"STEPWELL_ADMIN_PASSWORD": PASSWORD, "STEPWELL_OIDC_CLIENT_SECRET": "a secret"}
    with server_of_many(tmp_path_factory, *options, environment=environment) as server:
        yield server


@pytest.fixture
def visit(accounts_server: ServerProcess) -> Iterator[Visit]:
    """Opens browsers."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(Visitor(accounts_server))


@pytest.fixture
def ask(accounts_server: ServerProcess) -> Ask:
    """Asks the server's database."""

    def asked(method: str, query: str, *values: object) -> Any:
        async def connected() -> Any:
            connection = await asyncpg.connect(accounts_server.store)
            try:
                return await getattr(connection, method)(query, *values)
            finally:
                await connection.close()

        return asyncio.run(connected())

    return asked
