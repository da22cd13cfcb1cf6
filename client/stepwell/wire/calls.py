"""The calls that are not ingest, on one server: entities in, entities out. Errors: see `Connection.call`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from stepwell.entities import DatasetInput, Experiment, PagedList, Refusal, Run, RunInfo
from stepwell.wire import messages
from stepwell.wire.connection import connect
from stepwell_api.v1 import runs_pb2, search_pb2

if TYPE_CHECKING:
    from stepwell_api.v1 import writers_pb2


class Calls:
    """Experiments, runs and series of one server."""

    def __init__(self, uri: str) -> None:
        self._connection = connect(uri)

    def create_experiment(self, name: str, artifact_location: str, tags: Mapping[str, str]) -> Experiment:
        """Create an experiment."""
        request = runs_pb2.CreateExperimentRequest(
            name=name, artifact_location=artifact_location, tags=messages.to_tags(tags)
        )
        answer = self._connection.call(lambda server: server.experiments.CreateExperiment(request))
        return messages.experiment(answer.experiment)

    def get_experiment(self, experiment_id: int) -> Experiment:
        """Return an experiment, active or deleted."""
        return self._get_experiment(runs_pb2.GetExperimentRequest(experiment_id=experiment_id))

    def get_experiment_by_name(self, name: str) -> Experiment:
        """Return an experiment, active or deleted."""
        return self._get_experiment(runs_pb2.GetExperimentRequest(name=name))

    def search_experiments(self, request: search_pb2.SearchExperimentsRequest) -> PagedList[Experiment]:
        """Return what the server answers of a page of experiments; it may be less than a page."""
        answer = self._connection.call(lambda server: server.search.SearchExperiments(request))
        return PagedList(map(messages.experiment, answer.experiments), answer.next_page_token or None)

    def search_runs(self, request: search_pb2.SearchRunsRequest) -> PagedList[Run]:
        """Return what the server answers of a page of runs; it may be less than a page."""
        answer = self._connection.call(lambda server: server.search.SearchRuns(request))
        return PagedList(map(self._whole, answer.runs), answer.next_page_token or None)

    def change_runs(self, request: search_pb2.ChangeRunsRequest) -> int:
        """Change all runs that a filter finds; returns how many."""
        return self._connection.call(lambda server: server.search.ChangeRuns(request)).runs

    def create_run(
        self, spec: runs_pb2.RunSpec, awaited: runs_pb2.AwaitedWriter | None = None
    ) -> tuple[Run, bool]:
        """Create a run; a repeat returns the run as it is. Tells whether this call created it.

        `awaited` is who will open a stream for it at once: when nobody does, the server ends the run.
        """
        request = runs_pb2.CreateRunRequest(spec=spec, awaited=awaited)
        answer = self._connection.call(lambda server: server.runs.CreateRun(request))
        return self._whole(answer.run), answer.created

    def writers(self, run_id: str) -> tuple["Sequence[writers_pb2.Writer]", runs_pb2.AwaitedWriter | None]:
        """Return the processes that log, or logged, to a run, 1,000 at most, and who is about to open a stream."""
        from stepwell_api.v1 import writers_pb2  # few processes ask

        request = writers_pb2.ListWritersRequest(run_id=run_id)
        answer = self._connection.call(lambda server: server.writers.ListWriters(request))
        return answer.writers, answer.awaited if answer.HasField("awaited") else None

    def get_run(self, run_id: str) -> Run:
        """Return a run with what it logged."""
        return self._whole(self._get_run(runs_pb2.GetRunRequest(run_id=run_id)))

    def _get_run(self, request: runs_pb2.GetRunRequest) -> runs_pb2.Run:
        return self._connection.call(lambda server: server.runs.GetRun(request)).run

    def _whole(self, message: runs_pb2.Run) -> Run:
        """Return a run; what did not fit into the answer is fetched."""
        token = message.rest_token
        while token:
            part = self._get_run(runs_pb2.GetRunRequest(run_id=message.info.run_id, rest_token=token))
            token = part.rest_token
            message.params.extend(part.params)
            message.tags.extend(part.tags)
            message.metrics.extend(part.metrics)
        return messages.run(message)

    def get_refusals(self, run_id: str) -> list[Refusal]:
        """Return what was refused of a run, the last first."""
        from stepwell_api.v1 import writers_pb2  # few processes ask

        request = writers_pb2.ListRefusalsRequest(run_id=run_id)
        answer = self._connection.call(lambda server: server.writers.ListRefusals(request))
        return [
            Refusal(
                key=each.key,
                count=each.count,
                error_code=each.error_code,
                reason=each.reason,
                first_time=each.first_time_ms,
                last_time=each.last_time_ms,
                rank=each.rank if each.HasField("rank") else None,
                host=each.host,
            )
            for each in answer.refusals
        ]

    def update_run(
        self, run_id: str, status: str | None = None, end_time_ms: int | None = None, name: str | None = None
    ) -> RunInfo:
        """Change what is not None."""
        number = runs_pb2.RUN_STATUS_UNSPECIFIED if status is None else messages.to_status(status)
        request = runs_pb2.UpdateRunRequest(run_id=run_id, status=number, end_time_ms=end_time_ms, name=name)
        return messages.run_info(self._connection.call(lambda server: server.runs.UpdateRun(request)).info)

    def delete_tag(self, run_id: str, key: str) -> None:
        """Remove a tag."""
        request = runs_pb2.DeleteTagRequest(run_id=run_id, key=key)
        self._connection.call(lambda server: server.runs.DeleteTag(request))

    def update_experiment(
        self,
        experiment_id: int,
        name: str | None = None,
        tags: Mapping[str, str] | None = None,
        logged_time_ms: int | None = None,
    ) -> Experiment:
        """Change the name if one is given, and set tags, as of a moment if it was not now."""
        request = runs_pb2.UpdateExperimentRequest(
            experiment_id=experiment_id,
            name=name,
            tags=messages.to_tags(tags or {}),
            logged_time_ms=logged_time_ms,
        )
        answer = self._connection.call(lambda server: server.experiments.UpdateExperiment(request))
        return messages.experiment(answer.experiment)

    def delete_experiment_tag(self, experiment_id: int, key: str, logged_time_ms: int | None = None) -> None:
        """Remove a tag of an experiment, as of a moment if it was not now."""
        request = runs_pb2.DeleteExperimentTagRequest(
            experiment_id=experiment_id, key=key, logged_time_ms=logged_time_ms
        )
        self._connection.call(lambda server: server.experiments.DeleteExperimentTag(request))

    def delete_experiment(self, experiment_id: int) -> None:
        """Delete an experiment with its active runs."""
        request = runs_pb2.DeleteExperimentRequest(experiment_id=experiment_id)
        self._connection.call(lambda server: server.experiments.DeleteExperiment(request))

    def restore_experiment(self, experiment_id: int) -> None:
        """Restore an experiment with the runs that were deleted with it."""
        request = runs_pb2.RestoreExperimentRequest(experiment_id=experiment_id)
        self._connection.call(lambda server: server.experiments.RestoreExperiment(request))

    def delete_run(self, run_id: str) -> None:
        """Delete a run."""
        request = runs_pb2.DeleteRunRequest(run_id=run_id)
        self._connection.call(lambda server: server.runs.DeleteRun(request))

    def restore_run(self, run_id: str) -> None:
        """Restore a run."""
        request = runs_pb2.RestoreRunRequest(run_id=run_id)
        self._connection.call(lambda server: server.runs.RestoreRun(request))

    def log_inputs(self, run_id: str, inputs: Iterable[DatasetInput]) -> None:
        """Note data sets that a run used."""
        request = runs_pb2.LogInputsRequest(run_id=run_id, inputs=map(messages.to_dataset_input, inputs))
        self._connection.call(lambda server: server.runs.LogInputs(request))

    def rewind_run(self, run_id: str, from_step: int) -> int:
        """Hide what was logged from a step on; returns the number of the rewind, 0 when there was nothing."""
        request = runs_pb2.RewindRunRequest(run_id=run_id, from_step=from_step)
        return self._connection.call(lambda server: server.runs.RewindRun(request)).rewind_number

    def undo_rewind(self, run_id: str, rewind_number: int) -> int:
        """Take a rewind back, the latest one if the number is 0; returns its number."""
        request = runs_pb2.UndoRewindRequest(run_id=run_id, rewind_number=rewind_number)
        return self._connection.call(lambda server: server.runs.UndoRewind(request)).rewind_number

    def _get_experiment(self, request: runs_pb2.GetExperimentRequest) -> Experiment:
        answer = self._connection.call(lambda server: server.experiments.GetExperiment(request))
        return messages.experiment(answer.experiment)
