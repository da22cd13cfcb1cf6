"""Options of `stepwell server` that say how people sign in with a browser; docs/single-sign-on.md explains them."""

import functools
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from stepwell_server.commands.server_options import Command, separated
from stepwell_server.config import ProviderConfig, SignInConfig, is_loopback
from stepwell_server.web.signing_in.networks import networks_of

HOUR_S = 3_600
# No option: the list of processes shows options.
CLIENT_SECRET = "STEPWELL_OIDC_CLIENT_SECRET"  # noqa: S105 - the variable's name
_DEFAULTS = SignInConfig()
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


def address(context: click.Context, parameter: click.Parameter, text: str | None) -> str:
    """Return an address that begins with https://, or with http:// where it is this machine's."""
    parts = urlsplit(text or "")
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    if text and not (is_safe and parts.netloc and not parts.query and not parts.fragment):
        raise click.BadParameter(
            f"{text!r} has to be like https://name.example.org; http:// is for loopback alone"
        )
    return text or ""


def networks(context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[str, ...]:
    """Return networks that stand between commas, like 10.0.0.0/8; an address alone is one, too."""
    found = separated(context, parameter, text)
    try:
        networks_of(found)
    except ValueError as error:
        raise click.BadParameter(f"{error}; a network is like 10.2.0.0/16 or 10.2.3.4") from None
    return found


def header_name(context: click.Context, parameter: click.Parameter, text: str | None) -> str:
    """Return the name of a header."""
    if text and not _HEADER.fullmatch(text):
        raise click.BadParameter(f"{text!r} is no name of a header; it is like X-Forwarded-User")
    return text or ""


def _option(name: str, **kind: Any) -> Callable[[Command], Command]:
    return click.option(name, envvar="STEPWELL_" + name.strip("-").replace("-", "_").upper(), **kind)


_OPTIONS = (
    _option(
        "--public-url",
        metavar="URL",
        callback=address,
        help="Where browsers find this server, if a proxy speaks TLS for it: https://tracker.example.org",
    ),
    _option(
        "--oidc-issuer",
        metavar="URL",
        callback=address,
        help="OpenID Connect provider that people sign in with, as it names itself.",
    ),
    _option(
        "--oidc-client-id",
        metavar="ID",
        help="What the provider calls this server. Its secret is STEPWELL_OIDC_CLIENT_SECRET, or in a file.",
    ),
    _option(
        "--oidc-client-secret-file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="File with the secret that the provider gave this server.",
    ),
    _option("--oidc-name", metavar="NAME", help="The provider's name on the button.  [default: its host]"),
    _option(
        "--oidc-scopes",
        metavar="SCOPES",
        callback=separated,
        default="openid,profile,email",
        help="What the provider is asked for, separated by commas.",
    ),
    _option(
        "--oidc-name-claim",
        metavar="CLAIM",
        default="preferred_username",
        help="Claim with the name that an account gets; without it, the e-mail address.",
    ),
    _option(
        "--oidc-groups-claim",
        metavar="CLAIM",
        help="Claim with groups; whoever signs in becomes a member of those that there are here.",
    ),
    _option(
        "--oidc-admin-groups",
        metavar="GROUPS",
        callback=separated,
        help="Groups of the provider whose members are admins here, separated by commas.",
    ),
    _option(
        "--oidc-domains",
        metavar="DOMAINS",
        callback=separated,
        help="Domains of verified e-mail addresses that may sign in, separated by commas.  [default: all]",
    ),
    _option(
        "--trusted-user-header",
        metavar="NAME",
        callback=header_name,
        help="Header in which a proxy names the user, like X-Forwarded-User.",
    ),
    _option(
        "--trusted-proxies",
        metavar="NETWORKS",
        callback=networks,
        help="Addresses of the proxies that may, like 10.2.0.0/16, separated by commas. They are also believed from "
        "where a request comes (X-Forwarded-For).",
    ),
    _option(
        "--session-idle",
        type=click.FloatRange(min=0, min_open=True),
        default=_DEFAULTS.session_idle_s / HOUR_S,
        help="Hours without a request after which a browser has to sign in again.",
    ),
    _option(
        "--session-lifetime",
        type=click.FloatRange(min=0, min_open=True),
        default=_DEFAULTS.session_s_max / HOUR_S,
        help="Hours after which it has to in any case.",
    ),
)


def sign_in_options(command: Command) -> Command:
    """Add the options, and give the command what they say as one argument, `sign_in`."""

    @functools.wraps(command)
    def bundled(**given: Any) -> Any:
        named = {name: given.pop(name) for name in _NAMES}
        return command(**given, sign_in=sign_in_config(**named))

    optional: Command = bundled
    for option in reversed(_OPTIONS):
        optional = option(optional)
    return optional


_NAMES = (
    "public_url",
    "oidc_issuer",
    "oidc_client_id",
    "oidc_client_secret_file",
    "oidc_name",
    "oidc_scopes",
    "oidc_name_claim",
    "oidc_groups_claim",
    "oidc_admin_groups",
    "oidc_domains",
    "trusted_user_header",
    "trusted_proxies",
    "session_idle",
    "session_lifetime",
)


def sign_in_config(
    *,
    public_url: str,
    oidc_issuer: str,
    oidc_client_id: str | None,
    oidc_client_secret_file: Path | None,
    oidc_name: str | None,
    oidc_scopes: tuple[str, ...],
    oidc_name_claim: str,
    oidc_groups_claim: str | None,
    oidc_admin_groups: tuple[str, ...],
    oidc_domains: tuple[str, ...],
    trusted_user_header: str,
    trusted_proxies: tuple[str, ...],
    session_idle: float,
    session_lifetime: float,
) -> SignInConfig:
    """Return what the options say together. Raises click.UsageError when they do not fit each other."""
    if bool(oidc_issuer) != bool(oidc_client_id):
        raise click.UsageError("--oidc-issuer and --oidc-client-id belong together.")
    if trusted_user_header and not trusted_proxies:
        raise click.UsageError("--trusted-user-header needs --trusted-proxies: anybody can send a header.")
    if oidc_admin_groups and not oidc_groups_claim:
        raise click.UsageError(
            "--oidc-admin-groups needs --oidc-groups-claim, which says where groups are named."
        )
    if session_idle > session_lifetime:
        raise click.UsageError("--session-idle is longer than --session-lifetime.")
    provider = None
    if oidc_client_id:
        provider = ProviderConfig(
            oidc_issuer,
            oidc_client_id,
            _client_secret(oidc_client_secret_file),
            name=oidc_name or "",
            scopes=("openid", *(scope for scope in oidc_scopes if scope != "openid")),
            name_claim=oidc_name_claim,
            groups_claim=oidc_groups_claim or "",
            admin_groups=oidc_admin_groups,
            domains=oidc_domains,
        )
    return SignInConfig(
        provider,
        trusted_user_header,
        trusted_proxies,
        public_url.rstrip("/"),
        session_idle * HOUR_S,
        session_lifetime * HOUR_S,
    )


def _client_secret(file: Path | None) -> str:
    given = os.environ.get(CLIENT_SECRET, "")
    if file and given:
        raise click.UsageError(f"{CLIENT_SECRET} and --oidc-client-secret-file are two secrets; give one.")
    return file.read_text().strip() if file else given
