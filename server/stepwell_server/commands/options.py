"""The options that all of these commands share."""

import asyncio
import re
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import click

from stepwell_server import config as defaults
from stepwell_server.errors import StepwellError
from stepwell_server.process.logs import set_up_logs

Command = Callable[..., Any]

# What begins like an address: gs://, s3://, file://.
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")


class Folder(click.Path):
    """A folder of this machine; addresses of other places would become folders of strange names."""

    def __init__(self) -> None:
        super().__init__(file_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """See `click.ParamType`."""
        if _ADDRESS.match(str(value)):
            self.fail(
                f"{str(value)!r} is the address of another place; name a folder of this machine", param, ctx
            )
        return super().convert(value, param, ctx)


def database_options(command: Command) -> Command:
    """Add `--store` and `--data`, which say whose database it is, as for `stepwell server`."""
    store = click.option(
        "--store",
        envvar="STEPWELL_STORE",
        metavar="URL",
        callback=store_url,
        help="postgresql://user:password@host/database of your own PostgreSQL.",
    )
    data = click.option(
        "--data",
        envvar="STEPWELL_DATA",
        default=defaults.DATA_DEFAULT,
        show_default=True,
        type=Folder(),
        help="Folder of the embedded PostgreSQL, where there is no --store.",
    )
    return store(data(command))


def store_url(context: click.Context, parameter: click.Parameter, text: str | None) -> str | None:
    """Return the URL of a PostgreSQL; SQLAlchemy's names of drivers, as MLflow's users write them, are left out."""
    if not text:
        return None
    url = re.sub(r"^(postgres(?:ql)?)\+\w+://", r"\1://", text)
    if not url.startswith(("postgresql://", "postgres://")):
        # Not what was given: it may hold a password.
        shown = f"{text.partition('://')[0]!r}" if "://" in text else "this"
        raise click.BadParameter(
            f"{shown} is no PostgreSQL: it has to start with postgresql://. Leave it out for the embedded one; "
            "`stepwell import mlflow` takes over what is in a folder, SQLite or a server of MLflow"
        )
    return url


def json_option(command: Command) -> Command:
    """Add `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(command)


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Do the work; what goes wrong on purpose is told in one line."""
    set_up_logs(None, "warning")
    try:
        return asyncio.run(work)
    except StepwellError as error:
        raise click.ClickException(str(error)) from error
