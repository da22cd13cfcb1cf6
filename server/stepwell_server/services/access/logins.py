"""Programs that somebody lets in with a browser, in place of a password in a terminal.

A program makes a secret and shows the code that follows from it; a person who is signed in says yes to the code; the
program gets a token for its secret, once. web/signing_in/login_routes.py tells the whole story.
"""

import base64
import hashlib
import re
import time
from dataclasses import dataclass

from stepwell_server.errors import InvalidArgumentError, InvalidStateError, PermissionDeniedError
from stepwell_server.model.access import Scope, TokenSpec
from stepwell_server.services.access.audit import Audit
from stepwell_server.services.access.calling import caller
from stepwell_server.services.access.tokens import add_token, check_spec
from stepwell_server.store.ports.access import TokenStore
from stepwell_server.store.ports.sessions import LoginCodeStore

# From the yes to the program's next question; it asks every few seconds.
CODE_S_MAX = 600.0
# Of one account, that were let in and have not come yet; the oldest are forgotten.
CODES_OF_ACCOUNT_MAX = 20
CODE_BYTES = 10
CODE_GROUP = 4
# Long enough to be no guess, whatever a program takes.
SECRET_CHARS_MIN, SECRET_CHARS_MAX = 32, 200
# A token that nobody remembers ends by itself.
TOKEN_LIFE_S = 90 * 86_400

_CODE = re.compile(r"(?:[A-Z2-7]{4}-){3}[A-Z2-7]{4}")


@dataclass(frozen=True, slots=True)
class LetInAs:
    """As whom a program was let in, and the token that it shows from now on."""

    account: str
    secret: str


class Logins:
    """Raises InvalidArgumentError for codes and secrets that are none."""

    def __init__(self, store: LoginCodeStore, tokens: TokenStore, audit: Audit) -> None:
        self._store = store
        self._tokens = tokens
        self._audit = audit

    async def confirm(self, code: str, token_name: str) -> None:
        """Let the program of a code in, as who calls.

        Raises:
            PermissionDeniedError: the caller came with a token; the program would get more than that one may.
            InvalidStateError: somebody has let it in already.
        """
        if not _CODE.fullmatch(code):
            raise InvalidArgumentError(
                f"{code[:40]!r} is no code of `stepwell login`; it is like K3F7-QWXM-..."
            )
        check_spec(_spec(token_name))
        who = caller()
        if who.token_id is not None:
            raise PermissionDeniedError(
                "who came with a token lets no program in; sign in with a password, or by single sign-on"
            )
        if not await self._store.confirm(
            code, who.account_id, token_name, s_max=CODE_S_MAX, codes_max=CODES_OF_ACCOUNT_MAX
        ):
            raise InvalidStateError(
                "the program was let in already; start `stepwell login` again for another code"
            )
        await self._audit.note("login.confirmed", token_name)

    async def take(self, secret: str, origin: str) -> LetInAs | None:
        """Return a new token for the program of a secret, once; None while nobody has let it in."""
        if not SECRET_CHARS_MIN <= len(secret) <= SECRET_CHARS_MAX:
            raise InvalidArgumentError(
                f"the secret of a login has {SECRET_CHARS_MIN} to {SECRET_CHARS_MAX} characters"
            )
        let_in = await self._store.take(code_of(secret), s_max=CODE_S_MAX)
        if let_in is None:
            return None
        who = let_in.caller
        _, token = await add_token(self._tokens, who.account_id, _spec(let_in.token_name))
        await self._audit.note(
            "token.created", let_in.token_name, {"by": "login"}, account=who.name, origin=origin
        )
        return LetInAs(who.name, token)


def code_of(secret: str) -> str:
    """Return the code that follows from a program's secret: 80 bits of its SHA-256, as 16 letters and digits."""
    text = base64.b32encode(hashlib.sha256(secret.encode()).digest()[:CODE_BYTES]).decode()
    return "-".join(text[place : place + CODE_GROUP] for place in range(0, len(text), CODE_GROUP))


def _spec(name: str) -> TokenSpec:
    return TokenSpec(name, Scope.WRITE, round((time.time() + TOKEN_LIFE_S) * 1_000))
