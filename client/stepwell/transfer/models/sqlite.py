"""Logged models of MLflow's database in SQLite."""

from collections.abc import Callable, Iterator
from typing import Any

from stepwell.entities import Metric
from stepwell.transfer.mlflow.values import point, time_of
from stepwell.transfer.sources import ArtifactFiles, ImportedModel, ModelOfRun, as_run_id

STATUSES = {1: "PENDING", 2: "READY", 3: "FAILED"}
TABLES = ("logged_models", "logged_model_params", "logged_model_tags", "logged_model_metrics")

_MODELS = (
    "SELECT model_id, logged_models.name, model_type, source_run_id, status, status_message,"
    " logged_models.creation_timestamp_ms, logged_models.artifact_location, experiments.name"
    " FROM logged_models JOIN experiments USING (experiment_id)"
    " WHERE logged_models.lifecycle_stage = 'active' AND experiments.lifecycle_stage = 'active'"
    " ORDER BY logged_models.creation_timestamp_ms, model_id"
)
_METRICS = (
    "SELECT metric_name, metric_step, metric_timestamp_ms, metric_value, run_id, dataset_name, dataset_digest"
    " FROM logged_model_metrics WHERE model_id = ?"
)

Some = Callable[..., list[Any]]
Artifacts = Callable[[str, str], ArtifactFiles]


def models_of(
    some: Some, source_of: Callable[[str], str], artifacts_at: Artifacts, tell: Callable[[str], None]
) -> Iterator[ImportedModel]:
    """Yield the models.

    Args:
        some: returns the rows of a query: what it is about, the query, its arguments.
        source_of: returns the source id of a run.
        artifacts_at: returns the files at a URI; the second text says whose they are.
        tell: is told what cannot come.
    """
    for model_id, name, kind, run, status, message, created, location, experiment in some(
        "logged models", _MODELS
    ):
        whose = f"logged model {model_id}"
        outputs = "SELECT source_id, step FROM inputs WHERE source_type = 'RUN_OUTPUT' AND destination_id = ?"
        inputs = "SELECT source_id FROM inputs WHERE source_type = 'RUN_INPUT' AND destination_id = ?"
        yield ImportedModel(
            source_id=str(model_id),
            experiment=str(experiment),
            name=_text(name),
            model_type=_text(kind),
            source_run=source_of(str(run)) if run else "",
            status=STATUSES.get(status, "PENDING"),
            status_message=_text(message),
            created_ms=time_of("creation time", created, tell) or 0,
            params=_texts(some, "param", whose, model_id),
            tags=_texts(some, "tag", whose, model_id),
            metrics=list(_metrics(some(f"metrics of {whose}", _METRICS, model_id), source_of, whose, tell)),
            outputs=[
                ModelOfRun(source_of(str(of_run)), int(step or 0))
                for of_run, step in some(f"runs of {whose}", outputs, model_id)
            ],
            inputs=[source_of(str(it)) for (it,) in some(f"runs of {whose}", inputs, model_id)],
            artifacts=artifacts_at(_text(location), whose),
        )


def source_id_of(prefix: str, run_id: str) -> str:
    """Return the source id of a run: its own id, or below a prefix."""
    return as_run_id(run_id) or f"{prefix} {run_id}"


def _texts(some: Some, kind: str, whose: str, model_id: Any) -> dict[str, str]:
    query = f"SELECT {kind}_key, {kind}_value FROM logged_model_{kind}s WHERE model_id = ?"  # noqa: S608 - two words
    return {str(key): _text(value) for key, value in some(f"{kind}s of {whose}", query, model_id)}


def _metrics(
    rows: list[Any], source_of: Callable[[str], str], whose: str, tell: Callable[[str], None]
) -> Iterator[Metric]:
    for key, step, time, value, run, dataset, digest in rows:
        try:
            name, at_step, at_ms, number = point(str(key), step, time, value)
        except ValueError as failure:
            tell(f"{whose}: a point of {key!r} is none: {failure}")
        else:
            yield Metric(
                name, number, at_ms, at_step, source_of(str(run)), None, _text(dataset), _text(digest)
            )


def _text(value: Any) -> str:
    return "" if value is None else str(value)
