"""Histograms and alerts in exports: histograms.parquet and alerts.parquet, where runs have some."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from stepwell import extras
from stepwell.entities import Alert, AlertLevel, Histogram
from stepwell.errors import StepwellException
from stepwell.reading.observed import Observed
from stepwell.transfer.imported_experiments import reason_of
from stepwell.transfer.left import Left
from stepwell.transfer.point_files import PARTIAL

HISTOGRAMS, ALERTS = "histograms", "alerts"
ALERT_COLUMNS = ("run_id", "title", "text", "level", "timestamp")
HISTOGRAM_COLUMNS = ("run_id", "key", "step", "timestamp", "edges", "counts", "not_finite")
# A run has no more of them.
ALERTS_MAX = 1_000


class ObservationFiles:
    """Writes the histograms and alerts of runs, and counts them; what cannot be had is told and left."""

    def __init__(self, uri: str, folder: Path, left: Left) -> None:
        self._arrow = extras.load("pyarrow", "Exporting", "export")
        self._parquet = extras.load("pyarrow.parquet", "Exporting", "export")
        self._observed = Observed(uri)
        self._folder = folder
        self._left = left
        self.histograms = 0
        self.alerts = 0

    def write(self, run_ids: Sequence[str]) -> None:
        """Write both files, or none where there is nothing."""
        arrow = self._arrow
        text, number = arrow.string(), arrow.int64()
        of_histograms = (
            text,
            text,
            number,
            number,
            arrow.list_(arrow.float64()),
            arrow.list_(number),
            number,
        )
        self.histograms = self._write(HISTOGRAMS, HISTOGRAM_COLUMNS, of_histograms, self._histograms(run_ids))
        of_alerts = (text, text, text, text, number)
        self.alerts = self._write(ALERTS, ALERT_COLUMNS, of_alerts, self._alerts(run_ids))

    def _write(
        self, name: str, columns: Sequence[str], kinds: Sequence[Any], pieces: Iterable[list[dict[str, Any]]]
    ) -> int:
        schema = self._arrow.schema(list(zip(columns, kinds, strict=True)))
        path = self._folder / f"{name}.parquet"
        partial = path.with_name(path.name + PARTIAL)
        writer, count = None, 0
        try:
            for rows in pieces:
                writer = writer or self._parquet.ParquetWriter(partial, schema, compression="zstd")
                writer.write_table(self._arrow.Table.from_pylist(rows, schema=schema))
                count += len(rows)
        finally:
            if writer is not None:
                writer.close()
        if writer is not None:
            partial.rename(path)
        return count

    def _histograms(self, run_ids: Sequence[str]) -> Iterator[list[dict[str, Any]]]:
        for run_id in run_ids:
            for key in self._keys(run_id):
                try:
                    for found in self._observed.every_histogram(run_id, key):
                        yield [{"run_id": run_id, **vars(it)} for it in found]
                except StepwellException as failure:
                    self._left.add(f"run {run_id}, histograms {key!r}: {reason_of(failure)}")

    def _keys(self, run_id: str) -> Sequence[str]:
        try:
            return self._observed.histogram_keys(run_id)
        except StepwellException as failure:
            self._left.add(f"the histograms of run {run_id}: {reason_of(failure)}")
            return ()

    def _alerts(self, run_ids: Sequence[str]) -> Iterator[list[dict[str, Any]]]:
        for run_id in run_ids:
            try:
                found = self._observed.alerts(run_id, (), 1, ALERTS_MAX)
            except StepwellException as failure:
                self._left.add(f"the alerts of run {run_id}: {reason_of(failure)}")
                continue
            if found:
                yield [{"run_id": run_id, **{name: getattr(it, name) for name in ALERT_COLUMNS[1:]}}
                       for it in reversed(found)]  # fmt: skip


def histogram_of(row: Mapping[str, Any]) -> Histogram:
    """Return the histogram of a row. Raises ValueError and TypeError."""
    edges, counts = [float(it) for it in row["edges"]], [int(it) for it in row["counts"]]
    if len(edges) != len(counts) + 1 or not counts or min(counts) < 0:
        raise ValueError(f"{len(counts)} counts with {len(edges)} edges, or some below 0")
    return Histogram(
        *(str(row["key"]), int(row["step"]), int(row["timestamp"]), edges, counts, int(row["not_finite"]))
    )


def alert_of(row: Mapping[str, Any]) -> Alert:
    """Return the alert of a row. Raises ValueError and TypeError."""
    level = str(row["level"])
    if level not in (AlertLevel.INFO, AlertLevel.WARNING, AlertLevel.ERROR):
        raise ValueError(f"its level is {level[:60]!r}")
    return Alert(str(row["title"]), str(row["text"]), level, int(row["timestamp"]))
