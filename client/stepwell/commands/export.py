"""`stepwell export`."""

import sys
from pathlib import Path

import click

from stepwell import settings
from stepwell.errors import StepwellException


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--run-id", "run_ids", multiple=True, required=True, help="A run; may be given several times.")
@click.option(
    "--tracking-uri", envvar="STEPWELL_TRACKING_URI", help="The server, for example grpc://host:50051."
)
def export(folder: Path, run_ids: tuple[str, ...], tracking_uri: str | None) -> None:
    """Write runs with params, tags and all points to Parquet files in a new FOLDER."""
    from stepwell.transfer.parquet import ExportReport, export_runs

    def show(report: ExportReport) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r{report.points:,} points of {report.series:,} series", nl=False, err=True)

    try:
        report = export_runs(
            run_ids, folder, tracking_uri=tracking_uri or settings.tracking_uri(), progress=show
        )
    except StepwellException as failure:
        raise click.ClickException(failure.message) from None
    click.echo(f"{report.runs} runs, {report.series} series, {report.points} points in {folder}")
