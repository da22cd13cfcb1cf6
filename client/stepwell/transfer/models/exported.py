"""Logged models in exports: a row each, and their files below models/<model id>/."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from stepwell.entities import LoggedModel, Metric, Run
from stepwell.errors import StepwellException
from stepwell.files.calls import ArtifactCalls
from stepwell.files.downloads import Downloader
from stepwell.logged_models.calls import LoggedModelCalls
from stepwell.transfer.imported_experiments import reason_of
from stepwell.transfer.left import Left
from stepwell.transfer.sources import ArtifactFiles, ImportedModel, ModelOfRun, SourceError

COLUMNS: Mapping[str, type] = {
    "model_id": str, "experiment": str, "name": str, "type": str, "source_run": str, "status": str,
    "status_message": str, "creation_time": int, "params": str, "tags": str, "metrics": str, "outputs": str,
    "files": int,
}  # fmt: skip
_POINT = ("key", "value", "timestamp", "step", "run_id", "dataset_name", "dataset_digest")


def model_rows(
    uri: str, runs: Sequence[Run], experiment_names: Mapping[str, str], folder: Path | None, left: Left
) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of the models that runs made; with a folder, their files are fetched into it."""
    steps: dict[str, list[tuple[str, int]]] = {}
    for run in runs:
        for output in run.outputs.model_outputs:
            steps.setdefault(output.model_id, []).append((run.info.run_id, output.step))
    calls = LoggedModelCalls(uri)
    for model_id, made in steps.items():
        try:
            model = calls.get(model_id)
            listed = list(ArtifactCalls(uri).list(model_id, "", recursive=True))
            if folder is not None and listed:
                with Downloader(uri, model_id) as downloader:
                    downloader.download("", folder / model_id)
        except StepwellException as failure:
            left.add(f"logged model {model_id}: {reason_of(failure)}")
            continue
        yield _row(model, experiment_names, made, len(listed))


def _row(
    model: LoggedModel, experiment_names: Mapping[str, str], made: Sequence[tuple[str, int]], files: int
) -> tuple[Any, ...]:
    points = [[getattr(it, name) for name in _POINT] for it in model.metrics]
    return (
        model.model_id,
        experiment_names.get(model.experiment_id, ""),
        model.name,
        model.model_type,
        model.source_run_id,
        str(model.status),
        model.status_message,
        model.creation_timestamp,
        json.dumps(model.params),
        json.dumps(model.tags),
        json.dumps(points),
        json.dumps(made),
        files,
    )


def model_of(
    row: Mapping[str, Any], folder: Path, artifacts: Callable[[Path, str], ArtifactFiles]
) -> ImportedModel:
    """Return the model of a row; `artifacts` gives the files of a folder. Raises ValueError and the like."""
    model_id = str(row["model_id"])
    place = folder / "models" / Path(model_id).name
    whose = f"logged model {model_id}"
    return ImportedModel(
        source_id=model_id,
        experiment=str(row["experiment"]),
        name=str(row["name"]),
        model_type=str(row["type"] or ""),
        source_run=str(row["source_run"] or ""),
        status=str(row["status"]),
        status_message=str(row["status_message"] or ""),
        created_ms=int(row["creation_time"]),
        params={str(key): str(value) for key, value in json.loads(row["params"]).items()},
        tags={str(key): str(value) for key, value in json.loads(row["tags"]).items()},
        metrics=[_point(it) for it in json.loads(row["metrics"])],
        outputs=[ModelOfRun(str(run), int(step)) for run, step in json.loads(row["outputs"])],
        artifacts=artifacts(place, whose) if place.exists() or not row["files"] else _not_exported,
    )


def _point(fields: Sequence[Any]) -> Metric:
    key, value, timestamp, step, run, dataset, digest = fields
    return Metric(
        str(key), float(value), int(timestamp), int(step), str(run), None, dataset or "", digest or ""
    )


def _not_exported(_: Mapping[str, int]) -> Any:
    raise SourceError("its files were not exported; export them --with-artifacts")
