"""Imports: every run of a source becomes a run here, with the same id wherever that is one of ours.

An import can be repeated: what is there is not stored again, and what the source has got since is added. Points are
compared with those that the run has here, whoever logged them; the ids of a run and of its writers are worked out from
the source and never change.
"""

import hashlib
import json
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from stepwell import settings
from stepwell.errors import StepwellException
from stepwell.files.calls import ArtifactCalls
from stepwell.files.uploads import Uploader
from stepwell.reading.reads import Reads
from stepwell.transfer.bulk import BulkWriter, entries
from stepwell.transfer.known_points import known_points
from stepwell.transfer.sources import ArtifactsOutOfReachError, ImportedExperiment, ImportedRun, Source
from stepwell.wire import messages
from stepwell.wire.calls import Calls
from stepwell.wire.connection import Connection, connect
from stepwell_api.v1 import runs_pb2

# The names of everything that imports make are below this one.
NAMESPACE = uuid.UUID("6f0f5a52-52b5-5f0e-9d3c-0f6a3a0d7a11")
# Reasons that are kept; one is usually that of all.
REASONS_MAX = 20


@dataclass(slots=True)
class ImportReport:
    """What an import did; `points` and `artifacts` (files) were new, `rejected` were not taken, and why."""

    runs: int = 0
    points: int = 0
    artifacts: int = 0
    rejected: int = 0
    reasons: list[str] = field(default_factory=list)

    def refuse(self, reasons: Iterable[str], count: int) -> None:
        """Take note of what was not taken."""
        self.rejected += count
        self.reasons += list(reasons)[: REASONS_MAX - len(self.reasons)]


def import_runs(
    source: Source,
    *,
    tracking_uri: str | None = None,
    progress: Callable[[ImportReport], None] = lambda _: None,
) -> ImportReport:
    """Bring all runs of a source to the server.

    Args:
        source: where the runs are; see `stepwell.transfer.mlflow_stores`, `tensorboard` and `parquet`.
        tracking_uri: another server than that of set_tracking_uri.
        progress: is told now and then how far it is.

    Raises:
        StepwellException: the server cannot be reached or refuses; the import can be repeated.
    """
    uri = tracking_uri or settings.tracking_uri()
    connection, calls = connect(uri), Calls(uri)
    report = ImportReport()
    experiments = {one.name: _experiment(calls, one) for one in source.experiments()}
    for run in source.runs():
        _import_run(connection, run, experiments[run.experiment], report, progress)
        _import_artifacts(uri, run, report)
        report.runs += 1
        progress(report)
    return report


def run_id_of(source_id: str) -> str:
    """Return the id that a run of a source has here: its own, when that is 32 hexadecimal digits."""
    try:
        return uuid.UUID(hex=source_id).hex
    except ValueError:
        return uuid.uuid5(NAMESPACE, f"run {source_id}").hex


def _import_run(
    connection: Connection,
    run: ImportedRun,
    experiment_id: int,
    report: ImportReport,
    progress: Callable[[ImportReport], None],
) -> None:
    spec = messages.run_spec(
        run_id=run_id_of(run.source_id),
        experiment_id=experiment_id,
        name=run.name,
        start_time_ms=run.start_time_ms,
        user=run.user,
        tags={},
    )
    with BulkWriter(connection, spec, _writer_id(spec, "points")) as writer:
        # Not before: what another import stores from now on moves the writer, and this one ends with an error.
        known = known_points(Reads(connection), spec.run_id)
        for points in run.points():
            report.points += writer.write_points(known.without(points))
            progress(report)
    _note(report, writer)
    # What is beside the points may change in the source: another content is another writer, and a repeat is none.
    rest = entries(run.params.items(), run.tags.items(), messages.to_status(run.status), run.end_time_ms)
    content = hashlib.sha256(json.dumps([entry.SerializeToString().hex() for entry in rest]).encode())
    with BulkWriter(connection, spec, _writer_id(spec, content.hexdigest())) as writer:
        if not writer.position:
            writer.write_entries(rest)
    _note(report, writer)


def _writer_id(spec: runs_pb2.RunSpec, what: str) -> str:
    return uuid.uuid5(NAMESPACE, f"writer {spec.run_id} {what}").hex


def _note(report: ImportReport, writer: BulkWriter) -> None:
    report.refuse(
        # Without a key it is not about one metric, param or tag.
        (f"{it.key}: {it.reason}" if it.key else it.reason for it in writer.rejected),
        sum(rejected.count for rejected in writer.rejected),
    )


def _import_artifacts(uri: str, run: ImportedRun, report: ImportReport) -> None:
    """Send the artifacts; what is here with the same bytes does not travel again."""
    run_id = run_id_of(run.source_id)
    artifacts = ArtifactCalls(uri).list(run_id, "", recursive=True)
    known = {artifact.path: artifact.size_bytes for artifact in artifacts}
    uploader = Uploader(uri, run_id)
    try:
        for files in run.artifacts(known):
            uploader.upload(files, "Importing artifacts")
            report.artifacts += sum(file.path not in known for file in files)
    except ArtifactsOutOfReachError as failure:
        report.refuse([f"run {run_id}: {failure}"], 1)


def _experiment(calls: Calls, imported: ImportedExperiment) -> int:
    """Return the id of an experiment, which is made if there is none of this name, and give it its tags."""
    try:
        found = calls.get_experiment_by_name(imported.name)
    except StepwellException as failure:
        if failure.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return int(calls.create_experiment(imported.name, "", imported.tags).experiment_id)
    if found.lifecycle_stage != "active":
        raise StepwellException(
            f"The experiment {imported.name!r} is deleted here; restore it, or rename it, and import again.",
            "INVALID_STATE",
        )
    if imported.tags.items() - found.tags.items():
        calls.update_experiment(int(found.experiment_id), tags=imported.tags)
    return int(found.experiment_id)
