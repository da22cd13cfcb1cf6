"""Export to Parquet: a folder with experiments, runs, params, tags, a list of artifacts, and points in long form.

| file | columns |
|---|---|
| experiments.parquet | experiment_id, name, tags (as JSON) |
| runs.parquet | run_id, experiment_id, experiment, name, status, start_time, end_time, user, artifact_uri |
| params.parquet, tags.parquet | run_id, key, value |
| artifacts.parquet | run_id, path, size, sha256, logged_time |
| points/part-00000.parquet, ... | run_id, key, step, timestamp, value |
| artifacts/<run_id>/<path> | the artifacts themselves, when they are asked for |

Times are milliseconds since the epoch. A file that is not finished is named .partial; runs.parquet comes last.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stepwell import extras, settings
from stepwell.entities import Run
from stepwell.errors import invalid
from stepwell.files.calls import ArtifactCalls
from stepwell.files.downloads import Downloader
from stepwell.reading.reads import Reads
from stepwell.transfer.point_files import PARTIAL, PointFiles
from stepwell.wire.calls import Calls
from stepwell.wire.connection import connect
from stepwell_api.v1 import series_pb2

# Series of one request for histories.
SERIES_AT_ONCE = 1_000


@dataclass(slots=True)
class ExportReport:
    """How far an export is; `artifacts` are files."""

    runs: int = 0
    series: int = 0
    points: int = 0
    artifacts: int = 0


def export_runs(
    runs: Iterable[str | Run],
    folder: Path,
    *,
    with_artifacts: bool = False,
    tracking_uri: str | None = None,
    progress: Callable[[ExportReport], None] = lambda _: None,
) -> ExportReport:
    """Write runs and all that they logged to Parquet files in a new folder.

    Args:
        runs: ids, or runs as searches and `get_run` give them, with all params, tags and metrics.
        folder: new, or empty.
        with_artifacts: also fetch the artifacts, and not only list them.
        tracking_uri: another server than that of set_tracking_uri.
        progress: is told now and then how far it is.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE when the folder is not empty; RESOURCE_DOES_NOT_EXIST when there is
            no such run; NOT_IMPLEMENTED without pyarrow.
    """
    extras.load("pyarrow", "Exporting", "export")
    if folder.exists() and any(folder.iterdir()):
        raise invalid(f"The folder {str(folder)!r} is not empty; name a new one.")
    uri = tracking_uri or settings.tracking_uri()
    calls = Calls(uri)
    found = [calls.get_run(run) if isinstance(run, str) else run for run in runs]
    (folder / "points").mkdir(parents=True, exist_ok=True)
    export = _Export(uri, folder, ExportReport(runs=len(found)), progress)
    export.write_artifacts(found, with_artifacts=with_artifacts)
    export.write_points([(run.info.run_id, key) for run in found for key in run.data.metrics])
    export.write_runs(found)  # last: without runs.parquet nobody takes it for a whole export
    return export.report


class _Export:
    """One export under way."""

    def __init__(
        self, uri: str, folder: Path, report: ExportReport, progress: Callable[[ExportReport], None]
    ) -> None:
        self._arrow = extras.load("pyarrow", "Exporting", "export")
        self._parquet = extras.load("pyarrow.parquet", "Exporting", "export")
        self._uri = uri
        self._folder = folder
        self._progress = progress
        self.report = report

    def write_runs(self, runs: Sequence[Run]) -> None:
        """Write runs, their experiments, params and tags."""
        calls = Calls(self._uri)
        ids = dict.fromkeys(run.info.experiment_id for run in runs)
        experiments = {one: calls.get_experiment(int(one)) for one in ids}
        rows: list[tuple[Any, ...]] = [
            (one.experiment_id, one.name, json.dumps(one.tags)) for one in experiments.values()
        ]
        self._write("experiments", {"experiment_id": str, "name": str, "tags": str}, rows)
        for name in ("params", "tags"):
            rows = [(run.info.run_id, *item) for run in runs for item in getattr(run.data, name).items()]
            self._write(name, {"run_id": str, "key": str, "value": str}, rows)
        infos = [run.info for run in runs]
        rows = [
            (info.run_id, info.experiment_id, experiments[info.experiment_id].name, info.run_name, info.status,
             info.start_time, info.end_time, info.user_id, info.artifact_uri)
            for info in infos
        ]  # fmt: skip
        columns = {
            "run_id": str, "experiment_id": str, "experiment": str, "name": str, "status": str, "start_time": int,
            "end_time": int, "user": str, "artifact_uri": str,
        }  # fmt: skip
        self._write("runs", columns, rows)

    def write_artifacts(self, runs: Sequence[Run], *, with_artifacts: bool) -> None:
        """List the artifacts of all runs, and fetch them if they are wanted."""
        rows = []
        calls = ArtifactCalls(self._uri)
        for run_id in (run.info.run_id for run in runs):
            for it in calls.list(run_id, "", recursive=True):
                rows.append((run_id, it.path, it.size_bytes, it.sha256.hex(), it.logged_time_ms))
                self.report.artifacts += 1
            self._progress(self.report)
        columns = {"run_id": str, "path": str, "size": int, "sha256": str, "logged_time": int}
        self._write("artifacts", columns, rows)
        if with_artifacts:
            for run_id in dict.fromkeys(row[0] for row in rows):
                with Downloader(self._uri, run_id) as downloader:
                    downloader.download("", self._folder / "artifacts" / run_id)

    def write_points(self, names: Sequence[tuple[str, str]]) -> None:
        """Write all points of series, named by run and metric."""
        with PointFiles(self._arrow, self._folder / "points") as files:
            for start in range(0, len(names), SERIES_AT_ONCE):
                some = names[start : start + SERIES_AT_ONCE]
                for piece in Reads(connect(self._uri)).history_pieces(some, series_pb2.Selection()):
                    files.add(some[piece.series], piece)
                    self.report.points += len(piece.step)
                    self._progress(self.report)
                self.report.series += len(some)

    def _write(self, name: str, columns: dict[str, type], rows: Sequence[tuple[Any, ...]]) -> None:
        kinds = {str: self._arrow.string(), int: self._arrow.int64()}
        table = self._arrow.table(
            {
                column: self._arrow.array([row[place] for row in rows], kinds[kind])
                for place, (column, kind) in enumerate(columns.items())
            }
        )
        path = self._folder / f"{name}.parquet"
        partial = path.with_name(path.name + PARTIAL)
        self._parquet.write_table(table, partial, compression="zstd")
        partial.rename(path)
