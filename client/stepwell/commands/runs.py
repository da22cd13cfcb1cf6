"""`stepwell runs`: find, show, compare, change, follow and export runs."""

import json
import time
from collections.abc import Iterator, Sequence
from typing import Any, TextIO

import click

from stepwell.client import StepwellClient
from stepwell.commands import finding, output
from stepwell.commands.groups import Commands
from stepwell.commands.output import as_json, reporting
from stepwell.entities import PARENT_RUN_TAG, Metric, Run, RunStatus

# Metrics that are named to who asked for another one.
METRICS_NAMED_MAX = 10
TAIL_PAUSE_S = 1.0
# Differs between any two runs.
ALWAYS_DIFFERENT = frozenset({"run_id", "artifact_uri"})


@click.group(cls=Commands)
def runs() -> None:
    """Find, show, compare, change, follow and export runs."""


@runs.command("list")
@finding.of_experiment
@finding.filter_string
@finding.order_by
@finding.view
@finding.limit
@click.option(
    "--column", multiple=True, help="One more column, such as metrics.loss or params.lr; may be repeated."
)
@as_json
@reporting
def list_(
    experiment_id: str | None,
    experiment_name: str | None,
    filter_string: str,
    order_by: Sequence[str],
    view: str,
    limit: int | None,
    column: Sequence[str],
    as_json: bool,
) -> None:
    """List runs, latest start first: those of an experiment, or of all if none is named."""
    ids = finding.experiment_ids(experiment_id, experiment_name)
    order = order_by or ["start_time DESC"]
    found = list(finding.runs_of(ids, filter_string, view, order, None if limit is None else limit + 1))
    more = limit is not None and len(found) > limit
    found = found[:limit]
    if as_json:
        output.print_json([output.plain_run(run) for run in found])
    else:
        _print_table(found, column)
    if more:
        click.echo(f"There are more than these {limit}: give a larger --limit, or none.", err=True)


def _print_table(found: Sequence[Run], columns: Sequence[str]) -> None:
    rows = [_fields(run) for run in found]
    for name in columns:
        if rows and not any(name in row for row in rows):
            raise click.ClickException(
                f"None of the runs has {name!r}. Columns are params.KEY, metrics.KEY, tags.KEY or fields of a run "
                "(user_id, end_time, ...)."
            )
    ids = output.short_ids([run.info.run_id for run in found])
    names = ("run_name", "status", "start_time", *columns)
    output.print_rows(
        ("run_id", *names),
        [(short, *(row.get(name) for name in names)) for short, row in zip(ids, rows, strict=True)],
        json_too=False,
    )


@runs.command()
@finding.run_id
@as_json
@reporting
def show(run_id: str, as_json: bool) -> None:
    """Show a run: params, tags, latest metrics, data sets, artifacts, child runs, and what was refused."""
    client = StepwellClient()
    run = client.get_run(run_id)
    artifacts = client.list_artifacts(run_id)
    refusals = client.get_refusals(run_id)
    children = list(
        finding.runs_of(
            [run.info.experiment_id], f"tags.`{PARENT_RUN_TAG}` = '{run_id}'", "all", ["start_time"], None
        )
    )
    if as_json:
        output.print_json(
            {
                **output.plain_run(run),
                "datasets": [given.to_dictionary() for given in run.inputs.dataset_inputs],
                "artifacts": [info.to_dictionary() for info in artifacts],
                "children": [child.info.run_id for child in children],
                "refusals": [refusal.to_dictionary() for refusal in refusals],
            }
        )
        return
    fields = list(_fields(run).items())
    fields += [(f"dataset {it.dataset.name}", it.dataset.digest) for it in run.inputs.dataset_inputs]
    fields += [(f"artifact {it.path}{'/' if it.is_dir else ''}", it.file_size) for it in artifacts]
    fields += [(f"child {child.info.run_name}", child.info.run_id) for child in children]
    fields += [
        (
            "lost" if it.is_loss else f"refused {it.key}".strip(),
            f"{it.count} {'points or entries' if it.is_loss else 'times'}, last {output.time_of(it.last_time)}: "
            f"{it.reason}",
        )
        for it in refusals
    ]
    output.print_rows(("field", "value"), fields, json_too=False)


runs.add_command(show, "describe")  # MLflow's name for it


@runs.command()
@click.argument("run_ids", nargs=-1, required=True)
@click.option("--all", "everything", is_flag=True, help="Also show what is equal.")
@as_json
@reporting
def diff(run_ids: Sequence[str], everything: bool, as_json: bool) -> None:
    """Compare two or more runs: what differs in params, tags, latest metrics and the runs themselves.

    Ids and places of artifacts, which always differ, are shown with --all.
    """
    if len(run_ids) < 2:
        raise click.UsageError("Give the ids of at least two runs.")
    client = StepwellClient()
    run_ids = [finding.whole_run_id(run_id, client) for run_id in run_ids]
    fields = [_fields(client.get_run(run_id)) for run_id in run_ids]
    names = list(dict.fromkeys(name for one in fields for name in one))
    rows = [(name, [one.get(name) for one in fields]) for name in names]
    different = [(name, *values) for name, values in rows if everything or _is_news(name, values)]
    if as_json:
        output.print_json({name: dict(zip(run_ids, values, strict=True)) for name, *values in different})
    else:
        output.print_rows(("field", *output.short_ids(run_ids)), different, json_too=False)


