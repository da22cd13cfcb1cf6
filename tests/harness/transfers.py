"""Imports and exports as their users start them, and what came of them."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from click.testing import CliRunner

import stepwell
from stepwell import StepwellClient
from stepwell.commands.export import export
from stepwell.commands.imports import imports
from stepwell.entities import Run
from stepwell.transfer.sources import Source, SourceError

Points = list[tuple[int, int, float]]


def run_import(*arguments: str, left: bool = False) -> str:
    """Import, and return what is printed; `left` expects that something is left out."""
    result = CliRunner().invoke(imports, arguments, catch_exceptions=False)
    assert result.exit_code == left, result.output
    return result.output


def imported(*arguments: str) -> dict[str, Any]:
    """Import, and return what --json prints."""
    result = CliRunner().invoke(imports, [*arguments, "--json"], catch_exceptions=False)
    found: dict[str, Any] = json.loads(result.stdout)
    assert result.exit_code == bool(found["rejected"]), result.output
    return found


def run_export(*arguments: str, left: bool = False) -> str:
    """Export, and return what is printed."""
    result = CliRunner().invoke(export, arguments, catch_exceptions=False)
    assert result.exit_code == left, result.output
    return result.output


def artifacts_of(client: StepwellClient, run_id: str, folder: Path) -> dict[str, str]:
    """All artifacts of a run: their content by path."""
    client.download_artifacts(run_id, "", str(folder / run_id))
    files = [path for path in (folder / run_id).rglob("*") if path.is_file()]
    return {path.relative_to(folder / run_id).as_posix(): path.read_text() for path in files}


def points_of(run_id: str, key: str) -> Points:
    """All points of a metric: step, time, value."""
    (series,) = stepwell.get_metric_series(run_id, key)
    return list(zip(series.steps.tolist(), series.timestamps.tolist(), series.values.tolist(), strict=True))


def same(found: Points, expected: Points) -> bool:
    """Tell whether points are equal, NaN included."""
    return [repr(point) for point in found] == [
        repr(point) for point in sorted(expected, key=lambda p: p[:2])
    ]


def runs_of(experiment: str) -> dict[str, Run]:
    """All runs of an experiment, by name."""
    found = stepwell.search_runs(experiment_names=[experiment], output_format="list")
    return {run.info.run_name: run for run in found}


def read_all(source: Source) -> int:
    """Read all that a source has, as an import does; returns how many runs there were."""
    runs = 0
    list(source.experiments())
    for runs, run in enumerate(source.runs(), 1):  # noqa: B007
        for read in (run.points, lambda run=run: run.artifacts({})):  # type: ignore[misc]
            with suppress(SourceError):
                list(read())
    for model in source.models():
        with suppress(SourceError):
            list(model.artifacts({}))
    list(source.not_taken())
    return runs
