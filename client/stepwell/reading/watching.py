"""Following runs: what is committed to them, as it is committed."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from logging import getLogger
from typing import TYPE_CHECKING

from stepwell import jitter, settings
from stepwell.errors import StepwellException, invalid, short
from stepwell.reading.series import checked_keys, delivered

if TYPE_CHECKING:
    from stepwell.reading.columns import MetricSeries, SampledSeries
    from stepwell.wire.connection import Connection
    from stepwell_api.v1 import series_pb2

# The server gives a sign of life every 10 s; after this long without one the connection is taken for broken.
SILENCE_MAX_S = 45.0
# After a broken connection the next attempt comes after a random part of this, doubled up to the maximum.
BACKOFF_FIRST_S = 0.25
BACKOFF_MAX_S = 5.0

STARTS = ("now", "beginning")

_log = getLogger("stepwell")


@dataclass(frozen=True, slots=True, eq=False)
class MetricNews:
    """What was committed to one metric of one run: `points`, or `parts` when they were too many to send.

    `parts` sums up the points over steps, as `sample_series` does. `restarted`: this is all there is of the metric
    and takes the place of what came before; so after the connection was broken for more than 30 seconds.
    """

    run_id: str
    key: str
    points: "MetricSeries | None"
    parts: "SampledSeries | None"
    restarted: bool


@short
def watch(
    run_ids: str | Iterable[str],
    keys: str | Iterable[str] | None = None,
    *,
    start: str = "now",
    timeout_s: float | None = None,
    tracking_uri: str | None = None,
) -> Iterator[MetricNews]:
    """Yield what is committed to metrics of runs, within a fraction of a second, until the caller leaves the loop.

    Every point comes once, also across broken connections and servers that restart. Who is slow gets more at once,
    and summaries where there is too much; nothing piles up.

    Args:
        run_ids: one run or several, at most 100.
        keys: one metric or several, at most 1,000; None means all.
        start: "now", or "beginning": with what is there already.
        timeout_s: end after so many seconds; None never ends.
        tracking_uri: another server than that of set_tracking_uri.

    Raises:
        StepwellException: RESOURCE_DOES_NOT_EXIST when there is no such run, INVALID_PARAMETER_VALUE;
            TEMPORARILY_UNAVAILABLE when the server cannot be reached at first.
    """
    if start not in STARTS:
        raise invalid(f"start is one of {', '.join(STARTS)}, not {start!r}.")
    uri = tracking_uri or settings.tracking_uri()
    runs = delivered(uri, run_ids)
    wanted = [] if keys is None else checked_keys(keys)
    return _Watch(uri, runs, wanted, start, timeout_s).news()


class _Watch:
    """One watch over as many connections as it takes; the positions say where it is."""

    def __init__(
        self, uri: str, run_ids: list[str], keys: list[str], start: str, timeout_s: float | None
    ) -> None:
        from stepwell.wire.connection import connect
        from stepwell_api.v1 import series_pb2

        self._connection: Connection = connect(uri)
        first = series_pb2.WatchStart.Value(f"WATCH_START_{start.upper()}")
        self._request = series_pb2.WatchRequest(run_ids=run_ids, keys=keys, start=first)
        self._positions: dict[tuple[str, str], int] = {}
        self._end = None if timeout_s is None else time.monotonic() + timeout_s
        self._failures = 0

    def news(self) -> Iterator[MetricNews]:
        """Yield news; see `watch`."""
        while True:
            try:
                yield from self._stream()
            except StepwellException as failure:
                if self._remaining_s() <= 0:
                    return
                if failure.error_code not in ("TEMPORARILY_UNAVAILABLE", "DEADLINE_EXCEEDED"):
                    raise
                if self._request.start != self._resume_number:
                    raise
                self._failures += 1
                _log.info("Watching goes on after: %s", failure)
            pause_s = min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2 ** min(self._failures, 8))
            time.sleep(max(0.0, min(jitter.between(0.0, pause_s), self._remaining_s())))

    @property
    def _resume_number(self) -> int:
        from stepwell_api.v1 import series_pb2

        return int(series_pb2.WATCH_START_POSITIONS)

    def _remaining_s(self) -> float:
        return SILENCE_MAX_S if self._end is None else self._end - time.monotonic()

    def _stream(self) -> Iterator[MetricNews]:
        from stepwell_api.v1 import series_pb2

        self._request.ClearField("positions")
        for (run_id, writer_id), position in self._positions.items():
            self._request.positions.add(run_id=run_id, writer_id=writer_id, position=position)
        answers = self._connection.stream(
            lambda server: server.series.Watch(self._request),
            lambda: max(0.0, min(SILENCE_MAX_S, self._remaining_s())),
        )
        for answer in answers:
            self._failures = 0
            self._request.start = series_pb2.WATCH_START_POSITIONS
            self._positions |= {(at.run_id, at.writer_id): at.position for at in answer.positions}
            yield from map(_news, answer.series)


def _news(message: "series_pb2.SeriesNews") -> MetricNews:
    from stepwell.reading.reads import joined, sampled_series

    name = message.run_id, message.key
    return MetricNews(
        run_id=message.run_id,
        key=message.key,
        points=joined(name, [message.points]) if message.HasField("points") else None,
        parts=sampled_series(*name, message.parts) if message.HasField("parts") else None,
        restarted=message.restarted,
    )
