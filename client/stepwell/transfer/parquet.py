"""Export to Parquet and back: a folder with runs, params, tags, metrics_latest and points in long form.

| file | columns |
|---|---|
| runs.parquet | run_id, experiment_id, experiment, name, status, start_time, end_time, user, artifact_uri |
| params.parquet, tags.parquet | run_id, key, value |
| points/part-00000.parquet, ... | run_id, key, step, timestamp, value |

Times are milliseconds since the epoch. A file that is not finished is named .partial.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stepwell import extras, settings
from stepwell.calls import Calls
from stepwell.connection import connect
from stepwell.entities import Run
from stepwell.errors import invalid
from stepwell.reads import Reads
from stepwell.transfer.sources import ImportedRun, PointColumns
from stepwell_api.v1 import series_pb2

# Points of one row group: 16 MB before compression.
GROUP_POINTS = 1_000_000
# Points of one file, about.
FILE_POINTS = 50_000_000
# Series of one request for histories.
SERIES_AT_ONCE = 1_000
PARTIAL = ".partial"


@dataclass(slots=True)
class ExportReport:
    """How far an export is."""

    runs: int = 0
    series: int = 0
    points: int = 0


def export_runs(
    run_ids: Sequence[str],
    folder: Path,
    *,
    tracking_uri: str | None = None,
    progress: Callable[[ExportReport], None] = lambda _: None,
) -> ExportReport:
    """Write runs and all that they logged to Parquet files in a new folder.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE when the folder is not empty; RESOURCE_DOES_NOT_EXIST when there is
            no such run; NOT_IMPLEMENTED without pyarrow.
    """
    arrow = extras.load("pyarrow", "Exporting", "stepwell[export]")
    if folder.exists() and any(folder.iterdir()):
        raise invalid(f"The folder {str(folder)!r} is not empty; name a new one.")
    (folder / "points").mkdir(parents=True, exist_ok=True)
    uri = tracking_uri or settings.tracking_uri()
    calls, report = Calls(uri), ExportReport()
    runs = [calls.get_run(run_id) for run_id in run_ids]
    _write_runs(arrow, calls, runs, folder)
    report.runs = len(runs)
    names = [(run.info.run_id, key) for run in runs for key in run.data.metrics]
    with _PointFiles(arrow, folder / "points") as files:
        for start in range(0, len(names), SERIES_AT_ONCE):
            some = names[start : start + SERIES_AT_ONCE]
            for piece in Reads(connect(uri)).history_pieces(some, series_pb2.Selection()):
                files.add(some[piece.series], piece)
                report.points += len(piece.step)
                progress(report)
            report.series += len(some)
    return report


def _write_runs(arrow: Any, calls: Calls, runs: Sequence[Run], folder: Path) -> None:
    experiments = {run.info.experiment_id for run in runs}
    named = {one: calls.get_experiment(int(one)).name for one in experiments}
    infos = [run.info for run in runs]
    table = {
        "run_id": [info.run_id for info in infos],
        "experiment_id": [info.experiment_id for info in infos],
        "experiment": [named[info.experiment_id] for info in infos],
        "name": [info.run_name for info in infos],
        "status": [info.status for info in infos],
        "start_time": arrow.array([info.start_time for info in infos], arrow.int64()),
        "end_time": arrow.array([info.end_time for info in infos], arrow.int64()),
        "user": [info.user_id for info in infos],
        "artifact_uri": [info.artifact_uri for info in infos],
    }
    _write(arrow.table(table), folder / "runs.parquet")
    for name in ("params", "tags"):
        rows = [(run.info.run_id, *item) for run in runs for item in getattr(run.data, name).items()]
        columns = {
            column: arrow.array([row[place] for row in rows], arrow.string())
            for place, column in enumerate(("run_id", "key", "value"))
        }
        _write(arrow.table(columns), folder / f"{name}.parquet")


def _write(table: Any, path: Path) -> None:
    parquet = extras.load("pyarrow.parquet", "Exporting", "stepwell[export]")
    partial = path.with_name(path.name + PARTIAL)
    parquet.write_table(table, partial, compression="zstd")
    partial.rename(path)


class _PointFiles:
    """Points in long form, gathered to row groups and spread over files."""

    def __init__(self, arrow: Any, folder: Path) -> None:
        self._arrow = arrow
        self._parquet = extras.load("pyarrow.parquet", "Exporting", "stepwell[export]")
        self._folder = folder
        self._tables: list[Any] = []
        self._waiting = 0
        self._files = 0
        self._in_file = 0
        self._writer: Any = None
        self._thread = ThreadPoolExecutor(1, "stepwell-export")
        self._writing: Future[None] | None = None
        names = arrow.dictionary(arrow.int32(), arrow.string())
        self._schema = arrow.schema(
            [("run_id", names), ("key", names), ("step", arrow.int64()), ("timestamp", arrow.int64()),
             ("value", arrow.float64())]
        )  # fmt: skip

    def __enter__(self) -> "_PointFiles":
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if error is None:
            self._flush()
        self._close(finished=error is None)
        self._thread.shutdown()

    def add(self, name: tuple[str, str], piece: series_pb2.SeriesPoints) -> None:
        """Take the next points of a series."""
        count = len(piece.step)
        places = self._arrow.array(np.zeros(count, np.int32))
        names = [self._arrow.DictionaryArray.from_arrays(places, [part]) for part in name]
        columns = [np.array(piece.step), np.array(piece.timestamp_ms), np.array(piece.value)]
        arrays = [*names, *map(self._arrow.array, columns)]
        self._tables.append(self._arrow.Table.from_arrays(arrays, schema=self._schema))
        self._waiting += count
        if self._waiting >= GROUP_POINTS:
            self._flush()

    def _flush(self) -> None:
        """Write what waits as a row group."""
        if not self._tables:
            return
        if self._writer is None:
            path = self._folder / f"part-{self._files:05}.parquet{PARTIAL}"
            # Floating-point noise does not compress; dictionaries of names do.
            self._writer = self._parquet.ParquetWriter(
                path, self._schema, compression="zstd", compression_level=1, use_dictionary=["run_id", "key"]
            )
            self._path = path
        table = self._arrow.concat_tables(self._tables).unify_dictionaries()
        self._written()
        # In a thread: the next points are read while these are compressed.
        self._writing = self._thread.submit(self._writer.write_table, table, row_group_size=GROUP_POINTS)
        self._in_file += self._waiting
        self._tables, self._waiting = [], 0
        if self._in_file >= FILE_POINTS:
            self._close(finished=True)

    def _written(self) -> None:
        """Wait until the row group before is written."""
        if self._writing is not None:
            self._writing.result()
            self._writing = None

    def _close(self, *, finished: bool) -> None:
        if self._writer is None:
            return
        self._written()
        self._writer.close()
        if finished:
            self._path.rename(self._path.with_suffix(""))
        self._writer, self._in_file = None, 0
        self._files += 1


class ParquetFolder:
    """What an export wrote, as a source. Points come in the order of the files."""

    def __init__(self, folder: Path) -> None:
        self._parquet = extras.load("pyarrow.parquet", "Importing an export", "stepwell[export]")
        self._dataset = extras.load("pyarrow.dataset", "Importing an export", "stepwell[export]")
        if not (folder / "runs.parquet").is_file():
            raise invalid(f"{str(folder)!r} is no export of Stepwell: it has no runs.parquet.")
        self._folder = folder

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
