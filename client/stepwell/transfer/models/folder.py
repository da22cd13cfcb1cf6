"""Logged models of MLflow's folder `mlruns`.

<experiment>/models/<model>/meta.yaml, params/<key>, tags/<key>, metrics/<key>, artifacts/
<experiment>/<run>/outputs/<model>/meta.yaml    at which step a run made it
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from stepwell.entities import Metric
from stepwell.transfer.mlflow.values import point, time_of
from stepwell.transfer.models.sqlite import STATUSES
from stepwell.transfer.sources import ArtifactFiles, ImportedModel, ModelOfRun, SourceError

# Of a line of a metric: time, value, step, run, and where it was measured on a data set, its name and digest.
WORDS_MIN = 4

Tell = Callable[[str], None]


def model_of(
    folder: Path,
    experiment: str,
    meta: Mapping[str, Any],
    *,
    texts: Callable[[Path, Tell], dict[str, str]],
    meta_of: Callable[[Path, Tell], Mapping[str, Any]],
    artifacts: ArtifactFiles,
    tell: Tell,
) -> ImportedModel:
    """Return the model of a folder; `texts` reads files by name, `meta_of` a meta.yaml."""
    run = str(meta.get("source_run_id") or "")
    made = folder.parent.parent / run / "outputs" / folder.name
    step = meta_of(made, tell).get("step", 0) if run and (made / "meta.yaml").is_file() else None
    status = meta.get("status")
    return ImportedModel(
        source_id=folder.name,
        experiment=experiment,
        name=str(meta.get("name") or ""),
        model_type=str(meta.get("model_type") or ""),
        source_run=run,
        status=STATUSES.get(status, "PENDING") if isinstance(status, int) else "PENDING",
        status_message=str(meta.get("status_message") or ""),
        created_ms=time_of("creation_timestamp", meta.get("creation_timestamp"), tell) or 0,
        params=texts(folder / "params", tell),
        tags=texts(folder / "tags", tell),
        metrics=[
            it
            for key, text in texts(folder / "metrics", tell).items()
            for it in _metrics(key, text, run, tell)
        ],
        outputs=[ModelOfRun(run, step if isinstance(step, int) else 0)] if step is not None else (),
        artifacts=artifacts,
    )


def _metrics(key: str, text: str, run: str, tell: Tell) -> Iterator[Metric]:
    for line in text.splitlines():
        fields = line.split(" ")
        try:
            if len(fields) < WORDS_MIN:
                raise SourceError("it has too few words")
            time, value, step, of_run, *dataset = fields
            name, at_step, at_ms, number = point(key, int(step), int(time), float(value))
        except (ValueError, SourceError) as failure:
            tell(f"a line of metric {key!r} is none: {failure}")
        else:
            on, digest = " ".join(dataset[:-1]), "".join(dataset[-1:])
            yield Metric(name, number, at_ms, at_step, of_run or run, None, on, digest)
