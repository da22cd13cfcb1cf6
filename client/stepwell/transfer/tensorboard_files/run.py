"""One run of TensorBoard: all that is in the event files of one folder."""

import os
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from stepwell.transfer.known_points import KNOWN_POINTS_MAX
from stepwell.transfer.left import Left
from stepwell.transfer.sources import PointColumns
from stepwell.transfer.tensorboard_files.events import EventFile
from stepwell.transfer.tensorboard_files.messages import message_class

Int64s = NDArray[np.int64]
Bools = NDArray[np.bool_]

POINTS_AT_ONCE = 100_000
_DT_FLOAT, _DT_DOUBLE = 1, 2
_SESSION_START = 1
_HPARAMS = b"hparams"
_STATUSES = {1: "FINISHED", 2: "FAILED", 3: "RUNNING"}
INT64_MAX = 2**63 - 1
SECONDS_MAX = 2.0**53
# Up to here every whole number is a double.
EXACT_INTEGERS = 2.0**53
# What summaries hold beside scalars, by the plugins that show it.
_KINDS = {
    "image": "images", "images": "images", "audio": "audio", "histo": "histograms", "histogram": "histograms",
    "histograms": "histograms", "text": "texts", "pr_curves": "curves", "mesh": "meshes",
}  # fmt: skip


class EventRun:
    """The run, read as it is made: 28 bytes a point. What cannot be read or is not taken goes to `left`."""

    def __init__(self, folder: Path, name: str, files: Sequence[str], left: Left) -> None:
        self._name = name
        self._left = left
        self._keys: dict[bytes, int] = {}
        self._columns = array("i"), array("q"), array("q"), array("d")  # key, step, time, value
        self._purges: list[tuple[int, int]] = []  # how many points there were, and from which step on
        self._not_taken: Counter[str] = Counter()
        self.params: dict[str, str] = {}
        self.status = "FINISHED"
        self.start_time_ms = 0
        self.end_time_ms: int | None = None
        for file in files:
            self._read(folder / file)
        if self._not_taken:
            kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(self._not_taken.items()))
            left.add(f"run {name}: {kinds} are not imported", self._not_taken.total())

    def points(self) -> Iterator[PointColumns]:
        """Yield what no restart purged, in the order of the files and their records."""
        keys, steps, times, values = (np.frombuffer(column, column.typecode) for column in self._columns)
        kept = self._kept(steps)
        names = [self._decoded(key) for key in self._keys]
        keys, steps, times, values = keys[kept], steps[kept], times[kept], values[kept]
        for start in range(0, len(keys), POINTS_AT_ONCE):
            some = slice(start, start + POINTS_AT_ONCE)
            places = keys[some]
            starts = np.flatnonzero(np.append(True, places[1:] != places[:-1]))
            yield PointColumns(
                keys=[names[place] for place in places[starts].tolist()],
                counts=np.diff(np.append(starts, len(places))).tolist(),
                steps=steps[some],
                timestamps=times[some],
                values=values[some],
            )

    def _kept(self, steps: Int64s) -> Bools:
        """Tell which points no later restart purged."""
        kept = np.ones(len(steps), np.bool_)
        end, lowest = len(steps), None
        for count, step in reversed([(0, INT64_MAX), *self._purges]):
            if lowest is not None:
                kept[count:end] = steps[count:end] < lowest
            end, lowest = count, step if lowest is None else min(step, lowest)
        return kept

    @staticmethod
    def _decoded(tag: bytes) -> str:
        return tag.decode("utf-8", "surrogateescape")

    def _read(self, path: Path) -> None:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as failure:
            self._left.add(f"run {self._name}: {path} cannot be read: {failure.strerror}")
            return
        try:
            file, parse = EventFile(descriptor), message_class("Event").FromString
            for record in file.records():
                try:
                    self._take(parse(record.data))
                except (DecodeError, ValueError):
                    file.damage(record.place, "data that are no event")
        except OSError as failure:
            self._left.add(f"run {self._name}: {path} cannot be read on: {failure.strerror}")
        finally:
            os.close(descriptor)
        if file.damaged_count:
            self._left.add(
                f"run {self._name}: {path} is damaged in {file.damaged_count:,} places; what is sound was taken. "
                + "; ".join(file.damaged),
                file.damaged_count,
            )

    def _take(self, event: Any) -> None:
        if event.HasField("summary"):  # nearly all: one scalar
            for value in event.summary.value:
                if value.HasField("simple_value"):
                    self._add(value.tag, event.step, event.wall_time, value.simple_value)
                else:
                    self._take_other(event, value)
        elif event.HasField("session_log") and event.session_log.status == _SESSION_START:
            self._purges.append((len(self._columns[0]), event.step))
        elif event.HasField("graph_def"):
            self._not_taken["graphs"] += 1

    def _take_other(self, event: Any, value: Any) -> None:
        scalar = _tensor_scalar(value)
        if value.metadata.plugin_data.plugin_name == _HPARAMS:
            self._take_hparams(value.metadata.plugin_data.content)
        elif scalar is None:
            self._not_taken[_kind(value)] += 1
        else:
            self._add(value.tag, event.step, event.wall_time, scalar)

    def _add(self, tag: bytes, step: int, time_s: float, scalar: float) -> None:
        keys, steps, times, values = self._columns
        if len(keys) >= KNOWN_POINTS_MAX:
            self._not_taken[f"points beyond {KNOWN_POINTS_MAX:,}"] += 1
            return
        time_ms = self._ms(time_s)
        if not keys:
            self.start_time_ms = time_ms
        keys.append(self._keys.setdefault(tag, len(self._keys)))
        steps.append(step)
        times.append(time_ms)
        values.append(scalar)

    def _ms(self, time_s: float) -> int:
        if 0 <= time_s < SECONDS_MAX:  # which NaN is not
            return round(time_s * 1_000)
        self._not_taken["times that are none"] += 1
        return 0

    def _take_hparams(self, content: bytes) -> None:
        """Take what the plugin noted of a session; of a param that has several values the first."""
        found = message_class("HParams").FromString(content)
        for param in found.session_start_info.hparams:
            value = _param(param.value)
            if self.params.setdefault(param.key, value) != value:
                self._left.add(
                    f"run {self._name}: param {param.key!r} is also {value[:60]!r}; the first value is kept"
                )
        if found.HasField("session_end_info"):
            end = found.session_end_info
            self.status = _STATUSES.get(end.status, self.status)
            self.end_time_ms = self._ms(end.end_time_secs) or None


