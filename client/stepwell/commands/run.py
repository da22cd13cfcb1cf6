"""`stepwell run`: runs a project."""

import shlex
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from types import FrameType

import click

from stepwell import settings
from stepwell.commands.groups import HELP_NAMES, tracking_uri_option
from stepwell.errors import StepwellException
from stepwell.projects.environments import LOCAL, MANAGERS

HELP = """Run a project: a folder or a git repository whose MLproject file says how.

\b
    stepwell run . -e train -P input_file=data/iris.csv -P alpha=0.1
    stepwell run https://git.example.org/team/project.git#examples -v main

The run is made before the command starts, with the parameters and the commit; what the command logs goes to it, and how
the command ends is how the run ends. Ends with 1 when the command fails, with 2 when it cannot be started.
"""


@click.command(help=HELP, context_settings={"help_option_names": HELP_NAMES}, params=[tracking_uri_option()])
@click.argument("uri")
@click.option(
    "--entry-point", "-e", default="main", show_default=True, help="What to run: an entry point, or a script."
)
@click.option(
    "--param-list", "-P", "parameters", multiple=True, metavar="KEY=VALUE", help="A parameter; repeatable."
)
@click.option("--docker-args", "-A", multiple=True, hidden=True)
@click.option("--version", "-v", metavar="VERSION", help="Commit, branch or tag of a git repository.")
@click.option("--experiment-name", metavar="NAME", help="The experiment for the run, made if it is missing.")
@click.option("--experiment-id", metavar="ID", help="The experiment for the run.")
@click.option("--run-name", metavar="NAME", help="The name of the run.")
@click.option("--run-id", metavar="ID", help="A run to go on with, instead of a new one.")
@click.option(
    "--env-manager",
    type=click.Choice(MANAGERS),
    help="What makes the environment.  [default: uv, or conda for what only conda has; local without an environment]",
)
@click.option("--no-conda", is_flag=True, help="The same as --env-manager local.")
@click.option("--storage-dir", metavar="PATH", help="Where to put what is fetched.")
@click.option("--backend", "-b", default=LOCAL, show_default=True, help="Where it runs.")
@click.option(
    "--backend-config", "-c", metavar="FILE", help="JSON with defaults for env_manager and storage_dir."
)
@click.option(
    "--no-capture", is_flag=True, help="Do not keep what the command prints; it has the terminal to itself."
)
@click.option("--dry-run", is_flag=True, help="Say what would run, and do not.")
def run(
    uri: str,
    entry_point: str,
    parameters: Sequence[str],
    docker_args: Sequence[str],
    version: str | None,
    experiment_name: str | None,
    experiment_id: str | None,
    run_name: str | None,
    run_id: str | None,
    env_manager: str | None,
    no_conda: bool,
    storage_dir: str | None,
    backend: str,
    backend_config: str | None,
    no_capture: bool,
    dry_run: bool,
) -> None:
    """Run a project."""
    from stepwell.experiments import set_experiment
    from stepwell.projects.interrupts import HeldInterrupts
    from stepwell.projects.running import Wanted, prepare

    settings.return_to_mode()
    if docker_args:
        raise click.UsageError("-A gives arguments to Docker, in which Stepwell runs nothing.")
    take_as_interrupts()
    with HeldInterrupts() as held:
        try:
            with ExitStack() as resources:
                wanted = Wanted(
                    uri, entry_point, version, parameters_of(parameters), backend, backend_config, storage_dir,
                    LOCAL if no_conda else env_manager,
                )  # fmt: skip
                prepared = prepare(wanted, resources)
                if dry_run:
                    click.echo(f"in        {prepared.fetched.project.folder}")
                    click.echo(f"with      {prepared.fetched.plan.manager}")
                    click.echo(f"run       {prepared.command}")
                    return
                if experiment_name is not None or experiment_id is not None:
                    set_experiment(experiment_name, experiment_id)
                submitted = prepared.start(
                    resources.pop_all(), held, None, run_id, run_name, capture=not no_capture
                )
        except StepwellException as failure:
            raise Refusal(failure.message) from failure
        except OSError as failure:
            raise Refusal(str(failure)) from failure
        click.echo(
            f"Run {submitted.run_id}: {shlex.quote(entry_point)} of {prepared.fetched.source.name}", err=True
        )
        try:
            held.release()
            went_well = submitted.wait()
        except KeyboardInterrupt:
            submitted.cancel()
            click.echo(f"Run {submitted.run_id} was stopped.", err=True)
            sys.exit(130)
    if not went_well:
        code = submitted.exit_code or 0
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        raise click.ClickException(f"Run (ID '{submitted.run_id}') failed: its command ended with {how}.")


class Refusal(click.ClickException):
    """What cannot be started, or went wrong, in one line and with an exit code."""

    def __init__(self, message: str, exit_code: int = 2) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # click documents it so


def parameters_of(given: Sequence[str]) -> dict[str, str]:
    """Return what -P gives. Raises click.UsageError."""
    values: dict[str, str] = {}
    for one in given:
        name, separator, value = one.partition("=")
        if not separator or not name:
            raise click.UsageError(f"-P is {one!r}; give it as KEY=VALUE.")
        if name in values:
            raise click.UsageError(f"-P {name} is given twice.")
        values[name] = value
    return values


def take_as_interrupts() -> None:
    """Take SIGTERM as Ctrl-C, and SIGHUP, the end of the terminal, where it is not ignored (nohup)."""
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupted)


def _interrupted(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
