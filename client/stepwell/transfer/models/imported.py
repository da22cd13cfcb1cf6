"""Logged models of a source: each becomes one here, with the same id; a piece that cannot come keeps nothing back."""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from operator import attrgetter

from stepwell.entities import LoggedModelInput, LoggedModelOutput, LoggedModelStatus
from stepwell.errors import StepwellException
from stepwell.files.calls import ArtifactCalls
from stepwell.files.local import LocalFile, Problems
from stepwell.files.uploads import Uploader
from stepwell.logged_models import specs
from stepwell.logged_models.calls import LoggedModelCalls
from stepwell.transfer.bulk import BulkWriter
from stepwell.transfer.imported_experiments import reason_of
from stepwell.transfer.imported_runs import NAMESPACE, run_id_of
from stepwell.transfer.left import Left
from stepwell.transfer.sources import ImportedModel, SourceError, as_run_id
from stepwell.wire import messages
from stepwell.wire.connection import connect
from stepwell_api.v1 import models_pb2, runs_pb2

MODEL_PREFIX = "m-"


def model_id_of(source_id: str) -> str:
    """Return the id that a model of a source has here: its own, when that is m- and 32 hexadecimal digits."""
    own = as_run_id(source_id.removeprefix(MODEL_PREFIX))
    return f"{MODEL_PREFIX}{own or uuid.uuid5(NAMESPACE, f'model {source_id}').hex}"


class ModelImporter:
    """Brings models, behind the runs that made them, and counts them."""

    def __init__(self, uri: str, left: Left) -> None:
        self._uri = uri
        self._calls = LoggedModelCalls(uri)
        self._left = left
        self.models = 0
        self.artifacts = 0

    def bring(self, model: ImportedModel, experiment_id: int) -> None:
        """Bring one model.

        Raises:
            StepwellException: the server cannot be reached, or can take nothing now.
        """
        model_id = model_id_of(model.source_id)
        with self._telling(model):
            known = self._calls.create(self._spec(model, model_id, experiment_id))
            if known.tags != model.tags:
                self._calls.set_tags(model_id, model.tags)
            self.models += 1
            for output in model.outputs:
                with self._telling(model):
                    linked = [LoggedModelOutput(model_id, output.step)]
                    self._calls.link(run_id_of(output.run), linked)
            for run in model.inputs:
                with self._telling(model):
                    self._calls.link(run_id_of(run), [], [LoggedModelInput(model_id)])
            with self._telling(model):
                self._bring_metrics(model, model_id)
            with self._telling(model):
                is_whole = self._bring_artifacts(model, model_id)
                status = LoggedModelStatus(model.status) if is_whole else LoggedModelStatus.FAILED
                if known.status != status:
                    message = model.status_message if is_whole else "not all of its files could be imported"
                    self._calls.finalize(model_id, status, message)

    def _spec(self, model: ImportedModel, model_id: str, experiment_id: int) -> models_pb2.LoggedModelSpec:
        spec = specs.model_spec(
            model_id=model_id,
            experiment_id=experiment_id,
            name=model.name,
            source_run_id=run_id_of(model.source_run) if model.source_run else None,
            tags=model.tags,
            params=model.params,
            model_type=model.model_type,
        )
        spec.creation_time_ms = max(model.created_ms, 0)
        return spec

    def _bring_metrics(self, model: ImportedModel, model_id: str) -> None:
        """Say which points of runs are of the model; the points themselves came with the runs."""
        for run, points in groupby(sorted(model.metrics, key=attrgetter("run_id")), attrgetter("run_id")):
            run_id = run_id_of(str(run))
            entries = [messages.model_point_entry(point) for point in points]
            for entry in entries:
                entry.model_point.model_id = model_id
            writer_id = uuid.uuid5(NAMESPACE, f"writer {run_id} {model_id} {len(entries)}").hex
            with BulkWriter(connect(self._uri), runs_pb2.RunSpec(run_id=run_id), writer_id) as writer:
                writer.write_entries(entries[writer.position :])
            for rejected in writer.rejected:
                self._leave(model, f"{rejected.key}: {rejected.reason}")

    def _bring_artifacts(self, model: ImportedModel, model_id: str) -> bool:
        """Send the files; what is here with the same bytes does not travel again. Tells whether all of them came."""
        listed = ArtifactCalls(self._uri).list(model_id, "", recursive=True)
        known = {artifact.path: artifact.size_bytes for artifact in listed}
        before = self._left.count
        for files in model.artifacts(known):
            self._send(model, model_id, files)
            self.artifacts += sum(file.path not in known for file in files)
        return self._left.count == before

    def _send(self, model: ImportedModel, model_id: str, files: Sequence[LocalFile]) -> None:
        problems = Problems()
        Uploader(self._uri, model_id).upload(files, "Importing models", problems)
        for message in problems.messages:
            self._leave(model, message)

    @contextmanager
    def _telling(self, model: ImportedModel) -> Iterator[None]:
        """Tell of what fails in the context and let the import go on, unless the server is in trouble."""
        try:
            yield
        except SourceError as failure:
            self._leave(model, str(failure))
        except (StepwellException, ValueError) as failure:
            self._leave(model, reason_of(failure))

    def _leave(self, model: ImportedModel, reason: str) -> None:
        self._left.add(f"logged model {model.source_id} ({model.name}): {reason}")
