"""What an export wrote (see `exporting`), as a source of an import."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from stepwell import extras
from stepwell.errors import invalid
from stepwell.transfer.artifact_sources import folder_artifacts
from stepwell.transfer.sources import ImportedExperiment, ImportedRun, PointColumns


class ParquetFolder:
    """The folder of an export. Points come in the order of the files."""

    def __init__(self, folder: Path) -> None:
        self._parquet = extras.load("pyarrow.parquet", "Importing an export", "export")
        self._dataset = extras.load("pyarrow.dataset", "Importing an export", "export")
        if not (folder / "runs.parquet").is_file():
            raise invalid(
                f"{str(folder)!r} is no export of Stepwell, or it was not finished: it has no runs.parquet."
            )
        self._folder = folder

    def experiments(self) -> Iterator[ImportedExperiment]:
        """See `Source`."""
        file = self._folder / "experiments.parquet"
        if not file.is_file():  # of the first versions
            names = self._parquet.read_table(self._folder / "runs.parquet", columns=["experiment"])
            yield from map(ImportedExperiment, dict.fromkeys(names.column(0).to_pylist()))
            return
        for row in self._parquet.read_table(file).to_pylist():
            yield ImportedExperiment(row["name"], json.loads(row["tags"]))

    def runs(self) -> Iterator[ImportedRun]:
        """See `Source`."""
        params, tags = self._by_run("params"), self._by_run("tags")
        for row in self._parquet.read_table(self._folder / "runs.parquet").to_pylist():
            yield ImportedRun(
                source_id=row["run_id"],
                experiment=row["experiment"],
                name=row["name"],
                status=row["status"],
                start_time_ms=row["start_time"],
                end_time_ms=row["end_time"],
                points=lambda run_id=row["run_id"]: self._points(run_id),  # type: ignore[misc]
                user=row["user"],
                params=params.get(row["run_id"], {}),
                tags=tags.get(row["run_id"], {}),
                artifacts=folder_artifacts(self._folder / "artifacts" / row["run_id"]),
            )

    def _by_run(self, name: str) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        for row in self._parquet.read_table(self._folder / f"{name}.parquet").to_pylist():
            found.setdefault(row["run_id"], {})[row["key"]] = row["value"]
        return found

    def _points(self, run_id: str) -> Iterator[PointColumns]:
        files = sorted(map(str, (self._folder / "points").glob("*.parquet")))
        if not files:
            return
        of_run = self._dataset.field("run_id").cast("string") == run_id
        scanner = self._dataset.dataset(files, format="parquet").scanner(
            columns=["key", "step", "timestamp", "value"], filter=of_run, use_threads=False
        )
        for batch in scanner.to_batches():
            if batch.num_rows:
                yield _columns(batch)


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
        steps=batch.column("step").to_numpy(),
        timestamps=batch.column("timestamp").to_numpy(),
        values=batch.column("value").to_numpy(),
    )
