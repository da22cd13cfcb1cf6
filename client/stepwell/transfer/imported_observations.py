"""Histograms and alerts of a source become those of a run here; what is here already is not stored again."""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from stepwell.entities import Alert, Histogram
from stepwell.reading.observed import Observed
from stepwell.transfer.exported_observations import ALERTS_MAX
from stepwell.transfer.sources import ImportedRun
from stepwell.wire import messages
from stepwell_api.v1 import ingest_pb2

# What brings entries of a run, in one stream: the name of the writer, and the entries.
Bring = Callable[[str, Sequence[ingest_pb2.Entry]], None]


class Observations:
    """Brings the histograms and alerts of runs, and counts those that were new here."""

    def __init__(self, uri: str) -> None:
        self._observed = Observed(uri)
        self.histograms = 0
        self.alerts = 0

    def bring(self, run: ImportedRun, run_id: str, bring: Bring) -> None:
        """Bring those of one run, which is here.

        Raises:
            StepwellException: what the server answers.
        """
        for found in run.histograms():
            new = self._new_histograms(run_id, found)
            _bring(bring, [messages.histogram_entry(_plain(it)) for it in new])
            self.histograms += len(new)
        alerts = self._new_alerts(run_id, run.alerts)
        _bring(bring, [messages.alert_entry(it, imported=True) for it in alerts])
        self.alerts += len(alerts)

    def _new_histograms(self, run_id: str, found: Sequence[Histogram]) -> list[Histogram]:
        """Return those of one piece of a source for whose step the run has none that is as late."""
        here: dict[tuple[str, int], int] = {}
        for key in {it.key for it in found}:
            steps = [it.step for it in found if it.key == key]
            for some in self._observed.every_histogram(run_id, key, min(steps), max(steps)):
                here |= {(key, it.step): it.timestamp for it in some}
        return [it for it in found if (it.key, it.step) not in here or here[it.key, it.step] < it.timestamp]

    def _new_alerts(self, run_id: str, found: Sequence[Alert]) -> list[Alert]:
        if not found:
            return []
        known = Counter(map(_said, self._observed.alerts(run_id, (), 1, ALERTS_MAX)))
        new = []
        for it in found:
            if known[_said(it)] > 0:
                known[_said(it)] -= 1
            else:
                new.append(it)
        return new


def _bring(bring: Bring, entries: Sequence[ingest_pb2.Entry]) -> None:
    if entries:
        content = hashlib.sha256(b"".join(it.SerializeToString(deterministic=True) for it in entries))
        bring(content.hexdigest(), entries)


def _said(alert: Alert) -> tuple[str, str, str, int]:
    return alert.title, alert.text, alert.level, alert.timestamp


def _plain(histogram: Histogram) -> Histogram:
    """Return a histogram with its ends alone where its bins are of equal width: it takes less."""
    ends, bins = [histogram.edges[0], histogram.edges[-1]], len(histogram.counts)
    is_even = messages.even_edges(ends, bins) == histogram.edges
    return replace(histogram, edges=ends) if is_even else histogram
