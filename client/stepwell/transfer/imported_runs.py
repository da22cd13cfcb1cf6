"""Runs of a source: each becomes a run here, piece by piece; a piece that cannot come does not keep the others back."""

import hashlib
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial

from stepwell.entities import DatasetInput, LifecycleStage, Run
from stepwell.errors import StepwellException
from stepwell.files.calls import ArtifactCalls
from stepwell.files.local import LocalFile, Problems
from stepwell.files.uploads import Uploader
from stepwell.reading.reads import Reads
from stepwell.transfer.bulk import BulkWriter, entries
from stepwell.transfer.imported_experiments import reason_of
from stepwell.transfer.imported_observations import Observations
from stepwell.transfer.known_points import KnownPoints, known_points
from stepwell.transfer.left import Left
from stepwell.transfer.sources import ImportedRun, PointColumns, SourceError, as_run_id
from stepwell.wire import messages
from stepwell.wire.calls import Calls
from stepwell.wire.connection import connect
from stepwell_api.v1 import ingest_pb2, runs_pb2

# The names of everything that imports make are below this one.
NAMESPACE = uuid.UUID("6f0f5a52-52b5-5f0e-9d3c-0f6a3a0d7a11")
# The tag of runs that have no id of their own: where they come from.
SOURCE_TAG = "stepwell.source"
# The server's limits for what a run is made with; what is beyond is cut, or it could not be made at all.
NAME_CHARS_MAX = 500
USER_CHARS_MAX = 256
TIME_MS_MAX = 2**63 - 1
# Data sets that one message brings, at most 2 MiB each.
INPUTS_AT_ONCE = 3


def run_id_of(source_id: str) -> str:
    """Return the id that a run of a source has here: its own, when that is 32 hexadecimal digits."""
    return as_run_id(source_id) or uuid.uuid5(NAMESPACE, _utf8(f"run {source_id}")).hex


