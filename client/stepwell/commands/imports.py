"""`stepwell import`."""

import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stepwell.commands.output import as_json, print_json, reporting

if TYPE_CHECKING:
    from stepwell.transfer.importing import ImportReport
    from stepwell.transfer.sources import Source

_uri = click.option(
    "--tracking-uri", envvar="STEPWELL_TRACKING_URI", help="The server, for example http://host:5000."
)


@click.group("import")
def imports() -> None:
    """Bring runs here: from an export, from MLflow, from TensorBoard. Can be repeated: nothing is stored twice."""


@imports.command("export")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@_uri
@as_json
@reporting
def from_export(folder: Path, tracking_uri: str | None, as_json: bool) -> None:
    """Import what `stepwell export` wrote to FOLDER."""
    from stepwell.transfer.parquet import ParquetFolder

    _import(lambda: ParquetFolder(folder), tracking_uri, as_json)


@imports.command("mlflow")
@click.argument("location")
@click.option(
    "--artifacts",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The folder behind mlflow-artifacts:/, when LOCATION is the database or folder of a server.",
)
@_uri
@as_json
@reporting
def from_mlflow(location: str, artifacts: Path | None, tracking_uri: str | None, as_json: bool) -> None:
    """Import from MLflow: LOCATION is a server (http://...), a database (sqlite:///mlflow.db) or an mlruns folder."""
    from stepwell.transfer.mlflow_stores import mlflow_source

    _import(lambda: mlflow_source(location, artifacts), tracking_uri, as_json)


@imports.command("tensorboard")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--experiment", default="tensorboard", show_default=True, help="The experiment for the runs.")
@_uri
@as_json
@reporting
def from_tensorboard(folder: Path, experiment: str, tracking_uri: str | None, as_json: bool) -> None:
    """Import the scalars of TensorBoard's event files below FOLDER; each folder with event files is a run."""
    from stepwell.transfer.tensorboard import TensorBoardFolder

    _import(lambda: TensorBoardFolder(folder, experiment), tracking_uri, as_json)


def _import(open_source: "Callable[[], Source]", tracking_uri: str | None, as_json: bool) -> None:
    from stepwell.transfer.importing import import_runs

    def show(report: "ImportReport") -> None:
        if sys.stderr.isatty():
            click.echo(f"\r{report.runs:,} runs, {report.points:,} points", nl=False, err=True)

    report = import_runs(open_source(), tracking_uri=tracking_uri, progress=show)
    if as_json:
        print_json(asdict(report))
        return
    click.echo(
        f"{report.runs} runs, {report.points} new points, {report.artifacts} new artifacts,"
        f" {report.rejected} entries refused"
    )
    for reason in report.reasons:
        click.echo(f"refused: {reason}", err=True)
