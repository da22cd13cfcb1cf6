"""What runs log: each call is committed, whole, before it is answered."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from starlette.responses import Response

from stepwell_server.errors import InvalidArgumentError
from stepwell_server.model.ingest import NO_POINTS, ModelPointEntry, Points
from stepwell_server.model.runs import PARAM_VALUE_CHARS_MAX, RUN_TAG_VALUE_CHARS_MAX
from stepwell_server.services.calls import CallService, Logged, points_of
from stepwell_server.web.mlflow.answers import answer
from stepwell_server.web.mlflow.logged_models.entities import model_point
from stepwell_server.web.mlflow.requests import Message
from stepwell_server.web.mlflow.runs import run_id_of

# Of one log-batch; MLflow's.
METRICS_MAX = 1_000
PARAMS_MAX = 100
TAGS_MAX = 100
ALL_MAX = 1_000


class Logging:
    """Answers `runs/log-…` and `runs/set-tag`."""

    def __init__(self, calls: CallService) -> None:
        self._calls = calls

    async def log_metric(self, message: Message) -> Response:
        """Log a point."""
        run_id = run_id_of(message)
        key, step, time, value = point = _point_of(message)
        of_model = model_point(message, key, value, step, time)
        logged = Logged(_columns([point]), model_points=[of_model] if of_model else ())
        return await self._log(message, run_id, logged)

    async def log_parameter(self, message: Message) -> Response:
        """Log a param."""
        run_id = run_id_of(message)
        param = message.required_text("key"), message.text("value") or ""
        return await self._log(message, run_id, Logged(params=_params([param])))

    async def set_tag(self, message: Message) -> Response:
        """Set a tag."""
        run_id = run_id_of(message)
        tag = message.required_text("key"), message.text("value") or ""
        return await self._log(message, run_id, Logged(tags=_tags([tag])))

    async def log_batch(self, message: Message) -> Response:
        """Log points, params and tags, all of them or nothing."""
        run_id = run_id_of(message)
        metrics = message.objects("metrics")
        params, tags = message.pairs("params"), message.pairs("tags")
        _check_count("metrics", len(metrics), METRICS_MAX)
        _check_count("params", len(params), PARAMS_MAX)
        _check_count("tags", len(tags), TAGS_MAX)
        _check_count("metrics, params, and tags", len(metrics) + len(params) + len(tags), ALL_MAX)
        points, of_models = batch_points(message, metrics), _model_points(message, metrics)
        logged = Logged(points, _params(params), _tags(tags), model_points=of_models)
        return await self._log(message, run_id, logged)

    async def _log(self, message: Message, run_id: Any, logged: Logged) -> Response:
        named = replace(logged, name=message.idempotency_key)
        await self._calls.log(run_id, named)
        return answer({})


def batch_points(message: Message, metrics: Sequence[Any]) -> Points:
    """Return the points of a batch. Those that are as clients send them become columns at once."""
    if not metrics:
        return NO_POINTS
    try:
        keys, times, values = ([it[name] for it in metrics] for name in ("key", "timestamp", "value"))
        steps = [it.get("step", 0) for it in metrics]
        plain = (
            set(map(type, steps)) | set(map(type, times)) == {int}
            and set(map(type, values)) <= {int, float}
            and min(times) >= 0
            and all(type(key) is str and key and "\0" not in key for key in set(keys))
        )
        if plain:
            return points_of(keys, steps, times, values)
    except (AttributeError, KeyError, OverflowError, TypeError):
        pass  # what comes next says where
    points = [_point_of(message.element("metrics", number, it)) for number, it in enumerate(metrics)]
    return _columns(points)


def _model_points(message: Message, metrics: Sequence[Any]) -> Sequence[ModelPointEntry]:
    """Return what points of a batch say of models; the points are checked."""
    found = []
    for number, fields in enumerate(metrics):
        if "model_id" in fields or "modelId" in fields:
            point = message.element("metrics", number, fields)
            key, step, time, value = _point_of(point)
            found.append(model_point(point, key, value, step, time))
    return [point for point in found if point is not None]


def _columns(points: Sequence[tuple[str, int, int, float]]) -> Points:
    keys, steps, times, values = zip(*points, strict=True)
    return points_of(keys, steps, times, values)


def _point_of(message: Message) -> tuple[str, int, int, float]:
    """Return key, step, timestamp and value of a point."""
    key = message.required_text("key")
    value = message.number("value")
    timestamp = message.required_integer("timestamp")
    if timestamp < 0:
        raise message.refused(
            "timestamp", timestamp, "it has to be milliseconds since 1970-01-01, not before"
        )
    return key, message.integer("step") or 0, timestamp, value


def _params(pairs: Sequence[tuple[str, str]]) -> Mapping[str, str]:
    params = {key: value[:PARAM_VALUE_CHARS_MAX] for key, value in pairs}
    if len(params) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = sorted({key for key in params if keys.count(key) > 1})
        raise InvalidArgumentError(
            f"Duplicate parameter keys have been submitted: {twice}. A request may have one value per key"
        )
    return params


def _tags(pairs: Sequence[tuple[str, str]]) -> Mapping[str, str]:
    return {key: value[:RUN_TAG_VALUE_CHARS_MAX] for key, value in pairs}


def _check_count(what: str, count: int, limit: int) -> None:
    if count > limit:
        raise InvalidArgumentError(
            f"A batch logging request can contain at most {limit} {what}. Got {count} {what}. "
            f"Split them over several requests"
        )
