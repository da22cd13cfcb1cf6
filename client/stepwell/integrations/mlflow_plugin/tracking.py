"""MLflow's tracking store on a Stepwell server: what `mlflow` calls when the tracking URI is ours."""

import os
import threading
from collections.abc import Sequence
from typing import Any

from mlflow.entities import ViewType
from mlflow.store.tracking.abstract_store import AbstractStore
from mlflow.utils.async_logging.run_operations import RunOperations

from stepwell import settings
from stepwell.client import StepwellClient
from stepwell.delivery import offline
from stepwell.entities import RunStatus
from stepwell.errors import StepwellException
from stepwell.integrations.mlflow_plugin import addresses, entities, histories
from stepwell.integrations.mlflow_plugin.errors import in_mlflows_words
from stepwell.integrations.mlflow_plugin.logged_models import LoggedModelStore
from stepwell.integrations.mlflow_plugin.run_logs import Operation, RunLogs
from stepwell.runs import active, new
from stepwell.spool.records import NS_PER_MS

# MLflow's menu of data sets shows those of so many runs of an experiment, the latest.
RUNS_OF_MENU_MAX = 1_000
# Set by `mlflow server` for its own processes: where it keeps the artifacts that it hands on.
_DESTINATION_VARIABLE = "_MLFLOW_SERVER_ARTIFACT_DESTINATION"