@runs.command()
@finding.run_id
@as_json
@reporting
def delete(run_id: str, as_json: bool) -> None:
    """Delete a run; it can be restored."""
    StepwellClient().delete_run(run_id)
    _done(as_json, f"Run {run_id} is deleted", run_id)


@runs.command()
@finding.run_id
@as_json
@reporting
def restore(run_id: str, as_json: bool) -> None:
    """Restore a run."""
    StepwellClient().restore_run(run_id)
    _done(as_json, f"Run {run_id} is restored", run_id)


@runs.command()
@finding.run_id
@click.option("--metric", multiple=True, help="Only this metric; may be repeated.")
@click.option("--interval", default=TAIL_PAUSE_S, show_default=True, help="Seconds between two looks.")
@as_json
@reporting
def tail(run_id: str, metric: Sequence[str], interval: float, as_json: bool) -> None:
    """Follow the latest points of a run until it ends, or Ctrl-C."""
    for point in _latest_points(run_id, frozenset(metric), interval):
        if as_json:
            output.print_json(point.to_dictionary())
        else:
            when = output.time_of(point.timestamp)
            click.echo(f"{when}  step {point.step}  {point.key} {output.shown(point.value)}")


@runs.command()
@click.argument("more_ids", metavar="[RUN_IDS]...", nargs=-1)
@click.option("--run-id", "-r", "run_ids", multiple=True, help="A run's id, as with MLflow; may be repeated.")
@click.option(
    "--filename",
    "-o",
    type=click.File("w", encoding="utf-8"),
    default="-",
    help="Where to; standard output if not given.",
)
@click.option("--json", "as_json", is_flag=True, help="The same: it is always JSON.")
@reporting
def export(more_ids: Sequence[str], run_ids: Sequence[str], filename: TextIO, as_json: bool) -> None:
    """Write runs with their whole histories, a JSON object a line."""
    if not (more_ids or run_ids):
        raise click.UsageError("Give the ids of runs.")
    client = StepwellClient()
    for run_id in (finding.whole_run_id(given, client) for given in (*more_ids, *run_ids)):
        run = client.get_run(run_id)
        histories = {
            key: [
                [point.step, point.timestamp, point.value] for point in client.get_metric_history(run_id, key)
            ]
            for key in run.data.metrics
        }
        filename.write(
            json.dumps({**output.plain_run(run), "histories": histories}, ensure_ascii=False) + "\n"
        )


def _latest_points(run_id: str, only: frozenset[str], pause_s: float) -> Iterator[Metric]:
    """Yield latest points as they change, until the run has ended."""
    client = StepwellClient()
    known: dict[str, tuple[int, int, str]] = {}
    while True:
        run = client.get_run(run_id)
        for key, point in run.data.latest_points.items():
            now = (point.step, point.timestamp, repr(point.value))
            if (not only or key in only) and known.get(key) != now:
                known[key] = now
                yield point
        if RunStatus.is_terminated(run.info.status):
            break
        time.sleep(pause_s)
    if missing := sorted(only - known.keys()):
        has = ", ".join(sorted(run.data.metrics)[:METRICS_NAMED_MAX]) or "none"
        raise click.ClickException(f"Run {run_id} has no metric {missing[0]!r}; it has: {has}.")


def _is_news(name: str, values: Sequence[Any]) -> bool:
    return name not in ALWAYS_DIFFERENT and any(repr(value) != repr(values[0]) for value in values)


def _fields(run: Run) -> dict[str, Any]:
    """Everything of a run by the names that searches use."""
    info, data = run.info, run.data
    return {
        "run_id": info.run_id,
        "run_name": info.run_name,
        "experiment_id": info.experiment_id,
        "status": info.status,
        "lifecycle_stage": info.lifecycle_stage,
        "start_time": output.time_of(info.start_time),
        "end_time": output.time_of(info.end_time),
        "user_id": info.user_id,
        "artifact_uri": info.artifact_uri,
        **{f"params.{key}": value for key, value in data.params.items()},
        **{f"metrics.{key}": value for key, value in data.metrics.items()},
        **{f"tags.{key}": value for key, value in data.tags.items()},
    }


def _done(json_too: bool, text: str, run_id: str) -> None:
    if json_too:
        output.print_json({"run_id": run_id})
    else:
        click.echo(text)