class RunImporter:
    """Brings runs, and counts what was new here."""

    def __init__(self, uri: str, left: Left) -> None:
        self._uri = uri
        self._connection = connect(uri)
        self._calls = Calls(uri)
        self._left = left
        self._seen: set[str] = set()
        self.points = 0
        self.artifacts = 0
        self.data_sets = 0
        self.observations = Observations(uri)

    def bring(self, run: ImportedRun, experiment_id: int) -> bool:
        """Bring one run; False when nothing of it could come.

        Raises:
            StepwellException: the server cannot be reached, or can take nothing now.
        """
        with self._telling(run):
            run_id, here = self._run_here(run)
            spec = self._spec(run, run_id, experiment_id)
            self._check(run_id, here)
            if here is None:
                self._calls.create_run(spec)
            with self._ending(run, spec), self._telling(run):
                self._bring_points(run, spec, is_new=here is None)
            self._bring_inputs(run, run_id, here)
            with self._telling(run):
                self.observations.bring(run, run_id, partial(self._bring_entries, run, spec))
            with self._telling(run):
                self._bring_artifacts(run, spec)
            return True
        return False

    @contextmanager
    def _ending(self, run: ImportedRun, spec: runs_pb2.RunSpec) -> Iterator[None]:
        """Bring status, params and tags at the end of the context, also when somebody breaks the import off.

        Otherwise the run would seem to go on.
        """
        try:
            yield
        except BaseException:
            with suppress(StepwellException):
                self._bring_rest(run, spec)
            raise
        with self._telling(run):
            self._bring_rest(run, spec)

    @contextmanager
    def _telling(self, run: ImportedRun) -> Iterator[None]:
        """Tell of what fails in the context and let the import go on, unless the server is in trouble."""
        try:
            yield
        except SourceError as failure:
            self._leave(run, str(failure))
        except (StepwellException, ValueError) as failure:
            self._leave(run, reason_of(failure))

    def _check(self, run_id: str, here: Run | None) -> None:
        if run_id in self._seen:
            raise SourceError("it comes twice in this source; perhaps one is a copy of the other")
        self._seen.add(run_id)
        if here is not None and here.info.lifecycle_stage == LifecycleStage.DELETED:
            raise SourceError("it is deleted here; restore it, or remove it with gc, and import again")

    def _run_here(self, run: ImportedRun) -> tuple[str, Run | None]:
        """Return the id of a run here, and the run if it is here already, perhaps by an earlier version."""
        run_id = run_id_of(run.source_id)
        here = self._get(run_id)
        if here is None:
            for earlier in map(run_id_of, run.known_as):
                found = self._get(earlier)
                # Others may have had the same id then; the same time and place tell that it is this one.
                if found is not None and _origin(found) == (run.start_time_ms, run.tags.get(SOURCE_TAG)):
                    return earlier, found
        return run_id, here

    def _get(self, run_id: str) -> Run | None:
        try:
            return self._calls.get_run(run_id)
        except StepwellException as failure:
            if failure.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None

    def _spec(self, run: ImportedRun, run_id: str, experiment_id: int) -> runs_pb2.RunSpec:
        return messages.run_spec(
            run_id=run_id,
            experiment_id=experiment_id,
            name=_plain(run.name, NAME_CHARS_MAX),
            start_time_ms=min(max(run.start_time_ms, 0), TIME_MS_MAX),
            user=_plain(run.user, USER_CHARS_MAX),
            tags={},
        )

    def _bring_points(self, run: ImportedRun, spec: runs_pb2.RunSpec, *, is_new: bool) -> None:
        with BulkWriter(self._connection, spec, _writer_id(spec, "points")) as writer:
            # Not before: what another import stores from now on moves the writer, and this one ends with an error.
            is_empty = is_new and not writer.position
            known = KnownPoints(()) if is_empty else known_points(Reads(self._connection), spec.run_id)
            with self._telling(run):
                for points in run.points():
                    self.points += writer.write_points(known.without(_named(points)))
        self.points -= sum(it.count for it in writer.rejected)
        self._note(run, writer)

    def _bring_rest(self, run: ImportedRun, spec: runs_pb2.RunSpec) -> None:
        """Bring params, tags and status. They may change in the source: another content is another writer."""
        end_time_ms = (
            run.end_time_ms if run.end_time_ms is None else min(max(run.end_time_ms, 0), TIME_MS_MAX)
        )
        rest = entries(
            self._texts(run, "param", run.params).items(),
            self._texts(run, "tag", run.tags).items(),
            messages.to_status(run.status),
            end_time_ms,
        )
        content = hashlib.sha256(json.dumps([entry.SerializeToString().hex() for entry in rest]).encode())
        self._bring_entries(run, spec, content.hexdigest(), rest)

    def _bring_entries(
        self, run: ImportedRun, spec: runs_pb2.RunSpec, content: str, found: Sequence[ingest_pb2.Entry]
    ) -> None:
        """Bring entries of the log, as a writer whose name says what they are."""
        with BulkWriter(self._connection, spec, _writer_id(spec, content)) as writer:
            writer.write_entries(found[writer.position :])
        self._note(run, writer)

    def _texts(self, run: ImportedRun, kind: str, texts: Mapping[str, str]) -> dict[str, str]:
        """Return what is Unicode; a file's name may be none, and a database's texts."""
        good = {}
        for key, value in texts.items():
            try:
                f"{key}{value}".encode()
            except UnicodeEncodeError:
                self._leave(run, f"{kind} {key!r} is no Unicode text")
            else:
                good[key] = value
        return good

    def _bring_inputs(self, run: ImportedRun, run_id: str, here: Run | None) -> None:
        known = [] if here is None else here.inputs.dataset_inputs
        new = [it for it in run.inputs if not any(_says(one, it) for one in known)]
        for start in range(0, len(new), INPUTS_AT_ONCE):
            self._log_inputs(run, run_id, new[start : start + INPUTS_AT_ONCE])

    def _log_inputs(self, run: ImportedRun, run_id: str, inputs: Sequence[DatasetInput]) -> None:
        """Note data sets; when one of them is not taken, each by itself."""
        try:
            self._calls.log_inputs(run_id, inputs)
            self.data_sets += len(inputs)
        except (StepwellException, ValueError) as failure:
            reason = reason_of(failure)
            if len(inputs) == 1:
                self._leave(run, f"data set {inputs[0].dataset.name!r}: {reason}")
                return
            for one in inputs:
                self._log_inputs(run, run_id, [one])

    def _bring_artifacts(self, run: ImportedRun, spec: runs_pb2.RunSpec) -> None:
        """Send the artifacts; what is here with the same bytes does not travel again."""
        artifacts = ArtifactCalls(self._uri).list(spec.run_id, "", recursive=True)
        known = {artifact.path: artifact.size_bytes for artifact in artifacts}
        uploader = Uploader(self._uri, spec.run_id)
        for files in run.artifacts(known):
            came = self._send(run, uploader, files)
            self.artifacts += sum(file.path not in known for file in came)

    def _send(self, run: ImportedRun, uploader: Uploader, files: Sequence[LocalFile]) -> Sequence[LocalFile]:
        """Send files and return those that came; when something is wrong with one of them, it is halved."""
        problems = Problems()
        try:
            uploader.upload(files, "Importing artifacts", problems)
        except (StepwellException, ValueError) as failure:
            reason = reason_of(failure)
            if len(files) == 1:
                self._leave(run, f"artifact {files[0].path!r}: {reason}")
                return ()
            half = len(files) // 2
            return [*self._send(run, uploader, files[:half]), *self._send(run, uploader, files[half:])]
        for message in problems.messages:
            self._leave(run, message)
        return [file for file in files if file.source not in problems.sources]

    def _note(self, run: ImportedRun, writer: BulkWriter) -> None:
        for it in writer.rejected:
            # Without a key it is not about one metric, param or tag.
            self._leave(run, f"{it.key}: {it.reason}" if it.key else it.reason, it.count)

    def _leave(self, run: ImportedRun, reason: str, count: int = 1) -> None:
        self._left.add(f"run {as_run_id(run.source_id) or run.name}: {reason}", count)


def _writer_id(spec: runs_pb2.RunSpec, what: str) -> str:
    return uuid.uuid5(NAMESPACE, f"writer {spec.run_id} {what}").hex


def _plain(text: str, chars_max: int) -> str:
    """Return a name as a run can have it; tags keep what it was, and are refused if they cannot."""
    return text.encode(errors="replace").decode().replace("\0", "").strip()[:chars_max]


def _utf8(text: str) -> str:
    """Return a text that can be sent; it is another one only when it was no Unicode."""
    return text.encode("utf-8", "backslashreplace").decode()


def _named(points: PointColumns) -> PointColumns:
    """Return points whose metrics' names can be sent; of these the server refuses those that are none."""
    return replace(points, keys=[_utf8(key) for key in points.keys])


def _origin(run: Run) -> tuple[int, str | None]:
    return run.info.start_time, run.data.tags.get(SOURCE_TAG)


def _says(here: DatasetInput, other: DatasetInput) -> bool:
    """Tell whether a data set that is noted here says all that another one does."""
    tags = {(tag.key, tag.value) for tag in here.tags}
    return here.dataset == other.dataset and all((tag.key, tag.value) in tags for tag in other.tags)
