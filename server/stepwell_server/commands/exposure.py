"""Options of `stepwell server` that say who can reach it: TLS, and other machines."""

import functools
from collections.abc import Callable
from typing import Any

import click

from stepwell_server.config import Config, TlsFiles, is_loopback

Command = Callable[..., Any]


def exposure_options(command: Command) -> Command:
    """Add `--tls-cert`, `--tls-key` and `--tls-client-ca`, which become the parameter `tls`, and `--insecure`."""

    @functools.wraps(command)
    def with_files(
        tls_cert: str | None, tls_key: str | None, tls_client_ca: str | None, **others: Any
    ) -> Any:
        return command(tls=tls_files(tls_cert, tls_key, tls_client_ca), **others)

    files: Command = with_files
    for name, text in (
        ("client-ca", "PEM file: clients have to show a certificate that one of these has signed."),
        ("key", "PEM file: the key of that certificate."),
        ("cert", "PEM file: the server's certificate, then those above it; gRPC and HTTP speak TLS."),
    ):
        envvar = f"STEPWELL_TLS_{name.upper().replace('-', '_')}"
        files = click.option(f"--tls-{name}", envvar=envvar, metavar="FILE", help=text)(files)
    return click.option(
        "--insecure",
        envvar="STEPWELL_INSECURE",
        is_flag=True,
        help="Let everybody who reaches the server read and change everything, from other machines too.",
    )(files)


def tls_files(certificate: str | None, key: str | None, client_ca: str | None) -> TlsFiles | None:
    """Return the files of TLS, None without any. Raises click.UsageError when one is missing."""
    if certificate and key:
        return TlsFiles(certificate, key, client_ca or None)
    if certificate or key or client_ca:
        raise click.UsageError(
            "TLS needs --tls-cert and --tls-key, both; `stepwell certificates make` makes some for trying"
        )
    return None


def is_open(config: Config) -> bool:
    """Tell whether other machines can reach the server."""
    hosts = [config.host, *([] if config.http_port is None else [config.http_host or config.host])]
    return not all(map(is_loopback, hosts))


def require_protected(config: Config) -> None:
    """Raise click.UsageError where other machines can reach the server, and nobody said who may come in."""
    if is_open(config) and not (config.auth or config.insecure):
        host = config.host if not is_loopback(config.host) else config.http_host
        raise click.UsageError(
            f"Other machines can reach a server at {host}. --auth lets callers say who they are; --insecure says that "
            "everybody who reaches it may read and change everything."
        )


def warnings(config: Config) -> list[str]:
    """Return what is said of this in the log at every start."""
    if not is_open(config):
        return []
    said = []
    if not config.auth:
        said.append("--insecure: everybody who reaches this address can read and change everything")
    if config.tls is None:
        secrets = "tokens and what is logged travel" if config.auth else "what is logged travels"
        said.append(f"{secrets} as plain text; --tls-cert and --tls-key, or a proxy with TLS, encrypt it")
    return said
