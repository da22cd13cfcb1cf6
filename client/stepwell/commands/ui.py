"""stepwell ui: the page in a browser, with a server if there is none yet."""

import asyncio
import os
import re
import subprocess
import sys
import webbrowser
from importlib.util import find_spec

import click

from stepwell import settings
from stepwell.commands.groups import HELP_NAMES, tracking_uri_option
from stepwell.commands.output import reporting
from stepwell.extras import install_hint
from stepwell.wire.door import NoDoorError, ask

LOOK_S = 3.0
_READY = re.compile(r"ready: (https?://\S+)")
# What serving needs and the client does not.
_SERVER_NEEDS = ("asyncpg", "starlette", "uvicorn")


@click.command(
    context_settings={"help_option_names": HELP_NAMES, "ignore_unknown_options": True},
    params=[tracking_uri_option()],
)
@click.option("--no-open", is_flag=True, help="Print the page's address, and open no browser.")
@click.argument("server_options", nargs=-1, type=click.UNPROCESSED)
@reporting
def ui(no_open: bool, server_options: tuple[str, ...]) -> None:
    """Open the page of the server in a browser.

    When no server was named and none runs at the usual address, one is started, until Ctrl-C, with SERVER_OPTIONS as
    `stepwell server` takes them.
    """
    uri = settings.tracking_uri()
    page = settings.parse_uri(uri).page
    if not page:
        raise click.ClickException(
            f"{uri} is where gRPC is; the page is at the server's HTTP address: stepwell ui --tracking-uri http://HOST:5000"
        )
    if not server_options:
        try:
            asyncio.run(ask(page, LOOK_S))
        except NoDoorError as reason:
            if settings.is_tracking_uri_set() or not reason.passing:
                raise click.ClickException(f"There is no Stepwell server at {page}: {reason}.") from None
        else:
            present(page, opens=not no_open)
            return
    sys.exit(_serve(server_options, opens=not no_open))


def present(page: str, *, opens: bool) -> None:
    """Open the page where people can see it; say where it is in any case."""
    if not opens:
        click.echo(page)
    elif not _has_display():
        click.echo(f"The page is at {page}. There is no display here to open it on; open it in a browser.")
    elif webbrowser.open(page):
        click.echo(f"The page is at {page}; it was opened in a browser.")
    else:
        click.echo(f"The page is at {page}. No browser could be started; open it in one.")


def _has_display() -> bool:
    if sys.platform in ("darwin", "win32"):
        return True
    return any(os.environ.get(name) for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"))


def _serve(options: tuple[str, ...], *, opens: bool) -> int:
    """Run a server until it ends, with its words on our output; open its page when it is ready."""
    missing = [name for name in _SERVER_NEEDS if find_spec(name) is None]
    if missing:
        raise click.ClickException(
            f"No server runs here, and none can be started, because {missing[0]} is missing: {install_hint('server')}."
        )
    command = [sys.executable, "-m", "stepwell_server", *options]
    # The options are those of whoever typed the command.
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603
        assert server.stdout is not None
        try:
            for line in server.stdout:
                click.echo(line, nl=False)
                ready = _READY.search(line)
                if ready:
                    present(ready[1], opens=opens)
        except KeyboardInterrupt:
            pass  # the server has it too, and ends in order
        return server.wait()
