"""Points in long form, in Parquet files: part-00000.parquet, ... A file that is not finished is named .partial."""

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from stepwell import extras
from stepwell_api.v1 import series_pb2

# Points of one row group: 16 MB before compression.
GROUP_POINTS = 1_000_000
# Points of one file, about.
FILE_POINTS = 50_000_000
PARTIAL = ".partial"


class PointFiles:
    """Gathers points to row groups and spreads them over files. Use as a context."""

    def __init__(self, arrow: Any, folder: Path) -> None:
        self._arrow = arrow
        self._parquet = extras.load("pyarrow.parquet", "Exporting", "export")
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

    def __enter__(self) -> "PointFiles":
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
