"""Export to Parquet: a folder with experiments, runs, params, tags, a list of artifacts, and points in long form.

| file | columns |
|---|---|
| experiments.parquet | experiment_id, name, tags (as JSON) |
| runs.parquet | run_id, experiment_id, experiment, name, status, start_time, end_time, user, artifact_uri |
| params.parquet, tags.parquet | run_id, key, value |
| inputs.parquet | run_id, name, digest, source_type, source, schema, profile, tags (as JSON) |
| artifacts.parquet | run_id, path, size, sha256, logged_time |
| points/part-00000.parquet, ... | run_id, key, step, timestamp, value |
| histograms.parquet | run_id, key, step, timestamp, edges, counts, not_finite |
| alerts.parquet | run_id, title, text, level, timestamp |
| models.parquet | what `models.exported` says: a row for each logged model that the runs made |
| models/<model_id>/<path> | the files of these, when artifacts are asked for |
| registered_models.parquet, model_versions.parquet, registry_changes.parquet | what `models.registry_files` says |
| artifacts/<run_id>/<path> | the artifacts themselves, when they are asked for |

Times are milliseconds since the epoch. A file that is not finished is named .partial; runs.parquet comes last.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stepwell import extras, settings
from stepwell.entities import DatasetInput, Run
from stepwell.errors import StepwellException, invalid
from stepwell.files.calls import ArtifactCalls
from stepwell.files.downloads import Downloader
from stepwell.reading.reads import Reads
from stepwell.reading.series import delivered
from stepwell.transfer.exported_observations import ObservationFiles
from stepwell.transfer.imported_experiments import reason_of
from stepwell.transfer.left import Left
from stepwell.transfer.models import exported, registry_files
from stepwell.transfer.point_files import PARTIAL, PointFiles
from stepwell.wire.calls import Calls
from stepwell.wire.connection import connect
from stepwell_api.v1 import artifacts_pb2, series_pb2

# Series of one request for histories.
SERIES_AT_ONCE = 1_000
# Of one run's data sets a search brings at least so many bytes whole.
SEARCHED_INPUT_BYTES = 1 << 20


@dataclass(slots=True)
class ExportReport:
    """How far an export is, and what it left; `artifacts` are files."""

    runs: int = 0
    models: int = 0
    model_versions: int = 0
    series: int = 0
    points: int = 0
    artifacts: int = 0
    data_sets: int = 0
    histograms: int = 0
    alerts: int = 0
    left: Left = field(default_factory=Left)


def export_runs(
    runs: Iterable[str | Run],
    folder: Path,
    *,
    with_artifacts: bool = False,
    whole_registry: bool = False,
    tracking_uri: str | None = None,
    progress: Callable[[ExportReport], None] = lambda _: None,
) -> ExportReport:
    """Write runs and all that they logged to Parquet files in a new folder.

    What is wrong with one run, metric or artifact does not keep the others back: it goes to `ExportReport.left`.

    Args:
        runs: ids, or runs as searches and `get_run` give them, with all params, tags and metrics.
        folder: new, or empty.
        with_artifacts: also fetch the artifacts, and not only list them.
        whole_registry: all registered models, and not only those with a version of one of the runs.
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
    found = [calls.get_run(*delivered(uri, run)) if isinstance(run, str) else run for run in runs]
    (folder / "points").mkdir(parents=True, exist_ok=True)
    export = _Export(uri, folder, ExportReport(runs=len(found)), progress)
    export.write_artifacts(found, with_artifacts=with_artifacts)
    export.write_models(found, with_artifacts=with_artifacts)
    export.write_registry(None if whole_registry else [run.info.run_id for run in found])
    observations = ObservationFiles(uri, folder, export.report.left)
    observations.write([run.info.run_id for run in found])
    export.report.histograms, export.report.alerts = observations.histograms, observations.alerts
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
        self._write_inputs(runs)
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

    def _write_inputs(self, runs: Sequence[Run]) -> None:
        fields = ("name", "digest", "source_type", "source", "schema", "profile")
        rows = [
            (run.info.run_id, *(getattr(it.dataset, name) for name in fields), json.dumps(_labels(it)))
            for run in runs
            for it in self._inputs(run)
        ]
        self.report.data_sets = len(rows)
        self._write("inputs", dict.fromkeys(("run_id", *fields, "tags"), str), rows)

    def _inputs(self, run: Run) -> Sequence[DatasetInput]:
        """Return the data sets of a run; where a search may have had to leave something of them out, asked for anew."""
        found = run.inputs.dataset_inputs
        if sum(len(f"{it.dataset}".encode()) for it in found) < SEARCHED_INPUT_BYTES:
            return found
        try:
            return Calls(self._uri).get_run(run.info.run_id).inputs.dataset_inputs
        except StepwellException as failure:
            self.report.left.add(f"data sets of run {run.info.run_id} may lack details: {reason_of(failure)}")
            return found

    def write_artifacts(self, runs: Sequence[Run], *, with_artifacts: bool) -> None:
        """List the artifacts of all runs, and fetch them if they are wanted."""
        rows = []
        for run_id in (run.info.run_id for run in runs):
            listed = self._artifacts(run_id)
            if with_artifacts and listed:
                self._fetch(run_id, listed)
            rows += [(run_id, it.path, it.size_bytes, it.sha256.hex(), it.logged_time_ms) for it in listed]
            self.report.artifacts += len(listed)
            self._progress(self.report)
        columns = {"run_id": str, "path": str, "size": int, "sha256": str, "logged_time": int}
        self._write("artifacts", columns, rows)

    def _artifacts(self, run_id: str) -> Sequence[artifacts_pb2.Artifact]:
        try:
            return list(ArtifactCalls(self._uri).list(run_id, "", recursive=True))
        except StepwellException as failure:
            self.report.left.add(f"the artifacts of run {run_id}: {reason_of(failure)}")
            return ()

    def _fetch(self, run_id: str, listed: Sequence[artifacts_pb2.Artifact]) -> None:
        """Fetch the artifacts of a run; when one of them cannot be had, each by itself."""
        folder = self._folder / "artifacts" / run_id
        with Downloader(self._uri, run_id) as downloader:
            if self._fetched(downloader, "", folder) is None:
                return
            for it in listed:
                place = folder / it.path
                if place.is_file() and place.stat().st_size == it.size_bytes:
                    continue
                reason = self._fetched(downloader, it.path, folder)
                if reason is not None:
                    self.report.left.add(f"run {run_id}, artifact {it.path!r}: {reason}")

    def _fetched(self, downloader: Downloader, path: str, folder: Path) -> str | None:
        """Fetch artifacts; returns why that failed, if it did. Raises StepwellException when the server is away."""
        try:
            downloader.download(path, folder)
        except StepwellException as failure:
            ArtifactCalls(self._uri).reach()
            return failure.message
        return None

    def write_models(self, runs: Sequence[Run], *, with_artifacts: bool) -> None:
        """Write the logged models that runs made, and fetch their files if they are wanted."""
        if not any(run.outputs.model_outputs for run in runs):
            return
        calls = Calls(self._uri)
        names = {one: calls.get_experiment(int(one)).name for one in {run.info.experiment_id for run in runs}}
        folder = self._folder / "models" if with_artifacts else None
        rows = list(exported.model_rows(self._uri, runs, names, folder, self.report.left))
        self.report.models = len(rows)
        self._write("models", dict(exported.COLUMNS), rows)

    def write_registry(self, run_ids: Sequence[str] | None) -> None:
        """Write the registered models that have a version of some runs, or (None) all that there are."""
        found = registry_files.registry_rows(self._uri, run_ids, self.report.left)
        self.report.model_versions = len(found[registry_files.VERSIONS])
        if found[registry_files.MODELS]:
            for name, rows in found.items():
                self._write(name, dict(registry_files.COLUMNS[name]), rows)

    def write_points(self, names: Sequence[tuple[str, str]]) -> None:
        """Write all points of series, named by run and metric."""
        with PointFiles(self._arrow, self._folder / "points") as files:
            for start in range(0, len(names), SERIES_AT_ONCE):
                some = names[start : start + SERIES_AT_ONCE]
                self._write_series(files, some)
                self.report.series += len(some)

    def _write_series(self, files: PointFiles, names: Sequence[tuple[str, str]]) -> None:
        """Write series; when one of them cannot be read, those behind it and, in halves, those beside it are."""
        last = -1
        try:
            for piece in Reads(connect(self._uri)).history_pieces(names, series_pb2.Selection()):
                last = piece.series
                files.add(names[last], piece)
                self.report.points += len(piece.step)
                self._progress(self.report)
        except StepwellException as failure:
            reason = reason_of(failure)
            if last < 0 and len(names) > 1:
                half = len(names) // 2
                self._write_series(files, names[:half])
                self._write_series(files, names[half:])
                return
            run_id, key = names[max(last, 0)]
            self.report.left.add(f"run {run_id}, points of metric {key!r}: {reason}")
            if names[max(last, 0) + 1 :]:
                self._write_series(files, names[max(last, 0) + 1 :])

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


def _labels(it: DatasetInput) -> dict[str, str]:
    return {tag.key: tag.value for tag in it.tags}
