"""`stepwell login`: who one is for a server, kept in a file that only its owner may read."""

import socket
import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click

from stepwell import settings
from stepwell.commands.access.by_browser import token_by_browser
from stepwell.commands.access.server import SCOPES, scope_of, scope_word, server
from stepwell.commands.access.tokens import EXPIRES_DEFAULT, expiry_ms
from stepwell.commands.groups import HELP_NAMES, tracking_uri_option
from stepwell.commands.output import as_json, print_json, reporting
from stepwell.errors import StepwellException
from stepwell.wire import credentials
from stepwell.wire.connection import Connection
from stepwell_api.v1 import access_pb2 as pb

T = TypeVar("T")

_HELP = {"help_option_names": HELP_NAMES}


@click.command(context_settings={"show_default": True, **_HELP}, params=[tracking_uri_option()])
@click.option("--user", help="A name, whose password is asked for; a token is made with it.")
@click.option(
    "--browser", is_flag=True, help="Show an address; whoever signs in there and says yes makes the token."
)
@click.option("--scope", type=click.Choice(SCOPES), default="write", help="What that token may do.")
@click.option(
    "--expires", default=EXPIRES_DEFAULT, metavar="WHEN", help="Until when it is good, as 12h, 30d or never."
)
@reporting
def login(user: str | None, browser: bool, scope: str, expires: str) -> None:
    """Sign in: keep a token for the server, which commands and scripts of this user show from then on.

    Without --user or --browser, a token is asked for, which somebody has made; it is read from standard input where
    nobody types.
    """
    found = server()
    token = _token(found, user, scope, expires, browser=browser)
    who = _who(found, f"Bearer {token}")
    credentials.keep(found.address, token)
    limit = "" if who.scope == pb.TOKEN_SCOPE_ADMIN else f", by a token that may {scope_word(who.scope)}"
    click.echo(f"You are {who.name!r} at {credentials.key_of(found.address)}{limit}.")
    if who.is_admin and who.scope != pb.TOKEN_SCOPE_ADMIN:
        click.echo("For what only admins may do, sign in with --scope admin.", err=True)
    named = credentials.source(found.address)
    if named != str(credentials.path()):
        click.echo(f"But {named} is set, and goes first.", err=True)


@click.command(context_settings=_HELP, params=[tracking_uri_option()])
@reporting
def logout() -> None:
    """Forget the token for the server, on this machine; `stepwell tokens revoke` ends it everywhere."""
    found = server()
    key = credentials.key_of(found.address)
    click.echo(
        f"Signed out at {key}." if credentials.forget(found.address) else f"There was no token for {key}."
    )


@click.command(context_settings=_HELP, params=[tracking_uri_option()])
@as_json
@reporting
def whoami(as_json: bool) -> None:
    """Say who one is for the server, and where that comes from."""
    found = server()
    try:
        who = found.call(lambda connection: connection.access.WhoAmI(pb.WhoAmIRequest()))
    except StepwellException as without_accounts:
        if without_accounts.error_code != "INVALID_STATE":
            raise
        # Who asks is told what holds, which is no failure.
        if as_json:
            print_json(
                {"name": None, "admin": True, "by": None, "from": None, "scope": "admin", "experiments": None}
            )
        else:
            click.echo(f"Nobody: {without_accounts.message}.")
        return
    if as_json:
        print_json(_plain(who, credentials.source(found.address)))
        return
    limits = [f"may {scope_word(who.scope)}"] if who.scope != pb.TOKEN_SCOPE_ADMIN else []
    if who.is_limited:
        limits.append(f"in the experiments {', '.join(map(str, who.experiment_ids))}")
    role = ", an admin" if who.is_admin else ""
    click.echo(
        f"{who.name}{role}; by a {who.means} from {credentials.source(found.address)}"
        + (f", which {' '.join(limits)}" if limits else "")
    )


def _plain(who: pb.WhoAmIResponse, source: str) -> dict[str, Any]:
    return {
        "name": who.name,
        "admin": who.is_admin,
        "by": who.means,
        "from": source,
        "scope": scope_word(who.scope),
        "experiments": list(who.experiment_ids) if who.is_limited else None,
    }


def _made(found: Connection, user: str, scope: str, expires: str) -> str:
    """Return a new token, made with a password."""
    shown = credentials.basic(user, _asked(f"Password of {user}"))
    request = pb.CreateTokenRequest(
        name=f"stepwell login on {socket.gethostname()}"[:100],
        scope=scope_of(scope),
        expires_time_ms=expiry_ms(expires),
    )
    return _call(
        found, lambda it: it.access.CreateToken(request, metadata=(("authorization", shown),))
    ).secret


def _token(found: Connection, user: str | None, scope: str, expires: str, *, browser: bool) -> str:
    if browser:
        return _let_in(found)
    return _asked("Token") if user is None else _made(found, user, scope, expires)


def _let_in(found: Connection) -> str:
    """Return a token of whoever says yes in a browser; it may read and log."""
    page = found.address.page
    if not page:
        raise click.UsageError(
            f"{settings.tracking_uri()} is where gRPC is; --browser needs the server's HTTP address."
        )
    return token_by_browser(page, f"stepwell login on {socket.gethostname()}"[:100])


def _who(found: Connection, shown: str) -> pb.WhoAmIResponse:
    metadata = (("authorization", shown),)
    return _call(found, lambda it: it.access.WhoAmI(pb.WhoAmIRequest(), metadata=metadata))


def _call(found: Connection, make_call: Callable[[Connection], Awaitable[T]]) -> T:
    return found.call(make_call)


def _asked(what: str) -> str:
    typed: str = click.prompt(what, hide_input=True, err=True) if sys.stdin.isatty() else sys.stdin.readline()
    if not typed.strip():
        raise click.UsageError(
            f"{what}: there was nothing on standard input. Type it, pipe it in, or use --browser."
        )
    return typed.strip()
