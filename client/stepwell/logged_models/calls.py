"""The calls about logged models on one server: entities in, entities out. Errors: see `Connection.call`."""

from collections.abc import Mapping, Sequence
from typing import Any

from stepwell import values
from stepwell.entities import (
    LoggedModel,
    LoggedModelInput,
    LoggedModelOutput,
    LoggedModelStatus,
    Metric,
    PagedList,
)
from stepwell.errors import invalid
from stepwell.wire import messages
from stepwell.wire.connection import connect
from stepwell_api.v1 import models_pb2, runs_pb2

_STATUSES = {
    LoggedModelStatus.PENDING: models_pb2.LOGGED_MODEL_STATUS_PENDING,
    LoggedModelStatus.READY: models_pb2.LOGGED_MODEL_STATUS_READY,
    LoggedModelStatus.FAILED: models_pb2.LOGGED_MODEL_STATUS_FAILED,
}
_STATUSES_BACK: dict[int, LoggedModelStatus] = {number: status for status, number in _STATUSES.items()}


class LoggedModelCalls:
    """Logged models of one server."""

    def __init__(self, uri: str) -> None:
        self._connection = connect(uri)

    def create(self, spec: models_pb2.LoggedModelSpec) -> LoggedModel:
        """Create a model; a repeat returns the model as it is."""
        request = models_pb2.CreateLoggedModelRequest(spec=spec)
        return to_entity(self._connection.call(lambda server: server.models.CreateLoggedModel(request)).model)

    def adopt(self, spec: models_pb2.LoggedModelSpec, folder: str) -> None:
        """Make a READY model of files that its source run has in a folder, if there is a model in it; once."""
        request = models_pb2.CreateLoggedModelRequest(spec=spec, files_of_run=folder)
        self._connection.call(lambda server: server.models.CreateLoggedModel(request))

    def get(self, model_id: str) -> LoggedModel:
        """Return a model."""
        request = models_pb2.GetLoggedModelRequest(model_id=model_id)
        return to_entity(self._connection.call(lambda server: server.models.GetLoggedModel(request)).model)

    def finalize(self, model_id: str, status: LoggedModelStatus, message: str = "") -> LoggedModel:
        """Say that a model is complete, or never will be."""
        request = models_pb2.FinalizeLoggedModelRequest(
            model_id=model_id, status=_STATUSES[status], status_message=message
        )
        answer = self._connection.call(lambda server: server.models.FinalizeLoggedModel(request))
        return to_entity(answer.model)

    def log_params(self, model_id: str, params: Mapping[str, str]) -> None:
        """Add params."""
        request = models_pb2.LogLoggedModelParamsRequest(model_id=model_id, params=to_params(params))
        self._connection.call(lambda server: server.models.LogLoggedModelParams(request))

    def set_tags(self, model_id: str, tags: Mapping[str, str]) -> None:
        """Set tags."""
        request = models_pb2.SetLoggedModelTagsRequest(model_id=model_id, tags=messages.to_tags(tags))
        self._connection.call(lambda server: server.models.SetLoggedModelTags(request))

    def delete_tag(self, model_id: str, key: str) -> None:
        """Remove a tag."""
        request = models_pb2.DeleteLoggedModelTagRequest(model_id=model_id, key=key)
        self._connection.call(lambda server: server.models.DeleteLoggedModelTag(request))

    def delete(self, model_id: str) -> None:
        """Delete a model."""
        request = models_pb2.DeleteLoggedModelRequest(model_id=model_id)
        self._connection.call(lambda server: server.models.DeleteLoggedModel(request))

    def restore(self, model_id: str) -> None:
        """Restore a model."""
        request = models_pb2.RestoreLoggedModelRequest(model_id=model_id)
        self._connection.call(lambda server: server.models.RestoreLoggedModel(request))

    def search(self, request: models_pb2.SearchLoggedModelsRequest) -> PagedList[LoggedModel]:
        """Return what the server answers of a page of models; it may be less than a page."""
        answer = self._connection.call(lambda server: server.models.SearchLoggedModels(request))
        return PagedList(map(to_entity, answer.models), answer.next_page_token or None)

    def link(
        self, run_id: str, outputs: Sequence[LoggedModelOutput], inputs: Sequence[LoggedModelInput] = ()
    ) -> None:
        """Note which models a run made, and used."""
        request = models_pb2.LinkLoggedModelsRequest(
            run_id=run_id,
            outputs=[runs_pb2.ModelOutput(model_id=it.model_id, step=it.step) for it in outputs],
            inputs=[runs_pb2.ModelInput(model_id=it.model_id) for it in inputs],
        )
        self._connection.call(lambda server: server.models.LinkLoggedModels(request))


def to_entity(message: models_pb2.LoggedModel) -> LoggedModel:
    """Return a model."""
    return LoggedModel(
        experiment_id=str(message.experiment_id),
        model_id=message.model_id,
        name=message.name,
        artifact_location=message.artifact_uri,
        creation_timestamp=message.creation_time_ms,
        last_updated_timestamp=message.last_update_time_ms,
        model_type=message.model_type or None,
        source_run_id=message.source_run_id or None,
        status=_STATUSES_BACK.get(message.status, LoggedModelStatus.UNSPECIFIED),
        status_message=message.status_message or None,
        tags={tag.key: tag.value for tag in message.tags},
        params={param.key: param.value for param in message.params},
        metrics=[
            Metric(
                it.key,
                it.value,
                it.timestamp_ms,
                it.step,
                it.run_id,
                message.model_id,
                it.dataset_name or None,
                it.dataset_digest or None,
            )
            for it in message.metrics
        ],
    )


def to_params(params: Mapping[str, str]) -> list[runs_pb2.Param]:
    """Return params as messages."""
    return [runs_pb2.Param(key=key, value=value) for key, value in params.items()]


def to_search(
    experiment_ids: Sequence[Any] | None,
    filter_string: str | None,
    datasets: Sequence[Mapping[str, Any]] | None,
    order_by: Sequence[Mapping[str, Any]] | None,
    page_token: str | None,
) -> models_pb2.SearchLoggedModelsRequest:
    """Return the request for a page of models; dicts as MLflow has them.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE for a key of an order, or a data set, without its name.
    """
    return models_pb2.SearchLoggedModelsRequest(
        experiment_ids=map(values.to_experiment_id, experiment_ids or ()),
        all_experiments=experiment_ids is None,
        filter=filter_string or "",
        datasets=[_dataset(it) for it in datasets or ()],
        order_by=[_order(it) for it in order_by or ()],
        page_token=page_token or "",
    )


def _order(key: Mapping[str, Any]) -> models_pb2.LoggedModelOrder:
    if not isinstance(key, Mapping) or not key.get("field_name"):
        raise invalid(
            'A key of an order is a dictionary such as {"field_name": "metrics.loss", "ascending": True}, not '
            f"{key!r}."
        )
    return models_pb2.LoggedModelOrder(
        field=str(key["field_name"]),
        descending=not key.get("ascending", True),
        dataset=_dataset(key) if key.get("dataset_name") else None,
    )


def _dataset(given: Mapping[str, Any]) -> models_pb2.DatasetName:
    if not isinstance(given, Mapping) or not given.get("dataset_name"):
        raise invalid(f'A data set is a dictionary such as {{"dataset_name": "test"}}, not {given!r}.')
    return models_pb2.DatasetName(
        name=str(given["dataset_name"]), digest=str(given.get("dataset_digest") or "")
    )
