"""`stepwell login --browser`: somebody who signs in with a browser, on any machine, lets this program in.

A secret is made here, and a code that follows from it is shown; who says yes to the code on the server's page lets the
secret have a token. The server's part is told in web/signing_in/login_routes.py.
"""

import base64
import hashlib
import json
import secrets
import time
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import quote, urlencode

import click

from stepwell.commands.ui import present
from stepwell.errors import StepwellException
from stepwell.wire import tls

PATH = "/api/stepwell/v1/logins/token"
SECRET_BYTES = 32
CODE_BYTES = 10
ASK_S = 2.0
ANSWER_S = 30.0
PATIENCE_S = 600.0
ANSWER_BYTES_MAX = 64 * 1024


def token_by_browser(page: str, name: str, *, opens: bool = True) -> str:
    """Return a token of whoever lets this program in at the server's page.

    Raises:
        StepwellException: nobody did within PATIENCE_S, or the server has no such page.
    """
    secret = secrets.token_urlsafe(SECRET_BYTES)
    code = code_of(secret)
    _ask(page, secret)  # what lets nobody in by a browser says so before anybody is asked to look for one
    click.echo(f"Say yes to the code {code} on this page, in any browser:\n", err=True)
    present(f"{page}/#/login/{code}?{urlencode({'name': name}, quote_via=quote)}", opens=opens)
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        token = _ask(page, secret)
        if token:
            return token
        time.sleep(ASK_S)
    raise StepwellException(f"Nobody said yes within {PATIENCE_S / 60:.0f} min.", "UNAUTHENTICATED")


def code_of(secret: str) -> str:
    """Return the code that follows from a secret: 80 bits of its SHA-256, in four groups of letters and digits."""
    text = base64.b32encode(hashlib.sha256(secret.encode()).digest()[:CODE_BYTES]).decode()
    return "-".join(text[place : place + 4] for place in range(0, len(text), 4))


def _ask(page: str, secret: str) -> str:
    """Return the token, "" while nobody has said yes. A server that is away for a moment is asked again."""
    request = urllib.request.Request(  # noqa: S310 - http or https, as the address has been checked
        page + PATH,
        json.dumps({"secret": secret}).encode(),
        {"content-type": "application/json", "user-agent": "stepwell"},
    )
    secure = tls.context() if page.startswith("https:") else None
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_S, context=secure) as answer:  # noqa: S310
            body = answer.read(ANSWER_BYTES_MAX)
    except urllib.error.HTTPError as refused:
        with refused:
            if refused.code in (429, 503):
                return ""
            raise StepwellException(_reason(refused.code), "UNAUTHENTICATED") from None
    except urllib.error.URLError as error:
        raise StepwellException(
            f"{page} cannot be reached: {error.reason}.", "TEMPORARILY_UNAVAILABLE"
        ) from None
    said: Any = json.loads(body) if body else {}
    return str(said.get("token", ""))


def _reason(status: int) -> str:
    if status == 404:
        return (
            "This server lets nobody in by a browser: it runs without --auth, or is older than this client."
        )
    return f"The server answers {status}."
