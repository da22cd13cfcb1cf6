"""The part of StepwellClient that is about histograms, alerts, sounds and videos."""

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stepwell import values
from stepwell.delivery import histograms, writer
from stepwell.delivery.record import now_ms
from stepwell.entities import Alert, AlertLevel, Histogram
from stepwell.errors import invalid
from stepwell.files import formats, log, media
from stepwell.files.outgoing.sending import temporary_file

if TYPE_CHECKING:
    from datetime import timedelta

    from stepwell.reading.observed import Observed

HISTOGRAM = "Histogram"
ALERT_TITLE_CHARS_MAX = 250
ALERT_TEXT_CHARS_MAX = 10_000
HISTOGRAMS_MAX = 1_000
ALERTS_DEFAULT = 100
# Titles that were raised lately, of all runs; of more, the oldest are forgotten.
TITLES_KNOWN_MAX = 1_000


class ObservationMethods:
    """Logs and reads what is neither a number nor a file.

    Histograms and alerts go the way of points: log calls do not wait, what they logged is safe, and is stored once.
    """

    tracking_uri: str

    def log_histogram(
        self,
        run_id: str,
        key: str,
        values: Any = None,
        step: int | None = None,
        *,
        bins: int = histograms.BINS_DEFAULT,
        counts: Any = None,
        edges: Any = None,
        timestamp: int | None = None,
    ) -> None:
        """Log how values are distributed at a step; see `stepwell.log_histogram`."""
        _writer(self.tracking_uri, run_id).log_histogram(
            _to_histogram(key, values, step, bins, counts, edges, timestamp)
        )

    def histogram_keys(self, run_id: str) -> list[str]:
        """Return the names of all histograms of a run, in order."""
        return self._observed.histogram_keys(self._delivered(run_id))

    def get_histograms(
        self,
        run_id: str,
        key: str,
        *,
        step_range: tuple[int | None, int | None] | None = None,
        max_steps: int = HISTOGRAMS_MAX,
    ) -> list[Histogram]:
        """Return histograms of one name in order of steps, one a step: the one that was logged last.

        Args:
            run_id: the run.
            key: the name.
            step_range: (from, to), both included; None leaves an end open.
            max_steps: 1 to 1,000; of more, evenly many are left out.
        """
        first, last = step_range or (None, None)
        limit = values.to_integer("max_steps", max_steps, 1, HISTOGRAMS_MAX)
        checked = values.check_key(HISTOGRAM, key)
        return self._observed.histograms(self._delivered(run_id), checked, first, last, limit)

    def alert(
        self,
        run_id: str,
        title: str,
        text: str = "",
        level: Any = "INFO",
        *,
        wait_duration: "float | timedelta" = 0,
    ) -> bool:
        """Tell people something at once; see `stepwell.alert`."""
        found = _to_alert(title, text, level)
        if not _is_due(self.tracking_uri, run_id, found.title, wait_duration):
            return False
        run_writer = _writer(self.tracking_uri, run_id)
        run_writer.log_alert(found)
        run_writer.hurry()
        return True

    def list_alerts(
        self,
        run_id: str | None = None,
        *,
        experiment_ids: Sequence[str] | None = None,
        level: Any = "INFO",
        max_results: int = ALERTS_DEFAULT,
    ) -> list[Alert]:
        """Return alerts of active runs, the latest first.

        Args:
            run_id: only of this run.
            experiment_ids: only of these experiments.
            level: only of this level, or above it.
            max_results: so many at most.
        """
        run = self._delivered(run_id) if run_id is not None else ""
        experiments = [values.to_experiment_id(experiment_id) for experiment_id in experiment_ids or ()]
        limit = values.to_integer("max_results", max_results, 1, 2**31 - 1)
        return self._observed.alerts(run, experiments, AlertLevel.number_of(level), limit)

    def log_audio(
        self,
        run_id: str,
        audio: Any,
        key: str,
        step: int | None = None,
        *,
        sample_rate: int = 44_100,
        timestamp: int | None = None,
    ) -> None:
        """Log a sound of a series; see `stepwell.log_audio`."""
        path = _path("audio", key, step, timestamp, media.audio_suffix(audio))
        with temporary_file(path) as file:
            media.save_audio(audio, file, sample_rate)
            self._log(run_id, file, path)

    def log_video(
        self,
        run_id: str,
        video: Any,
        key: str,
        step: int | None = None,
        *,
        fps: float = 4,
        timestamp: int | None = None,
    ) -> None:
        """Log a video of a series; see `stepwell.log_video`."""
        path = _path("video", key, step, timestamp, media.video_suffix(video))
        with temporary_file(path) as file:
            media.save_video(video, file, fps)
            self._log(run_id, file, path)

    def _log(self, run_id: str, file: Path, path: str) -> None:
        log.log_file(self.tracking_uri, values.to_run_id(run_id), file, path)

    def _delivered(self, run_id: str) -> str:
        raise NotImplementedError  # StepwellClient has it

    @property
    def _observed(self) -> "Observed":
        from stepwell.reading.observed import Observed

        return Observed(self.tracking_uri)