def _tensor_scalar(value: Any) -> float | None:
    """The number of a tensor that holds one float or double; None for others (images, texts, histograms)."""
    if value.metadata.plugin_data.plugin_name.decode(errors="replace") in _KINDS:
        return None
    tensor = value.tensor
    if tensor.dtype not in (_DT_FLOAT, _DT_DOUBLE):
        return None
    numbers = tensor.float_val if tensor.dtype == _DT_FLOAT else tensor.double_val
    if tensor.tensor_content:
        form = "<f4" if tensor.dtype == _DT_FLOAT else "<f8"
        numbers = np.frombuffer(tensor.tensor_content, form)
    return float(numbers[0]) if len(numbers) == 1 else None


def _kind(value: Any) -> str:
    """What a summary is that is no scalar: by its plugin, or by its field."""
    plugin = value.metadata.plugin_data.plugin_name.decode(errors="replace")
    fields = [name for name in ("image", "histo", "audio", "histogram") if value.HasField(name)]
    return _KINDS.get(plugin) or _KINDS.get(fields[0] if fields else "", "other summaries")


def _param(value: Any) -> str:
    """A hyperparameter as MLflow's users know it: a number without needless digits, True, a text."""
    if value.HasField("bool_value"):
        return str(value.bool_value)
    if value.HasField("number_value"):
        number = value.number_value
        return str(int(number)) if number.is_integer() and abs(number) < EXACT_INTEGERS else repr(number)
    if value.HasField("string_value"):
        return str(value.string_value)
    return ""
