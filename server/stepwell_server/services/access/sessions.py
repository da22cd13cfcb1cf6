"""Sessions of browsers: a random secret in a cookie stands for somebody who signed in; its SHA-256 is stored.

Each sign-in begins a new session under a new secret, whatever the browser had before: one that somebody else knows is
worth nothing. What was found is believed for SESSION_CACHE_S, as tokens are: so long a session that was ended
elsewhere may still be used at other processes of the server.
"""

import secrets

from stepwell_server.errors import UnauthenticatedError
from stepwell_server.model.access import Caller
from stepwell_server.model.sessions import Session, Way
from stepwell_server.services.access.audit import Audit
from stepwell_server.services.access.authentication import caller_of, left_s, token_sha256
from stepwell_server.services.access.fresh import Fresh
from stepwell_server.store.ports.sessions import SessionStore

SESSION_CACHE_S = 10.0
SESSIONS_CACHED_MAX = 10_000
# Browsers in which one account is signed in; the oldest is signed out.
SESSIONS_OF_ACCOUNT_MAX = 100
# That a session is used is written so often, at most: its idle time is that much coarser.
TOUCH_S = 60.0
SECRET_BYTES = 32


class Sessions:
    """Begins, finds and ends them. They end `idle_s` after the last request, and `s_max` after they began."""

    def __init__(self, store: SessionStore, audit: Audit, idle_s: float, s_max: float) -> None:
        self._store = store
        self._audit = audit
        self._idle_s = idle_s
        self.s_max = s_max
        self._found: Fresh[bytes, Session] = Fresh(
            min(SESSION_CACHE_S, idle_s),
            SESSIONS_CACHED_MAX,
            lambda found: left_s(found.shown.expires_time_ms),
        )

    def forget(self) -> None:
        """Believe nothing that was found before."""
        self._found.forget()

    async def begin(self, caller: Caller, way: Way, origin: str) -> str:
        """Return the secret of a new session; what a token limits, it limits, too."""
        secret = secrets.token_urlsafe(SECRET_BYTES)
        await self._store.begin(
            token_sha256(secret),
            caller.account_id,
            caller.token_id,
            way,
            idle_s=self._idle_s,
            s_max=self.s_max,
            sessions_max=SESSIONS_OF_ACCOUNT_MAX,
        )
        await self._audit.note("login", caller.name, {"by": way.value}, account=caller.name, origin=origin)
        return secret

    async def find(self, secret: str) -> Session:
        """Return a session that has not ended. Raises UnauthenticatedError."""
        digest = token_sha256(secret)
        return await self._found.get(digest, lambda: self._ask(digest))

    async def caller(self, secret: str) -> Caller:
        """Return who began a session. Raises UnauthenticatedError."""
        return caller_of((await self.find(secret)).shown, "session")

    async def end(self, secret: str, origin: str) -> None:
        """End a session, if there is one."""
        try:
            session = await self.find(secret)
        except UnauthenticatedError:
            return
        await self._store.end(token_sha256(secret))
        self._found.forget()
        name = session.shown.name
        await self._audit.note("logout", name, account=name, origin=origin)

    async def end_all(self, caller: Caller, origin: str) -> None:
        """End all sessions of an account, in all browsers."""
        ended = await self._store.end_all(caller.account_id)
        self._found.forget()
        details = {"sessions": str(ended)}
        await self._audit.note("logout.everywhere", caller.name, details, account=caller.name, origin=origin)

    async def _ask(self, digest: bytes) -> Session:
        touch_s = min(TOUCH_S, self._idle_s / 10)
        found = await self._store.find(digest, idle_s=self._idle_s, s_max=self.s_max, touch_s=touch_s)
        if found is None or found.shown.is_expired or found.shown.is_revoked:
            raise UnauthenticatedError("the session has ended; sign in again")
        return found
