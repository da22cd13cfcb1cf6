"""`stepwell export`."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stepwell import settings
from stepwell.client import StepwellClient
from stepwell.commands import finding
from stepwell.commands.groups import TRACKING_URI_HELP
from stepwell.commands.left_out import as_fields, end_progress, show_progress, tell_and_exit
from stepwell.commands.output import as_json, print_json, reporting

if TYPE_CHECKING:
    from stepwell.entities import Run


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--run-id", "run_ids", multiple=True, help="A run; may be given several times.")
@click.option(
    "--experiment-id",
    "-x",
    "experiment_ids",
    multiple=True,
    help="All runs of an experiment; may be repeated.",
)
@click.option(
    "--experiment-name", "-n", "experiment_names", multiple=True, help="The same by name; may be repeated."
)
@click.option("--all-experiments", is_flag=True, help="The runs of all experiments.")
@finding.filter_string
@finding.view
@click.option("--with-artifacts", is_flag=True, help="Also fetch the artifacts, and not only list them.")
@click.option("--tracking-uri", metavar="URI", help=TRACKING_URI_HELP)
@as_json
@reporting
def export(
    folder: Path,
    run_ids: Sequence[str],
    experiment_ids: Sequence[str],
    experiment_names: Sequence[str],
    all_experiments: bool,
    filter_string: str,
    view: str,
    with_artifacts: bool,
    tracking_uri: str | None,
    as_json: bool,
) -> None:
    """Write runs with params, tags, all points and a list of artifacts to Parquet files in a new FOLDER.

    Which runs: named ones, or those of experiments that a filter finds. Registered models with a version of one of them
    come along, with --all-experiments all of them.
    """
    from stepwell.transfer.exporting import ExportReport, export_runs

    settings.local_folder(folder, "FOLDER")
    client = StepwellClient(tracking_uri)
    by_search = bool(experiment_ids or experiment_names or all_experiments)
    if bool(run_ids) == by_search:
        raise click.UsageError(
            "Give --run-id, or one of --experiment-id, --experiment-name, --all-experiments."
        )
    if run_ids and filter_string:
        raise click.UsageError(
            "--filter chooses among the runs of experiments, and not among those of --run-id."
        )
    if all_experiments and (experiment_ids or experiment_names):
        raise click.UsageError("--all-experiments leaves nothing to choose; leave the other experiments out.")

    def show(report: ExportReport) -> None:
        show_progress(f"{report.runs:,} runs, {report.points:,} points of {report.series:,} series")

    runs: Iterator[Run] | Sequence[str] = run_ids
    if by_search:
        named = [finding.the_experiment(None, name, client).experiment_id for name in experiment_names]
        where = None if all_experiments else [*experiment_ids, *named]
        runs = finding.runs_of(where, filter_string, view, (), None, client)
    report = export_runs(
        runs,
        folder,
        with_artifacts=with_artifacts,
        whole_registry=all_experiments and not filter_string,
        tracking_uri=client.tracking_uri,
        progress=show,
    )
    end_progress()
    if as_json:
        print_json({**as_fields(report, report.left), "folder": str(folder)})
    else:
        click.echo(
            f"{report.runs} runs, {report.series} series, {report.points} points, {report.artifacts} artifacts"
            f"{'' if with_artifacts else ' (listed)'}, {report.data_sets} data sets"
            f"{_counted(report.histograms, 'histograms')}{_counted(report.alerts, 'alerts')}"
            f"{_counted(report.models, 'models')}{_counted(report.model_versions, 'registered versions')} in {folder};"
            f" {report.left.count} left out"
        )
    tell_and_exit(report.left, as_json)


def _counted(number: int, what: str) -> str:
    return f", {number} {what}" if number else ""
