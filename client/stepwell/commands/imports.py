"""`stepwell import`."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stepwell.errors import StepwellException

if TYPE_CHECKING:
    from stepwell.transfer.importing import ImportReport
    from stepwell.transfer.sources import Source

_uri = click.option(
    "--tracking-uri", envvar="STEPWELL_TRACKING_URI", help="The server, for example grpc://host:50051."
)


@click.group("import")
def imports() -> None:
    """Bring runs here: from an export, from MLflow, from TensorBoard. Can be repeated: nothing is stored twice."""


@imports.command("export")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@_uri
def from_export(folder: Path, tracking_uri: str | None) -> None:
    """Import what `stepwell export` wrote to FOLDER."""
    from stepwell.transfer.parquet import ParquetFolder

    _import(lambda: ParquetFolder(folder), tracking_uri)


@imports.command("mlflow")
@click.argument("location")
@_uri
def from_mlflow(location: str, tracking_uri: str | None) -> None:
    """Import from MLflow: LOCATION is a server (http://...), a database (sqlite:///mlflow.db) or an mlruns folder."""
    from stepwell.transfer.mlflow_stores import mlflow_source

    _import(lambda: mlflow_source(location), tracking_uri)


@imports.command("tensorboard")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--experiment", default="tensorboard", show_default=True, help="The experiment for the runs.")
@_uri
def from_tensorboard(folder: Path, experiment: str, tracking_uri: str | None) -> None:
    """Import the scalars of TensorBoard's event files below FOLDER; each folder with event files is a run."""
    from stepwell.transfer.tensorboard import TensorBoardFolder

    _import(lambda: TensorBoardFolder(folder, experiment), tracking_uri)


def _import(open_source: "Callable[[], Source]", tracking_uri: str | None) -> None:
    from stepwell.transfer.importing import import_runs

    def show(report: "ImportReport") -> None:
        if sys.stderr.isatty():
            click.echo(f"\r{report.runs:,} runs, {report.points:,} points", nl=False, err=True)

    try:
        report = import_runs(open_source(), tracking_uri=tracking_uri, progress=show)
    except StepwellException as failure:
        raise click.ClickException(failure.message) from None
    click.echo(f"{report.runs} runs, {report.points} new points, {report.rejected} entries refused")
    for reason in report.reasons:
        click.echo(f"refused: {reason}", err=True)
