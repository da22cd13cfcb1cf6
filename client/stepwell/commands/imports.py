"""`stepwell import`."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stepwell.commands.groups import TRACKING_URI_HELP, Listed
from stepwell.commands.left_out import as_fields, end_progress, show_progress, tell_and_exit
from stepwell.commands.output import as_json, print_json, reporting

if TYPE_CHECKING:
    from stepwell.transfer.sources import Source

_uri = click.option("--tracking-uri", metavar="URI", help=TRACKING_URI_HELP)
_outside = click.option(
    "--allow-outside",
    "outside",
    metavar="PATH",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="What else may be read: where artifacts or links lead outside of what is imported; may be repeated.",
)


def _folder_or_address(context: click.Context, option: click.Parameter, given: str | None) -> str | None:
    if given is not None and "://" not in given and not Path(given).is_dir():
        raise click.BadParameter(f"there is no folder {given!r}")
    return given


@click.group("import", cls=Listed)
def imports() -> None:
    """Bring runs here: from an export, from MLflow, from TensorBoard. Can be repeated: nothing is stored twice.

    The last lines say what came, and what did not and why; the exit code is 1 when something was left.
    """


@imports.command("export")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@_outside
@_uri
@as_json
@reporting
def from_export(folder: Path, outside: Sequence[Path], tracking_uri: str | None, as_json: bool) -> None:
    """Import what `stepwell export` wrote to FOLDER."""
    from stepwell.transfer.parquet import ParquetFolder

    _import(lambda: ParquetFolder(folder, outside), tracking_uri, as_json)


@imports.command("mlflow")
@click.argument("location")
@click.option(
    "--artifacts",
    metavar="FOLDER|URL",
    callback=_folder_or_address,
    help="What is behind mlflow-artifacts:/, when LOCATION is the database or folder of a server: a folder, or a "
    "server that serves it (https://host:port).",
)
@_outside
@_uri
@as_json
@reporting
def from_mlflow(
    location: str, artifacts: str | None, outside: Sequence[Path], tracking_uri: str | None, as_json: bool
) -> None:
    """Import from MLflow: LOCATION is a server (http://...), a database (sqlite:///mlflow.db) or an mlruns folder."""
    from stepwell.transfer.mlflow.source import mlflow_source

    _import(lambda: mlflow_source(location, artifacts, outside), tracking_uri, as_json)


@imports.command("tensorboard")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--experiment", default="tensorboard", show_default=True, help="The experiment for the runs.")
@_uri
@as_json
@reporting
def from_tensorboard(folder: Path, experiment: str, tracking_uri: str | None, as_json: bool) -> None:
    """Import scalars and hyperparameters of TensorBoard's event files below FOLDER; each folder of them is a run."""
    from stepwell.transfer.tensorboard import TensorBoardFolder

    _import(lambda: TensorBoardFolder(folder, experiment), tracking_uri, as_json)


def _import(open_source: "Callable[[], Source]", tracking_uri: str | None, as_json: bool) -> None:
    from stepwell.transfer.importing import ImportReport, import_runs

    source = open_source()
    report = ImportReport()

    def show(now: ImportReport) -> None:
        nonlocal report
        report = now
        show_progress(f"{report.runs:,} runs, {report.points:,} points")

    try:
        import_runs(source, tracking_uri=tracking_uri, progress=show)
    finally:  # also of an import that the server's end broke off
        end_progress()
        if as_json:
            print_json(as_fields(report, report.left))
        else:
            more = f", {report.models} models" if report.models else ""
            more += f", {report.model_versions} new registered versions" if report.model_versions else ""
            more += f", {report.histograms} new histograms" if report.histograms else ""
            more += f", {report.alerts} new alerts" if report.alerts else ""
            click.echo(
                f"{report.runs} runs, {report.points} new points, {report.artifacts} new artifacts,"
                f" {report.data_sets} new data sets{more}; {report.left.count} left out"
            )
    tell_and_exit(report.left, as_json)
