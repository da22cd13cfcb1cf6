"""Composes how people sign in with a browser: sessions, a provider, a proxy; docs/single-sign-on.md explains them."""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from importlib.util import find_spec

from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from stepwell_server.config import SignInConfig
from stepwell_server.errors import StartupError
from stepwell_server.services.access.audit import Audit
from stepwell_server.services.access.authentication import Authenticator
from stepwell_server.services.access.logins import Logins
from stepwell_server.services.access.permissions import Permissions
from stepwell_server.services.access.sessions import Sessions
from stepwell_server.services.access.single_sign_on import SingleSignOn
from stepwell_server.store.access.audit import PostgresAuditStore
from stepwell_server.store.access.credentials import PostgresCredentialStore
from stepwell_server.store.access.sessions import PostgresLoginCodeStore, PostgresSessionStore
from stepwell_server.store.access.tokens import PostgresTokenStore
from stepwell_server.store.postgres.pool import Pool
from stepwell_server.web.signing_in.browsers import Browsers, BrowserSource
from stepwell_server.web.signing_in.cookies import CookieJar
from stepwell_server.web.signing_in.login_routes import TAKE_PATH, login_routes
from stepwell_server.web.signing_in.no_accounts import SESSION_PATH
from stepwell_server.web.signing_in.provider import Provider
from stepwell_server.web.signing_in.provider_routes import BEGIN_PATH, CALLBACK_PATH, provider_routes
from stepwell_server.web.signing_in.rights_routes import rights_routes
from stepwell_server.web.signing_in.session_routes import SignInRoutes, session_routes
from stepwell_server.web.signing_in.trusted_header import ProxiedUsers, Proxies

# Who signs in is not known yet.
OPEN_PATHS: Set[str] = frozenset({SESSION_PATH, BEGIN_PATH, CALLBACK_PATH, TAKE_PATH})


@dataclass(frozen=True, slots=True)
class SignIn:
    """How people sign in at one server. `source` finds out for the authenticator who a browser is."""

    config: SignInConfig
    sessions: Sessions
    sign_on: SingleSignOn
    logins: Logins
    source: BrowserSource
    jar: CookieJar

    def browsers(self, app: ASGIApp) -> ASGIApp:
        """Return the guard of the door that looks what browsers show."""
        proxies = Proxies(self.config.proxies)
        proxied = ProxiedUsers(self.config.user_header, proxies) if self.config.user_header else None
        return Browsers(app, self.jar, proxies, proxied)

    def routes(self, authenticator: Authenticator, permissions: Permissions) -> Sequence[BaseRoute]:
        """Return all routes about signing in."""
        provider = Provider(self.config.provider) if self.config.provider else None
        about = SignInRoutes(
            authenticator, self.sessions, self.source, self.jar, provider.name if provider else None
        )
        return [
            *session_routes(about),
            *rights_routes(permissions),
            *login_routes(self.logins),
            *(provider_routes(about, provider, self.sign_on, self.config.public_url) if provider else ()),
        ]


def build_sign_in(pool: Pool, config: SignInConfig) -> SignIn:
    """Build it. Cookies are for TLS alone where the public address is one of TLS, or else where browsers come over it.

    Raises:
        StartupError: there is a provider, and the library for it is missing.
    """
    if config.provider and not find_spec("authlib"):
        raise StartupError("signing in at a provider needs more: pip install 'stepwell[sso]'")
    audit = Audit(PostgresAuditStore(pool))
    sessions = Sessions(PostgresSessionStore(pool), audit, config.session_idle_s, config.session_s_max)
    sign_on = SingleSignOn(PostgresCredentialStore(pool))
    return SignIn(
        config,
        sessions,
        sign_on,
        Logins(PostgresLoginCodeStore(pool), PostgresTokenStore(pool), audit),
        BrowserSource(sessions, sign_on),
        CookieJar(secure=config.public_url.startswith("https://") if config.public_url else None),
    )