class TrackingStore(LoggedModelStore, AbstractStore):
    """One server. Log calls do not wait; reads first deliver what this process has logged to the run."""

    def __init__(self, store_uri: str, artifact_uri: str | None = None) -> None:
        super().__init__()
        self._uri = in_mlflows_words(addresses.client_uri)(store_uri)
        self._client = StepwellClient(self._uri)
        self._logs = RunLogs(self._uri)
        self._writers = self._logs.writers
        # What runs say about where their artifacts are begins so.
        self._artifacts = _proxied(artifact_uri) or store_uri

    # Experiments.

    @in_mlflows_words
    def search_experiments(
        self,
        view_type: int = ViewType.ACTIVE_ONLY,
        max_results: int | None = None,
        filter_string: str | None = None,
        order_by: list[str] | None = None,
        page_token: str | None = None,
    ) -> Any:
        """Return a page of experiments."""
        found = self._client.search_experiments(view_type, max_results, filter_string, order_by, page_token)
        return entities.page(map(entities.experiment, found), found.token)

    @in_mlflows_words
    def create_experiment(self, name: str, artifact_location: str | None = None, tags: Any = None) -> str:
        """Create an experiment and return its id."""
        return self._client.create_experiment(name, artifact_location, entities.to_tags(tags))

    @in_mlflows_words
    def get_experiment(self, experiment_id: str) -> Any:
        """Return an experiment, active or deleted."""
        return entities.experiment(self._client.get_experiment(experiment_id))

    @in_mlflows_words
    def get_experiment_by_name(self, experiment_name: str) -> Any:
        """Return an experiment, active or deleted; None when there is none."""
        found = self._client.get_experiment_by_name(experiment_name)
        return None if found is None else entities.experiment(found)

    @in_mlflows_words
    def delete_experiment(self, experiment_id: str) -> None:
        """Delete an experiment, softly, with its active runs."""
        self._client.delete_experiment(experiment_id)

    @in_mlflows_words
    def restore_experiment(self, experiment_id: str) -> None:
        """Restore an experiment with the runs that were deleted with it."""
        self._client.restore_experiment(experiment_id)

    @in_mlflows_words
    def rename_experiment(self, experiment_id: str, new_name: str) -> None:
        """Rename an active experiment."""
        self._client.rename_experiment(experiment_id, new_name)

    @in_mlflows_words
    def set_experiment_tag(self, experiment_id: str, tag: Any) -> None:
        """Set a tag of an active experiment."""
        self._client.set_experiment_tag(experiment_id, tag.key, tag.value)

    @in_mlflows_words
    def delete_experiment_tag(self, experiment_id: str, key: str) -> None:
        """Remove a tag of an active experiment."""
        self._client.delete_experiment_tag(experiment_id, key)

    # Runs.

    @in_mlflows_words
    def create_run(self, experiment_id: str, user_id: str, start_time: int, tags: Any, run_name: str) -> Any:
        """Create a run; when the server is away, what is logged creates it later."""
        spec = new.plain_spec(experiment_id, run_name, start_time, entities.to_tags(tags))
        return entities.run(self._logs.create(spec), self._artifacts)

    @in_mlflows_words
    def get_run(self, run_id: str) -> Any:
        """Return a run with what it logged; as it began, when this process logs to it and the server is away."""
        try:
            return entities.run(self._client.get_run(run_id), self._artifacts)
        except StepwellException as failure:
            begun = self._logs.as_it_began(run_id)
            if begun is None or not (settings.is_offline() or failure.error_code in offline.AWAY_CODES):
                raise
            return entities.run(begun, self._artifacts)

    @in_mlflows_words
    def update_run_info(
        self, run_id: str, run_status: Any, end_time: int | None, run_name: str | None
    ) -> Any:
        """Change status, end time or name. The end of a run delivers what this process logged to it, and waits."""
        status = _outcome(entities.status_name(run_status))
        ends = status is not None and RunStatus.is_terminated(status)
        if run_name is not None or not ends:
            self._client.update_run(run_id, None if ends else status, run_name)
        if ends and self._logs.is_open(run_id):
            self._logs.end(run_id, str(status), end_time)
        elif ends:
            self._client.set_terminated(run_id, status, end_time)
        info = self.get_run(run_id).info
        if ends:
            self._logs.forget(run_id)
        return info

    @in_mlflows_words
    def delete_run(self, run_id: str) -> None:
        """Delete a run, softly."""
        self._client.delete_run(run_id)
        self._logs.forget(run_id)

    @in_mlflows_words
    def restore_run(self, run_id: str) -> None:
        """Restore a run."""
        self._client.restore_run(run_id)

    @in_mlflows_words
    def _search_runs(
        self,
        experiment_ids: Sequence[str],
        filter_string: str,
        run_view_type: int,
        max_results: int,
        order_by: list[str] | None,
        page_token: str | None,
    ) -> tuple[list[Any], str | None]:
        found = self._client.search_runs(
            experiment_ids, filter_string, run_view_type, max_results, order_by, page_token
        )
        return [entities.run(run, self._artifacts) for run in found], found.token

    # Logging.

    def log_metric(self, run_id: str, metric: Any) -> None:
        """Log a point: the usual one, of a known name in a run that is open, as short as it can be."""
        writer = self._writers.get(run_id)
        if writer is not None:
            spool = writer.spool
            number = spool.numbers.get(metric.key)
            step, timestamp, value = metric.step, metric.timestamp, metric.value
            if (
                number is not None
                and value.__class__ is float
                and step.__class__ is int
                and timestamp.__class__ is int
                and timestamp >= 0
                and (not entities.KNOWS_LOGGED_MODELS or metric.model_id is None)
            ):
                try:
                    spool.append_point(number, step, timestamp * NS_PER_MS, value)
                    return
                except StepwellException:
                    pass  # it is raised again below, in MLflow's words
        self.log_batch(run_id, [metric], (), ())

    def log_param(self, run_id: str, param: Any) -> None:
        """Log a param."""
        self.log_batch(run_id, (), [param], ())

    def set_tag(self, run_id: str, tag: Any) -> None:
        """Set a tag."""
        self.log_batch(run_id, (), (), [tag])

    @in_mlflows_words
    def log_batch(
        self, run_id: str, metrics: Sequence[Any], params: Sequence[Any], tags: Sequence[Any]
    ) -> None:
        """Log any number of points, params and tags; nothing is logged when one of them is bad."""
        self._logs.log_batch(run_id, metrics, params, tags)

    def log_metric_async(self, run_id: str, metric: Any) -> RunOperations:
        """Log a point; waiting for the answer is waiting for the commit."""
        self.log_metric(run_id, metric)
        return self._operation(run_id, metric)

    def log_param_async(self, run_id: str, param: Any) -> RunOperations:
        """Log a param."""
        self.log_param(run_id, param)
        return self._operation(run_id, param)

    def set_tag_async(self, run_id: str, tag: Any) -> RunOperations:
        """Set a tag."""
        self.set_tag(run_id, tag)
        return self._operation(run_id, tag)

    def log_batch_async(
        self, run_id: str, metrics: Sequence[Any], params: Sequence[Any], tags: Sequence[Any]
    ) -> RunOperations:
        """Log any number of points, params and tags."""
        self.log_batch(run_id, metrics, params, tags)
        return self._operation(run_id, *metrics, *params, *tags)

    def flush_async_logging(self) -> None:
        """Wait until all that this process logged is committed."""
        self._logs.flush(settings.flush_timeout_s())

    def end_async_logging(self) -> None:
        """Nothing: there is no queue in memory that could take no more."""

    def shut_down_async_logging(self) -> None:
        """Nothing: the end of a run delivers it."""

    @in_mlflows_words
    def delete_tag(self, run_id: str, key: str) -> None:
        """Remove a tag of a run."""
        self._client.delete_tag(run_id, key)

    @in_mlflows_words
    def log_inputs(self, run_id: str, datasets: Any = None, models: Any = None) -> None:
        """Note data sets and models that a run used."""
        self._client.log_inputs(run_id, [entities.to_dataset_input(each) for each in datasets or ()], models)

    @in_mlflows_words
    def record_logged_model(self, run_id: str, mlflow_model: Any) -> None:
        """Note a model that was logged as artifacts, as mlflow 2 does; it becomes a logged model of these files."""
        self._client.record_logged_model(run_id, mlflow_model)

    # Points.

    @in_mlflows_words
    def get_metric_history(
        self, run_id: str, metric_key: str, max_results: int | None = None, page_token: str | None = None
    ) -> Any:
        """Return points of a metric in order of (timestamp, step, value)."""
        return histories.page(self._uri, run_id, metric_key, max_results, page_token)

    @in_mlflows_words
    def get_metric_history_bulk(self, run_ids: Sequence[str], metric_key: str, max_results: int) -> Any:
        """Return the first points of a metric of several runs."""
        return histories.bulk(self._uri, run_ids, metric_key, max_results)

    @in_mlflows_words
    def get_metric_history_bulk_interval(
        self,
        run_ids: Sequence[str],
        metric_key: str,
        max_results: int,
        start_step: int | None,
        end_step: int | None,
    ) -> Any:
        """Return some points of a metric of several runs, for a chart."""
        return histories.interval(self._uri, run_ids, metric_key, max_results, start_step, end_step)

    # What MLflow's pages ask for.

    @in_mlflows_words
    def _search_datasets(self, experiment_ids: Sequence[str]) -> list[Any]:
        """Return the data sets of the latest runs of experiments, for a menu."""
        runs = self._client.search_runs(
            experiment_ids, max_results=RUNS_OF_MENU_MAX, params=[], metrics=[], tags=[]
        )
        return entities.dataset_summaries(runs)

    def search_traces(self, *arguments: Any, **keywords: Any) -> tuple[list[Any], None]:
        """Find none: traces are not kept."""
        return [], None

    def _operation(self, run_id: str, *logged: Any) -> RunOperations:
        return RunOperations([Operation(self._logs.writer(run_id), frozenset(it.key for it in logged))])


def _outcome(status: str | None) -> str | None:
    """Return how a run ended: FAILED when MLflow ends it as FINISHED because the script died of an exception."""
    if status == "FINISHED" and active.crashed() and threading.current_thread() is threading.main_thread():
        return "FAILED"
    return status


def _proxied(artifact_root: str | None) -> str | None:
    """Return `artifact_root` when this is a server of MLflow's that hands on artifacts which it keeps with us."""
    destination = os.environ.get(_DESTINATION_VARIABLE, "")
    if artifact_root is None or not artifact_root.startswith("mlflow-artifacts:"):
        return None
    return artifact_root if destination.split(":", 1)[0] in addresses.SCHEMES else None
