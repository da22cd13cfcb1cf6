"""Histories of metrics: whole, in pages, of several runs, and thinned out for charts."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
from orjson import Fragment
from starlette.responses import Response

from stepwell_server.errors import InvalidArgumentError, NotFoundError
from stepwell_server.model.series import EVERYTHING, INT64_MAX, History, Selection, SeriesName
from stepwell_server.services.series import SeriesService
from stepwell_server.web.mlflow.answers import answer, number_texts, streamed_list, whole_answer
from stepwell_server.web.mlflow.entities import parse_run_id
from stepwell_server.web.mlflow.histories import Histories
from stepwell_server.web.mlflow.remembered import Asked, Part, Remembered
from stepwell_server.web.mlflow.requests import Message
from stepwell_server.web.mlflow.search import results_wanted

# Points of one page, or of several histories at once; MLflow's.
HISTORY_POINTS_MAX = 25_000
# Runs of one call, and points of each that a chart gets; MLflow's.
RUNS_MAX = 100
INTERVAL_POINTS_MAX = 2_500
# What a history takes while it is read and sorted; and a point of a chart, in columns and as text.
HISTORY_HELD_BYTES = 28 * 2**20
CHART_POINT_BYTES = 150


class Metrics:
    """Answers `metrics/…`. A run that does not exist has no points."""

    def __init__(self, series: SeriesService) -> None:
        self._histories = Histories(series)
        self._remembered = Remembered()

    async def history(self, message: Message) -> Response:
        """Return a history, or a page of it where `max_results` is given."""
        key = message.required_text("metric_key")
        name = _name(run_id_of_reader(message), key)
        token = message.text("page_token") or ""
        is_paged = message.find("max_results") is not None or bool(token)
        if name is None:
            return answer({})
        if is_paged:
            wanted = min(results_wanted(message, HISTORY_POINTS_MAX, INT64_MAX), HISTORY_POINTS_MAX)
            async with _room_for_points(message):
                points, token = await self._histories.page(name, token, wanted)
            return answer({"metrics": points_json(key, points), "next_page_token": token})
        await message.room.grow_to(HISTORY_HELD_BYTES, in_hand=False, streams=True)

        async def pieces() -> AsyncIterator[Sequence[Any]]:
            async for points in self._histories.whole(name):
                yield points_json(key, points)

        return streamed_list("metrics", pieces())

    async def history_bulk(self, message: Message) -> Response:
        """Return the histories of a metric of several runs, up to `max_results` points in all."""
        runs = _run_ids(message, "run_id")
        key = message.required_text("metric_key")
        left = min(results_wanted(message, HISTORY_POINTS_MAX, INT64_MAX), HISTORY_POINTS_MAX)
        found: list[Fragment] = []
        for run in runs:
            name = _name(run, key)
            if name is None or left <= 0:
                continue
            async with _room_for_points(message):
                points, _ = await self._histories.page(name, "", left)
            left -= len(points)
            found += points_json(key, points, run)
        return whole_answer({"metrics": found})

    async def history_bulk_interval(self, message: Message) -> Response:
        """Return so many points of a metric of each of several runs that a chart shows them well."""
        runs = _run_ids(message, "run_ids")
        key = message.required_text("metric_key")
        wanted = results_wanted(message, INTERVAL_POINTS_MAX, INTERVAL_POINTS_MAX)
        names = [name for run in runs if (name := _name(run, key)) is not None]
        selection = _steps_of(message)
        await message.room.grow_to(CHART_POINT_BYTES * wanted * len(names), in_hand=False)
        return answer({"metrics": await self._thinned(message, names, selection, wanted)})

    async def _thinned(
        self, message: Message, names: Sequence[SeriesName], selection: Selection, wanted: int
    ) -> list[Fragment]:
        asked = {name: Asked(name, selection, wanted) for name in names}
        known = {name: part for name, it in asked.items() if (part := self._remembered.get(it)) is not None}
        marks = {name: part.mark for name, part in known.items()}
        found: list[Fragment] = []
        thinned = await self._histories.thinned(
            names, selection, wanted, marks, lambda: _room_for_points(message)
        )
        for name, series in thinned.items():
            if series.mark is None:
                continue
            if series.mark == marks.get(name):
                found.append(Fragment(known[name].text))
            elif series.points:
                part = Part(series.mark, points_text(name.key, series.points, name.run_id.hex))
                self._remembered.put(asked[name], part)
                found.append(Fragment(part.text))
        return found


@asynccontextmanager
async def _room_for_points(message: Message) -> AsyncIterator[None]:
    """Hold what reading points takes while the context lasts; the answer, when it is sent, needs less."""
    await message.room.grow_to(HISTORY_HELD_BYTES, in_hand=False)
    try:
        yield
    finally:
        message.room.give_back()


def run_id_of_reader(message: Message) -> str:
    """Return the id of the run to read, as it was given; old clients say `run_uuid`."""
    return message.required_text("run_id", "run_uuid")


def points_json(key: str, points: History, run_id: str | None = None) -> list[Fragment]:
    """Return points in MLflow's form, as what stands in a list."""
    return [Fragment(points_text(key, points, run_id))] if len(points) else []


def points_text(key: str, points: History, run_id: str | None = None) -> bytes:
    """Return points, at least one, as JSON objects with commas between them: no object of Python's for each."""
    head = b'{"key":%b,"value":' % orjson.dumps(key)
    tail = b"}" if run_id is None else b',"run_id":%b}' % orjson.dumps(run_id)
    texts = [tail + b"," + head] * (6 * len(points))
    texts[0] = head
    texts[1::6] = number_texts(points.values)
    texts[2::6] = [b',"timestamp":'] * len(points)
    texts[3::6] = number_texts(points.timestamps_ms)
    texts[4::6] = [b',"step":'] * len(points)
    texts[5::6] = number_texts(points.steps)
    return b"".join(texts) + tail


def _name(run_id: str, key: str) -> SeriesName | None:
    """Return the series of a run, None for an id that no run can have."""
    try:
        return SeriesName(parse_run_id(run_id), key)
    except NotFoundError:
        return None


def _run_ids(message: Message, name: str) -> list[str]:
    runs = list(dict.fromkeys(message.texts(name)))
    if not runs:
        raise message.missing(name)
    if len(runs) > RUNS_MAX:
        raise InvalidArgumentError(f"at most {RUNS_MAX} {name} may be given at once, not {len(runs)}")
    return runs


def _steps_of(message: Message) -> Selection:
    start, end = message.integer("start_step"), message.integer("end_step")
    if start is None and end is None:
        return EVERYTHING
    if start is None or end is None:
        raise InvalidArgumentError("If either start step or end step are specified, both must be specified")
    if start > end:
        raise InvalidArgumentError(
            f"end_step must be greater than start_step. Found start_step={start} and end_step={end}"
        )
    return Selection(step_from=start, step_to=end)
