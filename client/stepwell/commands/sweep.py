"""`stepwell sweep`: runs an entry point of a project with many parameters."""

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict

import click

from stepwell import settings
from stepwell.commands.groups import HELP_NAMES, tracking_uri_option
from stepwell.commands.output import as_json, print_json
from stepwell.commands.run import Refusal, parameters_of, take_as_interrupts
from stepwell.errors import StepwellException
from stepwell.projects.environments import MANAGERS
from stepwell.projects.sweeping import SAMPLERS

PREVIEWED = 3
HELP = """Run an entry point with many parameters, each as a run inside of one run, and find the best.

\b
    stepwell sweep . -e train --space space.yaml --trials 50 --parallel 4

\b
    metric: val_rmse
    goal: minimize
    parameters:
      learning_rate: {low: 0.0001, high: 0.1, log: true}
      units: {type: int, low: 8, high: 64, step: 8}
      optimizer: [sgd, adam]

With --run-id a sweep goes on that was stopped, or killed: what is finished is not run again.
"""


@click.command(help=HELP, context_settings={"help_option_names": HELP_NAMES}, params=[tracking_uri_option()])
@click.argument("uri")
@click.option("--entry-point", "-e", default="main", show_default=True, help="What to run.")
@click.option("--space", required=True, type=click.Path(dir_okay=False), help="What to try, as above.")
@click.option("--trials", required=True, type=click.IntRange(1), help="How many in all.")
@click.option("--parallel", default=1, show_default=True, type=click.IntRange(1), help="How many at once.")
@click.option(
    "--sampler", type=click.Choice(SAMPLERS), default=SAMPLERS[0], show_default=True, help="Who chooses."
)
@click.option("--seed", type=int, help="Seed of the sampler.")
@click.option("--prune", is_flag=True, help="Stop trials that are worse than the median of the others.")
@click.option(
    "--param-list", "-P", "parameters", multiple=True, metavar="KEY=VALUE", help="The same for all trials."
)
@click.option("--version", "-v", metavar="VERSION", help="Commit, branch or tag of a git repository.")
@click.option("--experiment-name", metavar="NAME", help="The experiment, made if it is missing.")
@click.option("--experiment-id", metavar="ID", help="The experiment.")
@click.option("--run-name", metavar="NAME", help="The name of the sweep's run.")
@click.option("--run-id", metavar="ID", help="A sweep to go on with.")
@click.option("--env-manager", type=click.Choice(MANAGERS), help="As for `stepwell run`.")
@click.option("--storage-dir", metavar="PATH", help="Where to put what is fetched.")
@click.option("--dry-run", is_flag=True, help="Say what the first trials would run, and do not.")
@as_json
def sweep(
    uri: str,
    entry_point: str,
    space: str,
    trials: int,
    parallel: int,
    sampler: str,
    seed: int | None,
    prune: bool,
    parameters: Sequence[str],
    version: str | None,
    experiment_name: str | None,
    experiment_id: str | None,
    run_name: str | None,
    run_id: str | None,
    env_manager: str | None,
    storage_dir: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Run an entry point with many parameters."""
    from stepwell.experiments import set_experiment
    from stepwell.projects.running import Wanted
    from stepwell.projects.sweeping import plan_sweep

    settings.return_to_mode()
    take_as_interrupts()
    try:
        with ExitStack() as resources:
            wanted = Wanted(uri, entry_point, version, None, storage_dir=storage_dir, env_manager=env_manager)
            planned = plan_sweep(wanted, space, sampler, seed, parameters_of(parameters), resources)
            if dry_run:
                count = trials if planned.points is None else min(trials, len(planned.points))
                click.echo(f"{count} trials, {parallel} at once, for a small {planned.space.metric}"
                           if planned.space.goal == "minimize" else
                           f"{count} trials, {parallel} at once, for a large {planned.space.metric}")  # fmt: skip
                for command in planned.preview(min(count, PREVIEWED)):
                    click.echo(f"  {command}")
                return
            if experiment_name is not None or experiment_id is not None:
                set_experiment(experiment_name, experiment_id)
            outcome = planned.run(trials, parallel, None, run_id, run_name, prune=prune)
    except StepwellException as failure:
        raise Refusal(failure.message, 1 if failure.error_code == "INVALID_STATE" else 2) from failure
    except OSError as failure:
        raise Refusal(str(failure), 2) from failure
    except KeyboardInterrupt:
        click.echo("The sweep was stopped; --run-id with its run goes on with it.", err=True)
        sys.exit(130)
    if as_json:
        print_json(asdict(outcome))
        return
    click.echo(
        f"Sweep {outcome.run_id}: {outcome.finished} finished, {outcome.pruned} pruned, {outcome.failed} failed"
    )
    if outcome.best_run_id is not None:
        click.echo(f"best: run {outcome.best_run_id}, {planned.space.metric} = {outcome.best_value:.6g}")
