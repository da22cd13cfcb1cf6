"""StepwellClient: everything by run id, on a server of choice, without an active run."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from stepwell import settings, values
from stepwell.client_artifacts import ArtifactMethods
from stepwell.client_observations import ObservationMethods
from stepwell.delivery import experiment_tags, logs, offline, record, writer
from stepwell.delivery.experiment_tags import TagChange
from stepwell.delivery.receipts import PendingWrite, Receipt
from stepwell.entities import (
    PARENT_RUN_TAG,
    RUN_NAME_TAG,
    DatasetInput,
    Experiment,
    Metric,
    PagedList,
    Param,
    Refusal,
    Run,
    RunStatus,
    RunTag,
    ViewType,
)
from stepwell.errors import StepwellException, with_short_errors
from stepwell.logged_models.methods import LoggedModelMethods
from stepwell.registry.methods import RegistryMethods
from stepwell.runs import new

if TYPE_CHECKING:
    from stepwell.wire.calls import Calls

EXPERIMENTS_PAGE_SIZE_DEFAULT = 1_000


@with_short_errors
class StepwellClient(ArtifactMethods, ObservationMethods, LoggedModelMethods, RegistryMethods):
    """Logs and reads by run id. Also exported as MlflowClient.

    Log calls do not wait and make no call to the server: see `record` for `synchronous`. Reads first deliver what
    this process has logged to the run. All methods raise StepwellException; TEMPORARILY_UNAVAILABLE when the server
    cannot be reached.
    """

    def __init__(self, tracking_uri: str | None = None, registry_uri: str | None = None) -> None:
        self.tracking_uri = str(tracking_uri) if tracking_uri is not None else settings.tracking_uri()
        settings.parse_uri(self.tracking_uri)
        self._registry_uri = None if registry_uri is None else str(registry_uri)

    @property
    def _calls(self) -> "Calls":
        # gRPC is imported with the first call and not with the package.
        from stepwell.wire.calls import Calls

        return Calls(self.tracking_uri)

    def create_experiment(
        self, name: str, artifact_location: str | None = None, tags: dict[str, Any] | None = None
    ) -> str:
        """Create an experiment and return its id; RESOURCE_ALREADY_EXISTS when an active one has the name."""
        name, tags = values.check_experiment_name(name), values.to_experiment_tags(tags)
        return self._calls.create_experiment(name, str(artifact_location or ""), tags).experiment_id

    def get_experiment(self, experiment_id: str) -> Experiment:
        """Return an experiment, active or deleted; RESOURCE_DOES_NOT_EXIST when there is none."""
        return self._calls.get_experiment(values.to_experiment_id(experiment_id))

    def get_experiment_by_name(self, name: str) -> Experiment | None:
        """Return the experiment of this name, active or deleted; None when there is none."""
        try:
            return self._calls.get_experiment_by_name(values.check_experiment_name(name))
        except StepwellException as failure:
            if failure.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise

    def search_experiments(
        self,
        view_type: int = ViewType.ACTIVE_ONLY,
        max_results: int | None = 1_000,
        filter_string: str | None = None,
        order_by: list[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList[Experiment]:
        """Return a page of experiments, newest first unless ordered; `token` of the page asks for the next one.

        Filters and orders: docs/search.md.
        """
        from stepwell.reading import paging

        size = EXPERIMENTS_PAGE_SIZE_DEFAULT if max_results is None else max_results
        return paging.search_experiments(
            self._calls, filter_string or "", view_type, size, order_by or (), page_token or ""
        )

    def search_runs(
        self,
        experiment_ids: Sequence[str] | None,
        filter_string: str = "",
        run_view_type: int = ViewType.ACTIVE_ONLY,
        max_results: int = 1_000,
        order_by: list[str] | None = None,
        page_token: str | None = None,
        *,
        params: Sequence[str] | None = None,
        metrics: Sequence[str] | None = None,
        tags: Sequence[str] | None = None,
    ) -> PagedList[Run]:
        """Return a page of runs, latest start first unless ordered; `token` of the page asks for the next one.

        Args:
            experiment_ids: where to search; None means everywhere.
            filter_string: for example "metrics.loss < 0.1 AND (params.lr = '0.1' OR tags.best IS NOT NULL)".
            run_view_type: active, deleted or all runs.
            max_results: size of the page, 1 to 50,000.
            order_by: for example ["metrics.loss DESC"].
            page_token: `token` of the page before; all other arguments as then.
            params: the params wanted; None means all, an empty list none. The same holds for `metrics` and `tags`.
            metrics: the metrics wanted.
            tags: the tags wanted.

        Raises:
            StepwellException: INVALID_PARAMETER_VALUE; the message points at what cannot be read.
        """
        from stepwell.reading import paging

        self._deliver_all()
        return paging.search_runs(
            self._calls,
            [experiment_ids] if isinstance(experiment_ids, str) else experiment_ids,
            filter_string or "",
            run_view_type,
            max_results,
            order_by or (),
            page_token or "",
            params=params,
            metrics=metrics,
            tags=tags,
        )

    def delete_runs(self, experiment_ids: Sequence[str] | None, filter_string: str) -> int:
        """Delete all active runs that a filter finds, at once; returns how many."""
        from stepwell.reading import paging
        from stepwell_api.v1 import search_pb2

        self._deliver_all()
        change = paging.change(experiment_ids, filter_string, delete=search_pb2.DeleteRuns())
        return self._calls.change_runs(change)

    def restore_runs(self, experiment_ids: Sequence[str] | None, filter_string: str) -> int:
        """Restore all deleted runs of active experiments that a filter finds, at once; returns how many."""
        from stepwell.reading import paging
        from stepwell_api.v1 import search_pb2

        change = paging.change(experiment_ids, filter_string, restore=search_pb2.RestoreRuns())
        return self._calls.change_runs(change)

    def tag_runs(self, experiment_ids: Sequence[str] | None, filter_string: str, tags: dict[str, Any]) -> int:
        """Set tags of all active runs that a filter finds, at once; returns how many."""
        from stepwell.reading import paging
        from stepwell.wire import messages
        from stepwell_api.v1 import search_pb2

        self._deliver_all()
        own_tags = search_pb2.TagRuns(tags=messages.to_tags(values.to_run_tags(tags)))
        return self._calls.change_runs(paging.change(experiment_ids, filter_string, tag=own_tags))

    def rename_experiment(self, experiment_id: str, new_name: str) -> None:
        """Rename an active experiment; RESOURCE_ALREADY_EXISTS when another active experiment has the name."""
        self._calls.update_experiment(
            values.to_experiment_id(experiment_id), name=values.check_experiment_name(new_name)
        )

    def set_experiment_tag(self, experiment_id: str, key: str, value: Any) -> None:
        """Set a tag of an active experiment."""
        self.set_experiment_tags(experiment_id, {key: value})

    def set_experiment_tags(self, experiment_id: str, tags: dict[str, Any]) -> None:
        """Set tags of an active experiment; the others stay as they are."""
        number, checked = values.to_experiment_id(experiment_id), values.to_experiment_tags(tags)
        experiment_tags.change(TagChange(self.tracking_uri, number, tags=checked))

    def delete_experiment_tag(self, experiment_id: str, key: str) -> None:
        """Remove a tag of an active experiment; RESOURCE_DOES_NOT_EXIST when there is no such tag."""
        number, key = values.to_experiment_id(experiment_id), values.check_key("Tag", key)
        experiment_tags.change(TagChange(self.tracking_uri, number, removed=[key]))

    def delete_experiment(self, experiment_id: str) -> None:
        """Delete an experiment, softly, with its active runs; its name is free from then on."""
        self._calls.delete_experiment(values.to_experiment_id(experiment_id))

    def restore_experiment(self, experiment_id: str) -> None:
        """Restore an experiment with the runs that were deleted with it, not those that were deleted one by one.

        RESOURCE_ALREADY_EXISTS when another active experiment has its name.
        """
        self._calls.restore_experiment(values.to_experiment_id(experiment_id))

    def create_run(
        self,
        experiment_id: str,
        start_time: int | None = None,
        tags: dict[str, Any] | None = None,
        run_name: str | None = None,
    ) -> Run:
        """Create a run that is RUNNING; `start_time` in milliseconds. It does not become the active run."""
        from stepwell.wire import messages

        spec = new.plain_spec(experiment_id, run_name, start_time, tags)

        def later() -> Run:
            writer.writer_for(self.tracking_uri, spec.run_id, spec).log()
            return messages.run_of_spec(spec)

        return offline.now_or_later(self.tracking_uri, lambda: self._calls.create_run(spec)[0], later)

    def get_run(self, run_id: str) -> Run:
        """Return a run with what it logged; RESOURCE_DOES_NOT_EXIST when there is none."""
        return self._calls.get_run(self._delivered(run_id))

    def get_parent_run(self, run_id: str) -> Run | None:
        """Return the run around this one; None if there is none."""
        parent_run_id = self.get_run(run_id).data.tags.get(PARENT_RUN_TAG)
        return self.get_run(parent_run_id) if parent_run_id else None

    def delete_run(self, run_id: str) -> None:
        """Delete a run, softly; nothing can be logged to it until it is restored."""
        run_id = self._delivered(run_id)
        self._calls.delete_run(run_id)
        writer.note_deleted(self.tracking_uri, run_id, deleted=True)

    def restore_run(self, run_id: str) -> None:
        """Restore a run; INVALID_STATE when its experiment is deleted."""
        run_id = values.to_run_id(run_id)
        self._calls.restore_run(run_id)
        writer.note_deleted(self.tracking_uri, run_id, deleted=False)

    def log_inputs(
        self, run_id: str, datasets: Sequence[DatasetInput] | None = None, models: Sequence[Any] | None = None
    ) -> None:
        """Note data sets, and models (LoggedModelInput), that a run used; with a server, they are stored now."""
        inputs = [values.check_input(used) for used in datasets or ()]
        if inputs:
            self._now_or_later(
                run_id,
                lambda known_id: self._calls.log_inputs(known_id, inputs),
                lambda run_writer: run_writer.log_inputs(inputs),
            )
        if models:
            self.log_model_inputs(run_id, models)

    def get_refusals(self, run_id: str) -> list[Refusal]:
        """Return what the server refused of a run, by kind, the last first: how much, since when, and why.

        Of one run 200 kinds (process, key, error code) are told apart; more are counted together, without a key.
        """
        return self._calls.get_refusals(self._delivered(run_id))

    def undo_resume(self, run_id: str) -> None:
        """Show again what the latest start_run with `resume_from_step` hid; call it again for the one before.

        RESOURCE_DOES_NOT_EXIST when nothing is hidden.
        """
        self._calls.undo_rewind(self._delivered(run_id), 0)

    def update_run(self, run_id: str, status: str | None = None, name: str | None = None) -> None:
        """Change a run's status or name, or both."""
        checked_name = None if name is None else values.check_run_name(name)
        number = None if status is None else RunStatus.from_string(status)

        def later(run_writer: writer.RunWriter) -> None:
            if checked_name is not None:
                run_writer.log_tags({RUN_NAME_TAG: checked_name})
            if number is not None:
                run_writer.log_status(number, None)

        self._now_or_later(
            run_id,
            lambda known_id: self._calls.update_run(known_id, status=status, name=checked_name),
            later,
        )

    def set_terminated(self, run_id: str, status: str | None = None, end_time: int | None = None) -> None:
        """End a run: FINISHED unless another status is given; `end_time` in milliseconds, now unless given."""
        end_time_ms = values.to_timestamp_ms("end_time", end_time, "Run:") if end_time else record.now_ms()
        number = RunStatus.from_string(status or "FINISHED")
        self._now_or_later(
            run_id,
            lambda known_id: self._calls.update_run(known_id, RunStatus.to_string(number), end_time_ms),
            lambda run_writer: run_writer.log_status(number, end_time_ms),
        )
        # Its stream and its files go with it: who ends thousands of runs has as many otherwise.
        self._writer(run_id).rest()

    def log_metric(
        self,
        run_id: str,
        key: str,
        value: float,
        timestamp: int | None = None,
        step: int | None = None,
        synchronous: bool | None = None,
        dataset_name: str | None = None,
        dataset_digest: str | None = None,
        model_id: str | None = None,
    ) -> PendingWrite | None:
        """Log one point; `timestamp` in milliseconds. With a model, also as a metric of that, maybe on a data set."""
        metrics = {values.check_key("Metric", key): value}
        measured = record.measured(model_id, dataset_name, dataset_digest)
        return record.log_metrics(self._writer(run_id), metrics, step, timestamp, synchronous, measured)

    def log_param(self, run_id: str, key: str, value: Any, synchronous: bool | None = None) -> Any:
        """Log a param; returns its value, or a PendingWrite when `synchronous` is False."""
        pending = record.log_params(
            self._writer(run_id), {values.check_key("Param", key): value}, synchronous
        )
        return pending or value

    def set_tag(
        self, run_id: str, key: str, value: Any, synchronous: bool | None = None
    ) -> PendingWrite | None:
        """Set a tag."""
        return record.set_tags(self._writer(run_id), {values.check_key("Tag", key): value}, synchronous)

    def log_batch(
        self,
        run_id: str,
        metrics: Sequence[Metric] = (),
        params: Sequence[Param] = (),
        tags: Sequence[RunTag] = (),
        synchronous: bool | None = None,
    ) -> PendingWrite | None:
        """Log any number of points, params and tags; nothing is logged when one of them is bad."""
        run_writer = self._writer(run_id)
        record.log_batch(run_writer, metrics, params, tags)
        keys = [point.key for point in metrics] + [param.key for param in params] + [tag.key for tag in tags]
        return record.answer(run_writer, synchronous, *keys)

    def delete_tag(self, run_id: str, key: str) -> None:
        """Remove a tag; RESOURCE_DOES_NOT_EXIST when the run has no such tag (the receipt says it without a server)."""
        key = values.check_key("Tag", key)
        self._now_or_later(
            run_id,
            lambda known_id: self._calls.delete_tag(known_id, key),
            lambda run_writer: run_writer.remove_tag(key),
        )

    def get_metric_history(self, run_id: str, key: str) -> list[Metric]:
        """Return all points of a metric in order of (timestamp, step, value), NaN after every number."""
        from stepwell.reading.reads import Reads
        from stepwell.wire.connection import connect

        return Reads(connect(self.tracking_uri)).points(
            self._delivered(run_id), values.check_key("Metric", key)
        )

    def flush(self, timeout: float | None = None) -> Receipt:
        """Wait until all that this process logged is committed, at most `timeout` seconds."""
        return logs.flush_and_tell(timeout)

    def _writer(self, run_id: str) -> writer.RunWriter:
        return writer.writer_for(self.tracking_uri, values.to_run_id(run_id))

    def _now_or_later(
        self, run_id: str, now: Callable[[str], object], later: Callable[[writer.RunWriter], object]
    ) -> None:
        """Change a run behind what was logged to it: by a call, or in its log when that cannot be delivered now."""
        run_writer = self._writer(run_id)

        def after_what_was_logged() -> None:
            if run_writer.flush().waiting:
                later(run_writer)
            else:
                now(run_writer.run_id)

        offline.now_or_later(self.tracking_uri, after_what_was_logged, lambda: later(run_writer))

    def _deliver_all(self) -> None:
        """Deliver what this process logged to any run, so that searching sees it; raises at once without a server."""
        from stepwell.wire.connection import connect

        connect(self.tracking_uri).check(settings.reach_timeout_s())
        self.flush()

    def _delivered(self, run_id: str) -> str:
        """Return the run's id after delivering what was logged to it, so that reading sees it."""
        run_id = values.to_run_id(run_id)
        logs.flush_run(self.tracking_uri, run_id)
        return run_id
