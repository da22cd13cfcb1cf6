"""Options that say what to find, and finding it page by page."""

import re
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from functools import partial, wraps
from typing import Any

import click

from stepwell.client import StepwellClient
from stepwell.commands import output
from stepwell.entities import Experiment, Run, ViewType

PAGE_SIZE = 1_000
# What may be the beginning of a run's id; fewer digits are rather a mistake.
PREFIX = re.compile("[0-9a-f]{4,31}")
PREFIX_RUNS_SHOWN = 3
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
limit = click.option(
    "--limit", "--max-results", type=click.IntRange(1), help="How many at most; all of them if not given."
)
experiment_id = click.option("--experiment-id", "-x", help="The experiment's id.")
experiment_name = click.option("--experiment-name", "-n", help="The experiment's name.")


def run_id(command: Callable[..., Any], *, required: bool = True) -> Callable[..., Any]:
    """Give a command the id of one run: as its argument, or as MLflow's option."""

    @click.argument("run", metavar="[RUN_ID]", required=False)
    @click.option("--run-id", "-r", "option", metavar="RUN_ID", help="The run's id, as with MLflow.")
    @wraps(command)
    def with_run_id(run: str | None, option: str | None, **others: Any) -> Any:
        given = [one for one in (run, option) if one is not None]
        if len(given) > 1 or (required and not given):
            raise click.UsageError("Give the id of one run.")
        return command(run_id=whole_run_id(given[0]) if given else None, **others)

    return output.reporting(with_run_id)


# None where none is given.
optional_run_id = partial(run_id, required=False)


def whole_run_id(given: str, client: StepwellClient | None = None) -> str:
    """Return the id of the one run whose id is `given`, or begins so.

    Raises:
        click.ClickException: no run's id begins so, or several do.
    """
    prefix = given.strip().lower()
    if not PREFIX.fullmatch(prefix):
        return given
    found = (client or StepwellClient()).search_runs(
        None, f"run_id LIKE '{prefix}%'", ViewType.ALL, PREFIX_RUNS_SHOWN + 1
    )
    if len(found) == 1:
        return found[0].info.run_id
    if not found:
        raise click.ClickException(
            f"No run's id begins with {given!r}; `stepwell runs list` shows those there are."
        )
    ids = ", ".join(run.info.run_id for run in found[:PREFIX_RUNS_SHOWN])
    more = " and more" if len(found) > PREFIX_RUNS_SHOWN else ""
    raise click.ClickException(f"Several runs' ids begin with {given!r}: {ids}{more}. Give more of it.")


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
        raise _no_experiment(experiment_name or "", client)
    return found


def experiment_called(given: str, client: StepwellClient | None = None) -> Experiment:
    """Return the experiment that has a name, or else an id.

    Raises:
        click.ClickException: there is none.
    """
    client = client or StepwellClient()
    found = client.get_experiment_by_name(given)
    if found is None and not given.isdecimal():
        raise _no_experiment(given, client)
    return found or client.get_experiment(given)


def _no_experiment(name: str, client: StepwellClient) -> click.ClickException:
    """Return what to say of a name that no experiment has: with one that is like it, of those that changed last."""
    names = [experiment.name for experiment in client.search_experiments(max_results=PAGE_SIZE)]
    near = get_close_matches(name, names, n=1)
    return click.ClickException(
        f"There is no experiment {name!r}." + (f" Did you mean {near[0]!r}?" if near else "")
    )


def experiment_ids(experiment_id: str | None, experiment_name: str | None) -> list[str] | None:
    """Return the id of the experiment that the options name; None, which means all, if they name none."""
    if experiment_id is None and experiment_name is None:
        return None
    return [the_experiment(experiment_id, experiment_name).experiment_id]


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
