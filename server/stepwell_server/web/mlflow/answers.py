"""Answers as JSON, in protobuf's form: what has no value is left out, NaN and infinities are texts."""

import math
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import numpy as np
import orjson
from starlette.responses import Response, StreamingResponse

from stepwell_server.model.columns import Float64s, Int64s
from stepwell_server.web.mlflow.requests import JSON_TYPE


def answer(fields: Mapping[str, Any]) -> Response:
    """Return an answer; lists and texts that are empty do not show."""
    return Response(
        orjson.dumps({name: it for name, it in fields.items() if it or it == 0}), media_type=JSON_TYPE
    )


def whole_answer(fields: Mapping[str, Any]) -> Response:
    """Return an answer with all that is empty, of routes that are older than MLflow's messages."""
    return Response(orjson.dumps(fields), media_type=JSON_TYPE)


def streamed_list(name: str, pieces: AsyncIterator[Sequence[Any]]) -> Response:
    """Return an answer with one list, which comes in pieces and never lies in memory as a whole."""

    async def parts() -> AsyncIterator[bytes]:
        opening = orjson.dumps(name).join((b"{", b":["))
        async for piece in pieces:
            if piece:
                yield opening + orjson.dumps(piece)[1:-1]
                opening = b","
        yield b"{}" if opening != b"," else b"]}"

    return StreamingResponse(parts(), media_type=JSON_TYPE)


def number(value: float) -> float | str:
    """Return a number as it stands in JSON."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def number_texts(values: Float64s | Int64s) -> list[bytes]:
    """Return numbers, at least one, as they stand in JSON, one text each."""
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        text = orjson.dumps([number(value) for value in values.tolist()])
    else:
        text = orjson.dumps(np.ascontiguousarray(values), option=orjson.OPT_SERIALIZE_NUMPY)
    return text[1:-1].split(b",")
