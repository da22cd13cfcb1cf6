"""The command `stepwell certificates make`."""

from pathlib import Path

import click

from stepwell_server.commands.options import Folder
from stepwell_server.errors import StepwellError
from stepwell_server.process.tls import making

DAYS_DEFAULT = 365


@click.group()
def certificates() -> None:
    """Make certificates for trying TLS. docs/tls.md says how the server uses them, or those of your authority."""


@certificates.command(
    short_help="Write an authority, and certificates and keys for a server and a client.",
    context_settings={"show_default": True},
)
@click.option(
    "--out", default=Path("certificates"), type=Folder(), help="Folder that the files are written into."
)
@click.option(
    "--host",
    "hosts",
    multiple=True,
    metavar="NAME",
    help="A name or address by which clients reach the server; may be repeated. Those of this machine are there.",
)
@click.option(
    "--days",
    default=DAYS_DEFAULT,
    type=click.IntRange(1, making.DAYS_MAX),
    help="How long the certificates of server and client are valid.",
)
def make(out: Path, hosts: tuple[str, ...], days: int) -> None:
    """Write an authority, and certificates and keys for a server and for a client.

    An authority that is there stays; the rest is made anew, and a server that uses it takes it within seconds.
    """
    try:
        kept = making.make(out, [*making.own_hosts(), *hosts], days)
    except ModuleNotFoundError as missing:
        raise click.ClickException(
            f"certificates are made with {missing.name}, which is not installed: pip install 'stepwell[server]'"
        ) from None
    except StepwellError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{out} cannot be written: {error.strerror or error}") from error
    click.echo(f"{'Kept the authority, and wrote the rest anew' if kept else 'Wrote'} in {out}:")
    click.echo(
        f"  stepwell server --tls-cert {out / 'server.pem'} --tls-key {out / 'server-key.pem'}\n"
        f"  export STEPWELL_TLS_CA={out.resolve() / 'ca.pem'}    for clients, on their machines\n"
        f"With --tls-client-ca {out / 'ca.pem'} the server asks clients for certificates, too:\n"
        f"  export STEPWELL_TLS_CLIENT_CERT={out.resolve() / 'client.pem'}\n"
        f"  export STEPWELL_TLS_CLIENT_KEY={out.resolve() / 'client-key.pem'}"
    )
