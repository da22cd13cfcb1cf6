"""The command `stepwell models`: serve, predict and build-env; the registry's are in the room beside it."""

import os
import subprocess
import sys
from pathlib import Path

import click

from stepwell.commands.groups import Commands
from stepwell.commands.registry.listed import COMMANDS
from stepwell.errors import invalid
from stepwell.models import places
from stepwell.serving import config as serving_config
from stepwell.serving import environments
from stepwell.serving.config import ServingConfig

_model_uri = click.option(
    "--model-uri",
    "-m",
    required=True,
    metavar="URI",
    help="models:/NAME/VERSION (or a stage, or latest), models:/NAME@ALIAS, models:/m-ID, runs:/ID/NAME, or a folder.",
)
_env_manager = click.option(
    "--env-manager",
    type=click.Choice(environments.MANAGERS),
    default=environments.LOCAL,
    show_default=True,
    help="Where the model runs: in this environment, or in one with what its requirements say, made once.",
)


@click.group(cls=Commands)
def models() -> None:
    """Register models and move their versions; serve a model, predict with it, make its environment."""


for registry_command in COMMANDS:
    models.add_command(registry_command)


@models.command(context_settings={"help_option_names": ["--help"]})
@_model_uri
@click.option(
    "--port",
    "-p",
    type=click.IntRange(0, 65_535),
    default=5000,
    show_default=True,
    help="TCP port; 0 takes any free one.",
)
@click.option("--host", "-h", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--workers", "-w", type=click.IntRange(1), default=1, show_default=True, help="Processes.")
@click.option(
    "--timeout",
    "-t",
    type=click.FloatRange(0, min_open=True),
    default=serving_config.TIMEOUT_S_DEFAULT,
    show_default=True,
    metavar="SECONDS",
    help="What a request may take; then it is answered with 504.",
)
@_env_manager
@click.option("--no-conda", is_flag=True, hidden=True, help="As --env-manager local.")
@click.option(
    "--reload",
    is_flag=True,
    help="Follow the stage, alias or latest version: the next one answers as soon as it is loaded.",
)
@click.option(
    "--reload-interval",
    type=click.FloatRange(0.1),
    default=serving_config.RELOAD_INTERVAL_S_DEFAULT,
    show_default=True,
    metavar="SECONDS",
    help="Between two looks for it.",
)
@click.option(
    "--body-bytes-max",
    type=click.IntRange(1),
    default=serving_config.BODY_BYTES_MAX_DEFAULT,
    show_default=True,
    help="Larger requests are refused with 413.",
)
@click.option(
    "--requests-max",
    type=click.IntRange(1),
    default=serving_config.REQUESTS_MAX_DEFAULT,
    show_default=True,
    help="That wait or run in a worker; more are refused with 503.",
)
@click.option(
    "--threads",
    type=click.IntRange(1),
    default=serving_config.THREADS_DEFAULT,
    show_default=True,
    help="Of a worker, that ask the model at once; 1 for models that are not made for several.",
)
def serve(
    model_uri: str,
    port: int,
    host: str,
    workers: int,
    timeout: float,
    env_manager: str,
    no_conda: bool,
    reload: bool,
    reload_interval: float,
    body_bytes_max: int,
    requests_max: int,
    threads: int,
) -> None:
    """Answer requests to /invocations with what a model predicts."""
    if env_manager != environments.LOCAL and not no_conda:
        _elsewhere(model_uri, env_manager, "serve")
    from stepwell.serving import process

    config = ServingConfig(
        model_uri=model_uri,
        folder="",
        timeout_s=timeout,
        body_bytes_max=body_bytes_max,
        requests_max=requests_max,
        threads=threads,
        reload_interval_s=reload_interval if reload else 0.0,
    )
    process.serve(process.fetched(config), host, port, workers)


@models.command()
@_model_uri
@click.option(
    "--input-path",
    "-i",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file; standard input if not given.",
)
@click.option(
    "--output-path",
    "-o",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Standard output if not given.",
)
@click.option(
    "--content-type",
    "-t",
    type=click.Choice(["json", "csv"]),
    default="json",
    show_default=True,
    help="Of the input.",
)
@_env_manager
def predict(
    model_uri: str, input_path: Path | None, output_path: Path | None, content_type: str, env_manager: str
) -> None:
    """Print what a model predicts for a file, which is as a request to its server would be."""
    if env_manager != environments.LOCAL:
        _elsewhere(model_uri, env_manager, "predict")
    from stepwell.models.pyfunc.loading import load_model
    from stepwell.serving import scoring

    body = input_path.read_bytes() if input_path else sys.stdin.buffer.read()
    answer = scoring.score(
        load_model(model_uri), scoring.CSV if content_type == "csv" else scoring.JSON, body
    )
    if answer.status != 200:
        raise invalid(scoring.message_of(answer))
    if output_path:
        output_path.write_text(answer.body, encoding="utf-8")
    else:
        click.echo(answer.body)


@models.command("build-env")
@_model_uri
@click.option(
    "--env-manager",
    type=click.Choice(environments.MANAGERS[1:]),
    default=environments.VIRTUALENV,
    show_default=True,
    help="What makes it.",
)
def build_env(model_uri: str, env_manager: str) -> None:
    """Make the environment that a model needs, and print its Python."""
    click.echo(environments.build(places.local_folder(model_uri), env_manager))


def _elsewhere(model_uri: str, env_manager: str, command: str) -> None:
    """Do this command in the environment that the model needs; does not return."""
    python = environments.build(places.local_folder(model_uri), env_manager)
    arguments = _without_env_manager(sys.argv[1:])
    program = "from stepwell.cli import main; main()"
    if command == "serve":
        os.execv(python, [str(python), "-c", program, *arguments])  # noqa: S606 - so that signals reach it
    sys.exit(subprocess.call([str(python), "-c", program, *arguments]))  # noqa: S603


def _without_env_manager(arguments: list[str]) -> list[str]:
    found, skip = [], False
    for argument in arguments:
        if skip:
            skip = False
        elif argument == "--env-manager":
            skip = True
        elif not argument.startswith("--env-manager="):
            found.append(argument)
    return found
