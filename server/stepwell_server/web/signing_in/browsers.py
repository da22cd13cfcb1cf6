"""Who a browser says it is: by the cookie of a session, or by what a proxy in front of the server adds.

Neither is the doing of whoever made the browser send the request, so what would change something has to come from our
own page (own_page.py). What passed is kept for this request alone; `BrowserSource` makes an account of it.
"""

from contextvars import ContextVar
from dataclasses import dataclass

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from stepwell_server.model.access import Caller
from stepwell_server.services.access.calling import Presented
from stepwell_server.services.access.sessions import Sessions
from stepwell_server.services.access.single_sign_on import SingleSignOn
from stepwell_server.web.admission import ORIGIN
from stepwell_server.web.signing_in.cookies import SESSION, CookieJar
from stepwell_server.web.signing_in.own_page import require_own_page
from stepwell_server.web.signing_in.trusted_header import ProxiedUsers, Proxies


@dataclass(frozen=True, slots=True)
class Browser:
    """What a request showed: the secret of a session, and the user that a trusted proxy names; "" for neither."""

    session: str = ""
    user: str = ""


NOTHING = Browser()
_BROWSER: ContextVar[Browser] = ContextVar("stepwell_browser", default=NOTHING)


class Browsers:
    """Looks what a request shows, unless it has credentials of its own."""

    def __init__(self, app: ASGIApp, jar: CookieJar, proxies: Proxies, proxied: ProxiedUsers | None) -> None:
        self._app = app
        self._jar = jar
        self._proxies = proxies
        self._proxied = proxied

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through. Raises RefusedError for what another page may have sent."""
        connection = HTTPConnection(scope)
        shown = NOTHING if "authorization" in connection.headers else self._shown(connection)
        if shown != NOTHING:
            require_own_page(scope["method"], connection.headers)
        _BROWSER.set(shown)
        scope[ORIGIN] = self._proxies.origin_of(connection)
        await self._app(scope, receive, send)

    def _shown(self, connection: HTTPConnection) -> Browser:
        user = self._proxied.name_of(connection) if self._proxied else ""
        return Browser(self._jar.read(connection, SESSION), user)


def browser() -> Browser:
    """Return what the request that is being answered showed."""
    return _BROWSER.get()


class BrowserSource:
    """Finds out who calls, for the authenticator. Whom the proxy names counts before an older session."""

    def __init__(self, sessions: Sessions, sign_on: SingleSignOn) -> None:
        self._sessions = sessions
        self._sign_on = sign_on

    async def __call__(self, presented: Presented) -> Caller | None:
        """Return who it is, None when the browser showed nothing. Raises UnauthenticatedError."""
        shown = browser()
        if shown.user:
            return await self.proxied(shown.user)
        return await self._sessions.caller(shown.session) if shown.session else None

    def forget(self) -> None:
        """Believe nothing that was found before: an account was changed, or a token revoked."""
        self._sessions.forget()
        self._sign_on.forget()

    async def proxied(self, user: str) -> Caller:
        """Return the account of whom the proxy names. Raises as `SingleSignOn.provided`."""
        return await self._sign_on.proxied(user)
