"""`stepwell experiments`: create, find, change and export experiments."""

import csv
import json
from collections.abc import Sequence
from typing import Any, TextIO

import click

from stepwell import experiments as fluent
from stepwell.client import StepwellClient
from stepwell.commands import finding, output
from stepwell.commands.groups import Commands
from stepwell.commands.output import as_json, reporting
from stepwell.entities import Experiment, Run

_id = click.option("--experiment-id", "-x", required=True, help="The experiment's id.")


@click.group(cls=Commands)
def experiments() -> None:
    """Create, find, change and export experiments."""


@experiments.command()
@click.option("--experiment-name", "-n", required=True, help="A name that no active experiment has.")
@click.option("--artifact-location", "-l", help="Where artifacts go; the server's default if not given.")
@as_json
@reporting
def create(experiment_name: str, artifact_location: str | None, as_json: bool) -> None:
    """Create an experiment and print its id."""
    experiment_id = StepwellClient().create_experiment(experiment_name, artifact_location)
    if as_json:
        output.print_json({"experiment_id": experiment_id, "name": experiment_name})
    else:
        click.echo(f"Created experiment {experiment_name!r} with id {experiment_id}")


@experiments.command("list")
@finding.view
@finding.filter_string
@finding.order_by
@finding.limit
@as_json
@reporting
def list_(view: str, filter_string: str, order_by: Sequence[str], limit: int | None, as_json: bool) -> None:
    """List experiments, newest first."""
    found = fluent.search_experiments(finding.VIEWS[view], limit, filter_string, list(order_by))
    _print(found, as_json)


experiments.add_command(list_, "search")  # MLflow's name for it


@experiments.command()
@finding.of_experiment
@as_json
@reporting
def get(experiment_id: str | None, experiment_name: str | None, as_json: bool) -> None:
    """Show one experiment."""
    experiment = finding.the_experiment(experiment_id, experiment_name)
    if as_json:
        output.print_json(experiment.to_dictionary())
        return
    tags = [(f"tags.{key}", value) for key, value in experiment.tags.items()]
    output.print_rows(("field", "value"), [*_fields(experiment).items(), *tags], json_too=False)


@experiments.command()
@_id
@click.option("--new-name", required=True, help="A name that no active experiment has.")
@as_json
@reporting
def rename(experiment_id: str, new_name: str, as_json: bool) -> None:
    """Rename an experiment."""
    StepwellClient().rename_experiment(experiment_id, new_name)
    _done(as_json, f"Experiment {experiment_id} is called {new_name!r}", experiment_id)


@experiments.command()
@_id
@as_json
@reporting
def delete(experiment_id: str, as_json: bool) -> None:
    """Delete an experiment with its runs; it can be restored."""
    StepwellClient().delete_experiment(experiment_id)
    restore_it = f"stepwell experiments restore --experiment-id {experiment_id}"
    _done(as_json, f"Experiment {experiment_id} is deleted; '{restore_it}' brings it back.", experiment_id)


@experiments.command()
@_id
@as_json
@reporting
def restore(experiment_id: str, as_json: bool) -> None:
    """Restore an experiment with the runs that were deleted with it."""
    StepwellClient().restore_experiment(experiment_id)
    _done(as_json, f"Experiment {experiment_id} is restored", experiment_id)


@experiments.command()
@finding.of_experiment
@finding.filter_string
@finding.view
@click.option(
    "--filename",
    "-o",
    type=click.File("w", encoding="utf-8"),
    default="-",
    help="Where to; standard output if not given.",
)
@click.option("--json", "as_json", is_flag=True, help="Write a JSON object a run instead of CSV.")
@reporting
def export(
    experiment_id: str | None,
    experiment_name: str | None,
    filter_string: str,
    view: str,
    filename: TextIO,
    as_json: bool,
) -> None:
    """Write the runs of an experiment as CSV, with the columns of search_runs, or as lines of JSON."""
    experiment = finding.the_experiment(experiment_id, experiment_name)
    runs = finding.runs_of([experiment.experiment_id], filter_string, view, ["start_time"], None)
    if as_json:
        filename.writelines(json.dumps(output.plain_run(run), ensure_ascii=False) + "\n" for run in runs)
    else:
        _write_csv(filename, list(runs))


experiments.add_command(export, "csv")  # MLflow's name for it


def _write_csv(file: TextIO, runs: list[Run]) -> None:
    rows = [_flat(run) for run in runs]
    named = sorted({name for row in rows for name in row if "." in name})
    columns = ["run_id", "experiment_id", "run_name", "status", "start_time", "end_time", "user_id", *named]
    writer = csv.DictWriter(file, columns)
    writer.writeheader()
    writer.writerows(rows)


def _flat(run: Run) -> dict[str, Any]:
    info, data = run.info, run.data
    return {
        "run_id": info.run_id,
        "experiment_id": info.experiment_id,
        "run_name": info.run_name,
        "status": info.status,
        "start_time": output.time_of(info.start_time),
        "end_time": output.time_of(info.end_time),
        "user_id": info.user_id,
        **{f"metrics.{key}": value for key, value in data.metrics.items()},
        **{f"params.{key}": value for key, value in data.params.items()},
        **{f"tags.{key}": value for key, value in data.tags.items()},
    }


def _print(found: Sequence[Experiment], json_too: bool) -> None:
    if json_too:
        output.print_json([experiment.to_dictionary() for experiment in found])
        return
    columns = ("experiment_id", "name", "lifecycle_stage", "creation_time")
    rows = [[_fields(experiment)[name] for name in columns] for experiment in found]
    output.print_rows(columns, rows, json_too=False)


def _fields(experiment: Experiment) -> dict[str, Any]:
    return {
        "experiment_id": experiment.experiment_id,
        "name": experiment.name,
        "lifecycle_stage": experiment.lifecycle_stage,
        "artifact_location": experiment.artifact_location,
        "creation_time": output.time_of(experiment.creation_time),
        "last_update_time": output.time_of(experiment.last_update_time),
    }


def _done(json_too: bool, text: str, experiment_id: str) -> None:
    if json_too:
        output.print_json({"experiment_id": experiment_id})
    else:
        click.echo(text)
