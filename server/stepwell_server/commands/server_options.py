"""What `stepwell server` makes of the texts that it takes, and what to use instead of options of MLflow's server."""

import re
from collections.abc import Callable, Mapping
from typing import Any, get_args

import click

from stepwell_server.commands.options import store_url
from stepwell_server.config import HTTP_PORT_DEFAULT, PORT_DEFAULT, PoolerOption

Command = Callable[..., Any]

PORT_MAX = 65_535
_NAME = r"(?:[^\s/:*@\[\]]+|\[[0-9a-fA-F:.]+\])"
# As MLflow's users write it, also with any port, and with parts of addresses, which are taken whatever they are.
_HOST = re.compile(rf"\*|(?:(?:\*\.)?{_NAME}|(?:\d{{1,3}}\.){{1,3}}\*)(?::(?:\d{{1,5}}|\*))?")
_ORIGIN = re.compile(rf"\*|https?://{_NAME}(?::\d{{1,5}})?/?")

# What MLflow's server takes and ours does not, and what to do. All but the flags take a value.
INSTEAD: Mapping[str, str] = {
    "--registry-store-uri": "models are in the same database as runs; leave it out",
    "--gunicorn-opts": "there is no gunicorn here; --workers says how many processes serve, --tls-cert that TLS does",
    "--waitress-opts": "there is no waitress here; --workers says how many processes serve",
    "--uvicorn-opts": "--workers, --http-host, --port, --tls-cert and --tls-key say what can be chosen",
    "--expose-prometheus": "the figures are always at /metrics; leave it out",
    "--x-frame-options": "answers may be framed by pages of this server alone; leave it out",
    "--app-name": "there are no plugins of the server; leave it out",
}
INSTEAD_OF_FLAGS: Mapping[str, str] = {
    "--no-serve-artifacts": "clients use a bucket directly where that is possible, by themselves; leave it out",
    "--artifacts-only": "one server serves all; leave it out",
    "--disable-security-middleware": "--allowed-hosts '*' takes any name, --allowed-origins '*' any page",
    "--dev": "--log-level debug tells more",
}


def ports(
    port: int | None,
    grpc_port: int | None,
    http_port: int | None,
    *,
    no_http: bool,
) -> tuple[int, int | None]:
    """Return the ports of gRPC and of HTTP, None without it.

    `port` is that of the one address; where HTTP has none or one of its own, it is gRPC's.

    Raises:
        click.UsageError: HTTP has a port, and is not served.
    """
    if no_http and http_port is not None:
        raise click.UsageError(
            "With --no-http (STEPWELL_NO_HTTP) nothing listens for HTTP: leave out --http-port (STEPWELL_HTTP_PORT) "
            "or --no-http. gRPC's port is --grpc-port or --port."
        )
    if http_port is None and not no_http:
        http_port, port = HTTP_PORT_DEFAULT if port is None else port, None
    named = (number for number in (grpc_port, port) if number is not None)
    return next(named, PORT_DEFAULT), None if no_http else http_port


def separated(context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[str, ...]:
    """Return what stands between commas."""
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())


def hosts(context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[str, ...]:
    """Return names of machines that stand between commas: HOST, HOST:PORT, *.DOMAIN or *."""
    return _all_like(
        _HOST,
        separated(context, parameter, text),
        "HOST or *.example.org, without http:// and without a path",
    )


def origins(context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[str, ...]:
    """Return origins of pages that stand between commas, or *."""
    return _all_like(
        _ORIGIN, separated(context, parameter, text), "like https://notebooks.example.org, without a path"
    )


def _all_like(pattern: re.Pattern[str], found: tuple[str, ...], form: str) -> tuple[str, ...]:
    for each in found:
        if not pattern.fullmatch(each):
            raise click.BadParameter(f"{each!r} has to be {form}")
    return found


def prefix(context: click.Context, parameter: click.Parameter, text: str | None) -> str:
    """Return a path that begins with a slash and does not end with one; "" for none."""
    if text and not re.fullmatch(r"(/(?!\.{1,2}(/|$))[\w.~-]+)+/?", text):
        raise click.BadParameter(f"{text!r} has to be a path like /stepwell")
    return (text or "").rstrip("/")


def host_with_port(context: click.Context, parameter: click.Parameter, text: str | None) -> str | None:
    """Return HOST:PORT, which may begin with grpc:// or grpcs://."""
    found = re.fullmatch(rf"(?:grpcs?://)?{_NAME}:(\d{{1,5}})", text or "")
    if text and not (found and 1 <= int(found[1]) <= PORT_MAX):
        raise click.BadParameter(
            f"{text!r} has to be HOST:PORT, like tracker.example.org:50051, or grpcs://HOST:PORT where a proxy "
            "speaks TLS"
        )
    return text or None


def pooler_options(command: Command) -> Command:
    """Add what there is to say of a pooler between --store and PostgreSQL."""
    pooler = click.option(
        "--pooler",
        envvar="STEPWELL_POOLER",
        type=click.Choice(get_args(PoolerOption)),
        default="auto",
        help="Whether --store leads to a transaction pooler, as PgBouncer; auto looks.",
    )
    listen_store = click.option(
        "--listen-store",
        envvar="STEPWELL_LISTEN_STORE",
        metavar="URL",
        callback=store_url,
        help="The database of --store without a pooler, or the coordinator of Citus: there servers tell each other of "
        "commits; without it, who watches runs behind a pooler or at a worker sees those once a second.",
    )
    return pooler(listen_store(command))


def require_store(store: str | None, listen_store: str | None) -> None:
    """Raise click.UsageError when there is nothing that --listen-store could belong to."""
    if listen_store and not store:
        raise click.UsageError(
            "--listen-store (STEPWELL_LISTEN_STORE) is the database of --store without its pooler: name --store, too, "
            "or leave it out."
        )


def artifacts_place(context: click.Context, parameter: click.Parameter, text: str | None) -> str | None:
    """Return a place; MLflow's word for "through the server" names none."""
    return None if not text or text.startswith("mlflow-artifacts:") else text


def options_of_mlflow(command: Command) -> Command:
    """Add options that MLflow's server has and this one need not; they are not listed."""
    for name, instead in INSTEAD.items():
        command = _refusing(name, instead)(command)
    for name, instead in INSTEAD_OF_FLAGS.items():
        command = _refusing(name, instead, is_flag=True)(command)
    return click.option("--serve-artifacts", is_flag=True, expose_value=False, hidden=True)(command)


def _refusing(name: str, instead: str, **kind: Any) -> Callable[[Command], Command]:
    def refuse(context: click.Context, parameter: click.Parameter, value: object) -> None:
        if value:
            raise click.UsageError(f"There is no option {name}: {instead}.")

    return click.option(name, callback=refuse, expose_value=False, hidden=True, **kind)
