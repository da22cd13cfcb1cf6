"""Reading histograms and alerts of one server: entities out. Errors: see `Connection.call`."""

from collections.abc import Iterator, Sequence

from stepwell.entities import Alert, Histogram
from stepwell.wire import messages
from stepwell.wire.connection import connect
from stepwell_api.v1 import alerts_pb2, histograms_pb2


class Observed:
    """Histograms and alerts of one server."""

    def __init__(self, uri: str) -> None:
        self._connection = connect(uri)

    def histogram_keys(self, run_id: str) -> list[str]:
        """Return the names of all histograms of a run, in order."""
        keys: list[str] = []
        has_more = True
        while has_more:
            request = histograms_pb2.ListHistogramsRequest(run_id=run_id, after_key=keys[-1] if keys else "")
            answer = self._connection.call(lambda server: server.histograms.ListHistograms(request))  # noqa: B023
            keys += [name.key for name in answer.names]
            has_more = answer.has_more
        return keys

    def histograms(
        self, run_id: str, key: str, step_from: int | None, step_to: int | None, limit: int
    ) -> list[Histogram]:
        """Return histograms of one name in order of steps."""
        return self._read(run_id, key, step_from, step_to, limit)[0]

    def every_histogram(
        self, run_id: str, key: str, step_from: int | None = None, step_to: int | None = None
    ) -> Iterator[list[Histogram]]:
        """Yield all histograms of one name in order of steps, at most PAGE_SIZE at a time."""
        ranges = [(step_from, step_to)]
        while ranges:
            first, last = ranges.pop()
            found, steps = self._read(run_id, key, first, last, PAGE_SIZE)
            if len(found) == steps:
                if found:
                    yield found
            else:
                # Evenly many were left out; the first one and the last one never are, so that both parts are less.
                middle = found[len(found) // 2].step
                ranges += [(middle, last), (first, middle - 1)]

    def _read(
        self, run_id: str, key: str, step_from: int | None, step_to: int | None, limit: int
    ) -> tuple[list[Histogram], int]:
        """Return histograms, and how many steps there are in the range."""
        request = histograms_pb2.ReadHistogramsRequest(
            run_id=run_id, key=key, step_from=step_from, step_to=step_to, limit=limit
        )
        answer = self._connection.call(lambda server: server.histograms.ReadHistograms(request))
        return [messages.histogram(message) for message in answer.histograms], answer.steps

    def alerts(self, run_id: str, experiment_ids: Sequence[int], level: int, limit: int) -> list[Alert]:
        """Return alerts, the latest first."""
        found: list[Alert] = []
        while len(found) < limit:
            request = alerts_pb2.ListAlertsRequest(
                run_id=run_id,
                experiment_ids=experiment_ids,
                before_number=found[-1].number if found else 0,
                level=messages.to_level(level),
                limit=min(limit - len(found), PAGE_SIZE),
            )
            answer = self._connection.call(lambda server: server.alerts.ListAlerts(request))  # noqa: B023
            found += map(messages.alert, answer.alerts)
            if not answer.has_more:
                break
        return found


PAGE_SIZE = 1_000