def _to_histogram(
    key: str, given: Any, step: Any, bins: int, counts: Any, edges: Any, timestamp: Any
) -> Histogram:
    name = values.check_key(HISTOGRAM, key)
    at = values.to_timestamp_ms(name, timestamp, HISTOGRAM) if timestamp else now_ms()
    step_number = values.to_step(name, step, HISTOGRAM)
    if given is not None and counts is None and edges is None:
        return histograms.of_values(name, given, bins, step_number, at)
    if given is None and counts is not None and edges is not None:
        return histograms.of_counts(name, counts, edges, step_number, at)
    raise invalid(f"Histogram {name!r}: give either values, or both counts and edges.")


def _to_alert(title: Any, text: Any, level: Any) -> Alert:
    if not isinstance(title, str) or not title.strip():
        raise invalid(f"The title of an alert is a text that is not empty, not {title!r}.")
    for what, given, chars_max in (
        ("title", title, ALERT_TITLE_CHARS_MAX),
        ("text", str(text), ALERT_TEXT_CHARS_MAX),
    ):
        if len(given) > chars_max:
            raise invalid(
                f"The {what} of an alert has {len(given):,} characters; at most {chars_max:,} are allowed."
            )
        if "\0" in given:
            raise invalid(f"The {what} of an alert has a NUL character, which cannot be stored; remove it.")
    return Alert(title, str(text), AlertLevel.name_of(AlertLevel.number_of(level)), now_ms())


_titles: dict[tuple[str, str, str], float] = {}
_titles_lock = threading.Lock()


def _is_due(uri: str, run_id: str, title: str, wait_duration: "float | timedelta") -> bool:
    """Tell whether an alert of this title is far enough behind the last one of it; notes that it is raised now."""
    seconds_of = getattr(wait_duration, "total_seconds", None)
    wait_s = seconds_of() if seconds_of is not None else values.to_number("wait_duration", wait_duration)
    if not wait_s >= 0:  # also of NaN
        raise invalid(
            f"wait_duration is a number of seconds, or a timedelta, from 0 on, not {wait_duration!r}."
        )
    if not wait_s:
        return True
    now, known = time.monotonic(), (uri, run_id, title)
    with _titles_lock:
        if now - _titles.get(known, -wait_s) < wait_s:
            return False
        _titles.pop(known, None)
        _titles[known] = now
        while len(_titles) > TITLES_KNOWN_MAX:
            del _titles[next(iter(_titles))]
    return True


def _path(folder: str, key: str, step: Any, timestamp: Any, suffix: str) -> str:
    kind = folder.capitalize()
    at = values.to_timestamp_ms(key, timestamp, kind) if timestamp else now_ms()
    return formats.series_stem(folder, str(key), values.to_step(key, step, kind), at) + suffix


def _writer(uri: str, run_id: str) -> writer.RunWriter:
    return writer.writer_for(uri, values.to_run_id(run_id))
