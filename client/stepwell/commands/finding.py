"""Options that say what to find, and finding it page by page."""

from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from typing import Any

import click

from stepwell.client import StepwellClient
from stepwell.entities import Experiment, Run, ViewType

PAGE_SIZE = 1_000
VIEWS = {"active_only": ViewType.ACTIVE_ONLY, "deleted_only": ViewType.DELETED_ONLY, "all": ViewType.ALL}

view = click.option(
    "--view",
    "-v",
    type=click.Choice(list(VIEWS)),
    default="active_only",
    show_default=True,
    help="Which stages.",
)
filter_string = click.option("--filter", "filter_string", default="", help="Which ones; see docs/search.md.")
order_by = click.option("--order-by", multiple=True, help="For example 'metrics.loss DESC'; may be repeated.")
max_results = click.option(
    "--max-results", type=click.IntRange(1), default=100, show_default=True, help="How many at most."
)
experiment_id = click.option("--experiment-id", "-x", help="The experiment's id.")
experiment_name = click.option("--experiment-name", "-n", help="The experiment's name.")


def run_id(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the id of one run: as its argument, or as MLflow's option."""

    @click.argument("run", metavar="[RUN_ID]", required=False)
    @click.option("--run-id", "option", metavar="RUN_ID", help="The run's id, as with MLflow.")
    @wraps(command)
    def with_run_id(run: str | None, option: str | None, **others: Any) -> Any:
        if (run is None) == (option is None):
            raise click.UsageError("Give the id of one run.")
        return command(run_id=run or option, **others)

    return with_run_id


def of_experiment(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that name one experiment."""
    return experiment_id(experiment_name(command))


def the_experiment(
    experiment_id: str | None, experiment_name: str | None, client: StepwellClient | None = None
) -> Experiment:
    """Return the experiment that the options name."""
    if (experiment_id is None) == (experiment_name is None):
        raise click.UsageError("Give --experiment-id or --experiment-name.")
    client = client or StepwellClient()
    if experiment_id is not None:
        return client.get_experiment(experiment_id)
    found = client.get_experiment_by_name(experiment_name or "")
    if found is None:
        raise click.ClickException(f"There is no experiment {experiment_name!r}.")
    return found


def runs_of(
    experiment_ids: Sequence[str] | None,
    filter_string: str,
    view: str,
    order_by: Sequence[str],
    limit: int | None,
    client: StepwellClient | None = None,
) -> Iterator[Run]:
    """Yield runs of experiments (None means all), a page at a time; all of them if there is no limit."""
    client, token, left = client or StepwellClient(), None, limit
    while left is None or left > 0:
        size = PAGE_SIZE if left is None else min(PAGE_SIZE, left)
        page = client.search_runs(experiment_ids, filter_string, VIEWS[view], size, list(order_by), token)
        yield from page
        left = None if left is None else left - len(page)
        token = page.token
        if token is None:
            return
