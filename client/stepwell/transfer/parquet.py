"""What an export wrote (see `exporting`), as a source of an import."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from stepwell import extras
from stepwell.entities import Alert, Dataset, DatasetInput, Histogram, InputTag
from stepwell.errors import invalid
from stepwell.transfer import exported_observations
from stepwell.transfer.artifact_sources import folder_artifacts
from stepwell.transfer.left import Left
from stepwell.transfer.mlflow.values import status_of, time_of
from stepwell.transfer.models import exported, registry_files
from stepwell.transfer.reach import Reach
from stepwell.transfer.sources import (
    ArtifactFiles,
    ImportedExperiment,
    ImportedModel,
    ImportedRegistered,
    ImportedRun,
    PointColumns,
    SourceError,
    as_run_id,
)

# What a file raises that is damaged (pyarrow's errors are among these), or that is none of an export.
_DAMAGED = (OSError, ValueError, KeyError, TypeError, AttributeError, NotImplementedError)

# Rows that are read at once: 24 bytes, and at most 8 kB each.
POINTS_AT_ONCE = 131_072
HISTOGRAMS_AT_ONCE = 1_000


class ParquetFolder:
    """The folder of an export. Points come in the order of the files."""

    def __init__(self, folder: Path, outside: Sequence[Path] = ()) -> None:
        self._parquet = extras.load("pyarrow.parquet", "Importing an export", "export")
        self._dataset = extras.load("pyarrow.dataset", "Importing an export", "export")
        if not (folder / "runs.parquet").is_file():
            raise invalid(
                f"{str(folder)!r} is no export of Stepwell, or it was not finished: it has no runs.parquet."
            )
        self._folder = folder
        self._reach = Reach([folder, *outside])
        self.left = Left()

    def experiments(self) -> Iterator[ImportedExperiment]:
        """See `Source`."""
        if not (self._folder / "experiments.parquet").exists():  # of the first versions
            yield from map(ImportedExperiment, dict.fromkeys(row["experiment"] for row in self._rows("runs")))
            return
        for row in self._rows("experiments", "name", "tags"):
            yield ImportedExperiment(row["name"], _tags(row["tags"]))

    def runs(self) -> Iterator[ImportedRun]:
        """See `Source`."""
        params, tags, inputs = self._texts("params"), self._texts("tags"), self._inputs()
        alerts = self._alerts()
        for row in self._rows("runs", "run_id", "experiment", "status", "start_time"):
            run_id = as_run_id(str(row["run_id"]))
            if run_id is None:
                self.left.add(f"run {str(row['run_id'])[:60]!r}: its id is none of Stepwell's")
                continue
            tell = partial(_tell, self.left, run_id)
            end_time_ms = time_of("end_time", row.get("end_time"), tell)
            yield ImportedRun(
                source_id=run_id,
                experiment=str(row["experiment"]),
                name=str(row.get("name") or ""),
                status=status_of(row["status"], end_time_ms, tell),
                start_time_ms=time_of("start_time", row["start_time"], tell) or 0,
                end_time_ms=end_time_ms,
                points=partial(self._points, row["run_id"]),
                user=str(row.get("user") or ""),
                params=params.get(row["run_id"], {}),
                tags=tags.get(row["run_id"], {}),
                inputs=inputs.get(row["run_id"], ()),
                histograms=partial(self._histograms, row["run_id"]),
                alerts=alerts.get(row["run_id"], ()),
                artifacts=folder_artifacts(
                    self._folder / "artifacts" / run_id, self._reach, self.left, f"run {run_id}"
                ),
            )

    def models(self) -> Iterator[ImportedModel]:
        """See `Source`."""
        if not (self._folder / "models.parquet").exists():  # of the first versions, or there were none
            return

        def artifacts(folder: Path, whose: str) -> ArtifactFiles:
            return folder_artifacts(folder, self._reach, self.left, whose)

        for row in self._rows("models", *exported.COLUMNS):
            try:
                yield exported.model_of(row, self._folder, artifacts)
            except _DAMAGED as failure:
                self.left.add(f"logged model {str(row['model_id'])[:60]}: {failure}")

    def registered(self) -> Iterator[ImportedRegistered]:
        """See `Source`."""
        if (self._folder / f"{registry_files.MODELS}.parquet").exists():
            yield from registry_files.registered_of(self._rows, self.left.add, _DAMAGED)

    def not_taken(self) -> Iterator[str]:
        """See `Source`."""
        return iter(())

    def _rows(self, name: str, *columns: str) -> list[dict[str, Any]]:
        """Return the rows of a file, which have at least these columns; none when it is damaged, which is told."""
        path = self._folder / f"{name}.parquet"
        try:
            rows: list[dict[str, Any]] = self._parquet.read_table(self._reach.check(path)).to_pylist()
            missing = set(columns) - set(rows[0]) if rows else set()
            if missing:
                raise KeyError(f"the columns {', '.join(sorted(missing))}")
        except SourceError as failure:
            self.left.add(str(failure))
        except _DAMAGED as failure:
            self.left.add(f"{path} cannot be read: {failure}")
        else:
            return rows
        return []

    def _texts(self, name: str) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        for row in self._rows(name, "run_id", "key", "value"):
            found.setdefault(row["run_id"], {})[str(row["key"])] = str(row["value"])
        return found

    def _inputs(self) -> Mapping[str, Sequence[DatasetInput]]:
        found: dict[str, list[DatasetInput]] = {}
        if not (self._folder / "inputs.parquet").exists():  # of the first versions
            return found
        fields = ("name", "digest", "source_type", "source", "schema", "profile")
        for row in self._rows("inputs", "run_id", *fields, "tags"):
            tags = [InputTag(key, value) for key, value in _tags(row["tags"]).items()]
            named, large = fields[:4], fields[4:]
            dataset = Dataset(
                *(str(row[field] or "") for field in named),
                *(None if row[field] is None else str(row[field]) for field in large),
            )
            found.setdefault(row["run_id"], []).append(DatasetInput(dataset, tags))
        return found

    def _alerts(self) -> Mapping[str, Sequence[Alert]]:
        found: dict[str, list[Alert]] = {}
        if not (self._folder / f"{exported_observations.ALERTS}.parquet").exists():  # there were none
            return found
        for row in self._rows(exported_observations.ALERTS, *exported_observations.ALERT_COLUMNS):
            try:
                found.setdefault(row["run_id"], []).append(exported_observations.alert_of(row))
            except _DAMAGED as failure:
                self.left.add(f"an alert of run {str(row['run_id'])[:60]}: {failure}")
        return found

    def _points(self, run_id: str) -> Iterator[PointColumns]:
        for path in sorted((self._folder / "points").glob("*.parquet")):
            for batch in self._batches(path, run_id, ("key", "step", "timestamp", "value")):
                yield _columns(batch)

    def _histograms(self, run_id: str) -> Iterator[Sequence[Histogram]]:
        path = self._folder / f"{exported_observations.HISTOGRAMS}.parquet"
        if not path.exists():  # there were none
            return
        for batch in self._batches(path, run_id, exported_observations.HISTOGRAM_COLUMNS, HISTOGRAMS_AT_ONCE):
            found = []
            for row in batch.to_pylist():
                try:
                    found.append(exported_observations.histogram_of(row))
                except _DAMAGED as failure:
                    self.left.add(f"run {run_id}, histogram {str(row['key'])[:60]!r}: {failure}")
            yield found

    def _batches(
        self, path: Path, run_id: str, columns: Sequence[str], rows_max: int = POINTS_AT_ONCE
    ) -> Iterator[Any]:
        """Yield the rows of a run in a file; where it is damaged that is told."""
        of_run = self._dataset.field("run_id").cast("string") == run_id
        try:
            scanner = self._dataset.dataset(str(self._reach.check(path)), format="parquet").scanner(
                columns=list(columns), filter=of_run, use_threads=False, batch_size=rows_max
            )
            for batch in scanner.to_batches():
                if batch.num_rows:
                    yield batch
        except SourceError as failure:
            self.left.add(str(failure))
        except _DAMAGED as failure:
            self.left.add(f"run {run_id}: {path} cannot be read: {failure}")


def _tell(left: Left, run_id: str, problem: str) -> None:
    left.add(f"run {run_id}: {problem}")


def _tags(text: str) -> dict[str, str]:
    try:
        found = json.loads(text)
    except (TypeError, ValueError):
        found = {}
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def _columns(batch: Any) -> PointColumns:
    """A record batch as columns; rows of one key stand together in an export."""
    encoded = batch.column("key")
    encoded = encoded if hasattr(encoded, "indices") else encoded.dictionary_encode()
    places = encoded.indices.to_numpy(zero_copy_only=False)
    starts = np.flatnonzero(np.append(True, places[1:] != places[:-1]))
    names = encoded.dictionary.to_pylist()
    return PointColumns(
        keys=[names[place] for place in places[starts].tolist()],
        counts=np.diff(np.append(starts, len(places))).tolist(),
        steps=batch.column("step").to_numpy().astype(np.int64),
        timestamps=batch.column("timestamp").to_numpy().astype(np.int64),
        values=batch.column("value").to_numpy().astype(np.float64),
    )
