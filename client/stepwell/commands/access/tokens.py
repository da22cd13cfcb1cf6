"""`stepwell tokens`: what programs show to say who they are."""

import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click

from stepwell.commands import output
from stepwell.commands.access.server import SCOPES, ask, plain_time, scope_of, scope_word
from stepwell.commands.finding import experiment_called
from stepwell.commands.groups import Commands
from stepwell.commands.output import as_json, reporting
from stepwell_api.v1 import access_pb2 as pb

_SECONDS = {"m": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400}
EXPIRES_DEFAULT = "90d"


@click.group(cls=Commands)
def tokens() -> None:
    """Make, list and revoke tokens: one's own, or as an admin those of others."""


@tokens.command()
@click.argument("name")
@click.option(
    "--scope", type=click.Choice(SCOPES), default="write", show_default=True, help="What it may do."
)
@click.option(
    "--expires",
    default=EXPIRES_DEFAULT,
    show_default=True,
    metavar="WHEN",
    help="In 12h, 30d or 8w; on a day like 2027-01-31; or never.",
)
@click.option(
    "--experiment",
    "experiments",
    metavar="NAME|ID",
    multiple=True,
    help="Only this experiment, by its name or id; may be repeated.",
)
@click.option("--user", default="", help="Of another account; for admins.")
@as_json
@reporting
def create(name: str, scope: str, expires: str, experiments: Sequence[str], user: str, as_json: bool) -> None:
    """Make a token and show its secret, once. NAME says what it is for."""
    request = pb.CreateTokenRequest(
        name=name,
        scope=scope_of(scope),
        experiment_ids=[int(experiment_called(it).experiment_id) for it in experiments],
        expires_time_ms=expiry_ms(expires),
        account=user,
    )
    made = ask(lambda it: it.access.CreateToken(request))
    if as_json:
        output.print_json({**plain_token(made.token), "secret": made.secret})
        return
    token = made.token
    click.echo(f"Token {token.token_id} of {token.account!r}, which may {scope_word(token.scope)}:", err=True)
    click.echo(made.secret)
    click.echo("It is shown only now. Set it as STEPWELL_TRACKING_TOKEN, where a job runs.", err=True)


@tokens.command("list")
@click.option("--user", default="", help="Of another account; for admins.")
@click.option("--all", "all_", is_flag=True, help="Of all accounts; for admins.")
@as_json
@reporting
def list_(user: str, all_: bool, as_json: bool) -> None:
    """List tokens, without their secrets, the latest first."""
    found = ask(lambda it: it.access.ListTokens(pb.ListTokensRequest(account=user, all=all_))).tokens
    if as_json:
        output.print_json([plain_token(token) for token in found])
        return
    columns = ("id", "user", "name", "begins", "scope", "experiments", "expires", "last_used", "revoked")
    rows = [[_shown(plain_token(token)[column]) for column in columns] for token in found]
    output.print_rows(columns, rows, json_too=False)


@tokens.command()
@click.argument("token_id", type=int)
@as_json
@reporting
def revoke(token_id: int, as_json: bool) -> None:
    """Revoke a token, by its id: within ten seconds it is good no more, for open streams within twenty."""
    token = ask(lambda it: it.access.RevokeToken(pb.RevokeTokenRequest(token_id=token_id))).token
    if as_json:
        output.print_json(plain_token(token))
    else:
        click.echo(f"Token {token.token_id} ({token.name!r} of {token.account!r}) is revoked.")


def expiry_ms(text: str) -> int:
    """Return from when on a token is good no more, in milliseconds; 0 for never."""
    if text == "never":
        return 0
    span = re.fullmatch(r"(\d{1,5})([mhdw])", text)
    if span:
        return int((time.time() + int(span[1]) * _SECONDS[span[2]]) * 1_000)
    try:
        day = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is no time; write it as 12h, 30d, 8w, 2027-01-31 or never", param_hint="--expires"
        ) from None
    return int((day if day.tzinfo else day.replace(tzinfo=UTC)).timestamp() * 1_000)


def plain_token(token: pb.Token) -> dict[str, Any]:
    """Return a token as JSON has it, without its secret."""
    return {
        "id": token.token_id,
        "user": token.account,
        "name": token.name,
        "begins": token.hint,
        "scope": scope_word(token.scope),
        "experiments": list(token.experiment_ids) if token.is_limited else None,
        "created": plain_time(token.created_time_ms),
        "expires": plain_time(token.expires_time_ms),
        "last_used": plain_time(token.last_used_time_ms),
        "revoked": plain_time(token.revoked_time_ms),
    }


def _shown(value: Any) -> Any:
    return ", ".join(map(str, value)) if isinstance(value, list) else value
