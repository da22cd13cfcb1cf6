"""What models take and give, as JSON and back, without losing what kind of thing it was."""

from typing import Any

import numpy as np
import pandas as pd

CLOSE = 1e-5


def encoded(value: Any) -> Any:
    """Return a value as JSON: arrays, data frames, series, and what JSON knows."""
    if isinstance(value, pd.DataFrame):
        columns = {str(name): encoded(value[name].to_numpy()) for name in value.columns}
        return {"frame": columns, "names": [encoded(name) for name in value.columns]}
    if isinstance(value, pd.Series):
        return {"series": encoded(value.to_numpy()), "name": value.name}
    if isinstance(value, np.ndarray):
        items = [encoded(item) for item in value] if value.dtype == object else value.tolist()
        return {"array": items, "dtype": str(value.dtype)}
    if isinstance(value, np.generic):
        return {"scalar": value.item(), "dtype": str(value.dtype)}
    if isinstance(value, dict):
        return {"dict": {name: encoded(item) for name, item in value.items()}}
    if isinstance(value, list):
        return [encoded(item) for item in value]
    assert value is None or isinstance(value, (str, int, float, bool)), type(value)
    return value


def decoded(value: Any) -> Any:
    """Return what `encoded` was given."""
    if isinstance(value, list):
        return [decoded(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "frame" in value:
        columns = [decoded(column) for column in value["frame"].values()]
        return pd.DataFrame(dict(enumerate(columns))).set_axis(value["names"], axis=1)
    if "series" in value:
        return pd.Series(decoded(value["series"]), name=value["name"])
    if "array" in value:
        if value["dtype"] == "object":
            items = np.empty(len(value["array"]), dtype=object)
            items[:] = [decoded(item) for item in value["array"]]
            return items
        return np.array(value["array"], dtype=value["dtype"])
    if "scalar" in value:
        return np.dtype(value["dtype"]).type(value["scalar"])
    return {name: decoded(item) for name, item in value["dict"].items()}


def difference(got: Any, expected: Any) -> str:
    """Tell how two encoded values differ, "" if they don't but for rounding."""
    if isinstance(expected, float) and isinstance(got, (int, float)):
        same = abs(got - expected) <= CLOSE * max(1.0, abs(expected)) or (got != got and expected != expected)
        return "" if same else f"{got} instead of {expected}"
    if type(got) is not type(expected):
        return f"{got!r} instead of {expected!r}"
    if isinstance(expected, dict) and got.keys() == expected.keys():
        return next((it for key in expected if (it := difference(got[key], expected[key]))), "")
    if isinstance(expected, list) and len(got) == len(expected):
        return next((it for pair in zip(got, expected, strict=True) if (it := difference(*pair))), "")
    return "" if got == expected else f"{got!r} instead of {expected!r}"
