"""Values of models as JSON has them, by MLflow's rules: bytes in base64, times in ISO, arrays as lists."""

import base64
import datetime
import decimal
import json
from typing import Any


def dumps(value: Any, indent: int | None = None) -> str:
    """Return JSON. TypeError for what has no form in it."""
    return json.dumps(value, default=_plain, indent=indent, ensure_ascii=False)


def without_nan(value: Any) -> Any:
    """Return nested lists with None for NaN."""
    if isinstance(value, list):
        return [without_nan(it) for it in value]
    return None if isinstance(value, float) and value != value else value


def _plain(value: Any) -> Any:
    if isinstance(value, (bytes, bytearray, memoryview)):
        # With the newline at the end, as MLflow writes it.
        return base64.encodebytes(bytes(value)).decode("ascii")
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, decimal.Decimal):
        return float(value)
    if hasattr(value, "model_dump"):
        return value.model_dump()
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    if kind == "M":
        return _times(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def _times(value: Any) -> Any:
    import numpy as np

    texts: Any = np.datetime_as_string(value)
    return texts.tolist() if hasattr(texts, "tolist") else str(texts)
