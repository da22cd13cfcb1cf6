"""Our entities as MLflow's and back, for the MLflow that is installed."""

import inspect
from collections.abc import Iterable
from typing import Any

from mlflow import entities as mlflow
from mlflow.store.entities.paged_list import PagedList

from stepwell.entities import (
    Dataset,
    DatasetInput,
    Experiment,
    FileInfo,
    InputTag,
    LoggedModel,
    Metric,
    Run,
    RunInfo,
    RunStatus,
)
from stepwell.integrations.mlflow_plugin import addresses

# mlflow 3 has models of their own.
KNOWS_LOGGED_MODELS = hasattr(mlflow, "LoggedModelOutput")
CONTEXT_TAG = "mlflow.data.context"
# mlflow 2 wants a run's id twice.
_NAMES_RUN_TWICE = "run_uuid" in inspect.signature(mlflow.RunInfo.__init__).parameters


def experiment(it: Experiment) -> mlflow.Experiment:
    """Return an experiment."""
    return mlflow.Experiment(
        experiment_id=it.experiment_id,
        name=it.name,
        artifact_location=it.artifact_location,
        lifecycle_stage=it.lifecycle_stage,
        tags=[mlflow.ExperimentTag(key, value) for key, value in it.tags.items()],
        creation_time=it.creation_time,
        last_update_time=it.last_update_time,
    )


def run(it: Run, tracking_uri: str) -> mlflow.Run:
    """Return a run whose artifacts are found below `tracking_uri`."""
    data = mlflow.RunData(
        metrics=[metric(point) for point in it.data.latest_points.values()],
        params=[mlflow.Param(key, value) for key, value in it.data.params.items()],
        tags=[mlflow.RunTag(key, value) for key, value in it.data.tags.items()],
    )
    datasets = [_dataset_input(each) for each in it.inputs.dataset_inputs]
    if not KNOWS_LOGGED_MODELS:
        return mlflow.Run(run_info(it.info, tracking_uri), data, mlflow.RunInputs(dataset_inputs=datasets))
    inputs = mlflow.RunInputs(
        dataset_inputs=datasets,
        model_inputs=[mlflow.LoggedModelInput(each.model_id) for each in it.inputs.model_inputs],
    )
    made = [mlflow.LoggedModelOutput(each.model_id, each.step) for each in it.outputs.model_outputs]
    return mlflow.Run(run_info(it.info, tracking_uri), data, inputs, mlflow.RunOutputs(model_outputs=made))


def logged_model(it: LoggedModel, tracking_uri: str) -> Any:
    """Return a logged model whose files are found below `tracking_uri`."""
    return mlflow.LoggedModel(
        experiment_id=it.experiment_id,
        model_id=it.model_id,
        name=it.name,
        artifact_location=addresses.model_uri(tracking_uri, it.model_id),
        creation_timestamp=it.creation_timestamp,
        last_updated_timestamp=it.last_updated_timestamp,
        model_type=it.model_type,
        source_run_id=it.source_run_id,
        status=mlflow.LoggedModelStatus(str(it.status)),
        status_message=it.status_message,
        tags=it.tags,
        params=it.params,
        metrics=[
            mlflow.Metric(
                *(each.key, each.value, each.timestamp, each.step),
                model_id=each.model_id,
                dataset_name=each.dataset_name,
                dataset_digest=each.dataset_digest,
                run_id=each.run_id,
            )
            for each in it.metrics
        ],
    )


def run_info(it: RunInfo, tracking_uri: str) -> mlflow.RunInfo:
    """Return a run without what it logged."""
    twice = {"run_uuid": it.run_id} if _NAMES_RUN_TWICE else {}
    return mlflow.RunInfo(
        **twice,
        run_id=it.run_id,
        experiment_id=it.experiment_id,
        user_id=it.user_id,
        status=it.status,
        start_time=it.start_time,
        end_time=it.end_time,
        lifecycle_stage=it.lifecycle_stage,
        artifact_uri=addresses.artifact_uri(tracking_uri, it.run_id),
        run_name=it.run_name,
    )


def metric(it: Metric) -> mlflow.Metric:
    """Return a point."""
    return mlflow.Metric(it.key, it.value, it.timestamp, it.step)


def file_info(it: FileInfo, path: str) -> mlflow.FileInfo:
    """Return an artifact under the path that it has for MLflow."""
    return mlflow.FileInfo(path, it.is_dir, it.file_size)


def page(items: Iterable[Any], token: str | None) -> PagedList:
    """Return a page of a listing; `token` asks for the next one."""
    return PagedList(items, token)


def status_name(status: object) -> str | None:
    """Return the name of a status that MLflow gives as a number or as a name; None stays None."""
    return RunStatus.to_string(status) if isinstance(status, int) else status  # type: ignore[return-value]


def to_tags(tags: Iterable[Any] | None) -> dict[str, Any]:
    """Return tags of MLflow as a dictionary; the later one of a name wins."""
    return {tag.key: tag.value for tag in tags or ()}


def to_dataset_input(it: Any) -> DatasetInput:
    """Return a data set of a run."""
    dataset = it.dataset
    return DatasetInput(
        Dataset(
            dataset.name, dataset.digest, dataset.source_type, dataset.source, dataset.schema, dataset.profile
        ),
        [InputTag(tag.key, tag.value) for tag in it.tags or ()],
    )


def dataset_summaries(runs: Iterable[Run]) -> list[Any]:
    """Return which data sets runs used, each once for each context."""
    found = {
        (run.info.experiment_id, used.dataset.name, used.dataset.digest, _context(used)): None
        for run in runs
        for used in run.inputs.dataset_inputs
    }
    return [mlflow._DatasetSummary(*each) for each in found]


def _context(it: DatasetInput) -> str | None:
    return next((tag.value for tag in it.tags if tag.key == CONTEXT_TAG), None)


def _dataset_input(it: DatasetInput) -> mlflow.DatasetInput:
    dataset = it.dataset
    return mlflow.DatasetInput(
        dataset=mlflow.Dataset(
            name=dataset.name,
            digest=dataset.digest,
            source_type=dataset.source_type,
            source=dataset.source,
            schema=dataset.schema,
            profile=dataset.profile,
        ),
        tags=[mlflow.InputTag(tag.key, tag.value) for tag in it.tags],
    )
