"""The calls that read series: requests out, columns in. A stream that breaks goes on from its cursor."""

from collections.abc import Iterator, Sequence
from logging import getLogger

import numpy as np

from stepwell.entities import Metric
from stepwell.errors import StepwellException
from stepwell.reading.columns import (
    NO_FLOATS,
    NO_INTEGERS,
    Float64s,
    Int64s,
    LatestMetrics,
    MetricSeries,
    SampledSeries,
)
from stepwell.wire import messages
from stepwell.wire.connection import Connection
from stepwell_api.v1 import series_pb2 as pb

# A history whose stream breaks without having brought anything new is tried this often.
TRIES_MAX = 5

_log = getLogger("stepwell")

Names = Sequence[tuple[str, str]]


class Reads:
    """Reads series from one server. Series are named by pairs of run id and key. Errors: see `Connection.stream`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def history(self, names: Names, selection: pb.Selection, last: int = 0) -> list[MetricSeries]:
        """Return whole series, one for each name, in order of (step, timestamp, value), NaN last."""
        pieces: list[list[pb.SeriesPoints]] = [[] for _ in names]
        for answer in self.history_pieces(names, selection, last):
            pieces[answer.series].append(answer)
        return [joined(name, parts) for name, parts in zip(names, pieces, strict=True)]

    def points(self, run_id: str, key: str) -> list[Metric]:
        """Return all points of a series in order of (timestamp, step, value), NaN last."""
        (series,) = self.history([(run_id, key)], pb.Selection())
        return messages.metrics(run_id, key, series.steps, series.timestamps, series.values)

    def history_pieces(
        self, names: Names, selection: pb.Selection, last: int = 0
    ) -> Iterator[pb.SeriesPoints]:
        """Yield the points of series in pieces, one series after the other."""
        series = [pb.SeriesName(run_id=run_id, key=key) for run_id, key in names]
        request = pb.GetHistoryRequest(series=series, selection=selection, last=last)
        failures = 0
        while True:
            try:
                for answer in self._connection.stream(lambda server: server.series.GetHistory(request)):
                    yield from answer.series
                    request.cursor, failures = answer.cursor, 0
            except StepwellException as failure:
                failures += 1
                # The last points come in one go; what was given of them cannot be told from the rest.
                if failure.error_code != "TEMPORARILY_UNAVAILABLE" or last or failures == TRIES_MAX:
                    raise
                _log.info("Reading a history goes on after: %s", failure)
            else:
                return

    def samples(self, request: pb.SampleSeriesRequest) -> list[SampledSeries]:
        """Return the sample of each series that the request names, in order of runs and then of keys."""
        answers = {
            (answer.run, answer.key): answer
            for answer in self._connection.stream(lambda server: server.series.SampleSeries(request))
        }
        none = pb.SampleSeriesResponse()
        return [
            sampled_series(run_id, key, answers.get((run, place), none))
            for run, run_id in enumerate(request.run_ids)
            for place, key in enumerate(request.keys)
        ]

    def latest(self, run_ids: Sequence[str], keys: Sequence[str]) -> LatestMetrics:
        """Return the latest points of metrics of runs (all metrics when `keys` is empty)."""
        request = pb.GetLatestMetricsRequest(run_ids=run_ids, keys=keys)
        answers = list(self._connection.stream(lambda server: server.series.GetLatestMetrics(request)))

        def integers(name: str) -> Int64s:
            return np.concatenate([NO_INTEGERS, *(np.array(getattr(it, name), np.int64) for it in answers)])

        def floats(name: str) -> Float64s:
            return np.concatenate([NO_FLOATS, *(np.array(getattr(it, name), np.float64) for it in answers)])

        return LatestMetrics(
            run_ids=[run_ids[number] for answer in answers for number in answer.run],
            keys=[answer.keys[number] for answer in answers for number in answer.key],
            steps=integers("step"),
            timestamps=integers("timestamp_ms"),
            values=floats("value"),
            counts=integers("count"),
            non_finite_counts=integers("non_finite_count"),
            minima=floats("value_min"),
            maxima=floats("value_max"),
            means=floats("value_mean"),
        )


def sampled_series(run_id: str, key: str, answer: pb.SampleSeriesResponse) -> SampledSeries:
    """Return a sample as columns."""
    return SampledSeries(
        run_id=run_id,
        key=key,
        first_x=np.array(answer.first_x, np.int64),
        first_values=np.array(answer.first_value, np.float64),
        last_x=np.array(answer.last_x, np.int64),
        last_values=np.array(answer.last_value, np.float64),
        minima=np.array(answer.minimum, np.float64),
        maxima=np.array(answer.maximum, np.float64),
        means=np.array(answer.mean, np.float64),
        counts=np.array(answer.count, np.int64),
        non_finite_counts=np.array(answer.non_finite_count, np.int64),
    )


def joined(name: tuple[str, str], parts: Sequence[pb.SeriesPoints]) -> MetricSeries:
    """Return the points of one series, which came in parts, as columns."""
    steps = [np.array(part.step, np.int64) for part in parts]
    timestamps = [np.array(part.timestamp_ms, np.int64) for part in parts]
    values = [np.array(part.value, np.float64) for part in parts]
    return MetricSeries(
        run_id=name[0],
        key=name[1],
        steps=np.concatenate([NO_INTEGERS, *steps]),
        timestamps=np.concatenate([NO_INTEGERS, *timestamps]),
        values=np.concatenate([NO_FLOATS, *values]),
    )
