"""Input examples: what input_example.json and serving_input_example.json hold, and how they are read again.

input                    type                      input_example.json             serving_input_example.json
data frame               dataframe, split          {"columns": …, "data": …}      {"dataframe_split": the same}
array, dict of arrays    ndarray                   nested lists, NaN is null      {"inputs": the same}
csr, csc                 sparse_matrix_csr, _csc   data, indices, indptr, shape   {"inputs": dense}
anything of JSON         json_object               JSON                           {"inputs": the same}
(input, params)          that of the input         {"inputs": …, "params": …}     … and "params"
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stepwell.errors import invalid
from stepwell.models import json_values
from stepwell.models.inside import path_inside

if TYPE_CHECKING:
    from stepwell.models.mlmodel import Model

FILE = "input_example.json"
SERVING_FILE = "serving_input_example.json"
DATAFRAME, NDARRAY, JSON_OBJECT = "dataframe", "ndarray", "json_object"
_SPARSE = {"csr": "sparse_matrix_csr", "csc": "sparse_matrix_csc"}


@dataclass(frozen=True, slots=True)
class Example:
    """An example: what predict gets, what the files hold, and what MLmodel says of them."""

    data: Any
    params: dict[str, Any] | None
    content: Any
    serving: dict[str, Any]
    info: dict[str, Any] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write both files."""
        both = {"inputs": self.content, "params": self.params} if self.params is not None else self.content
        (folder / FILE).write_text(json_values.dumps(both), encoding="utf-8")
        (folder / SERVING_FILE).write_text(json_values.dumps(self.serving, indent=2), encoding="utf-8")


def example_of(given: Any) -> Example:
    """Return what the user gave as input_example.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE for a Series, a dict of arrays and other things, or what JSON cannot
            say.
    """
    data, params = given, None
    if isinstance(given, tuple) and len(given) == 2 and isinstance(given[1], Mapping):
        data, params = given[0], dict(given[1])
    kind, content, serving = _forms(data)
    try:
        json_values.dumps([content, params])
    except (TypeError, ValueError) as failure:
        raise invalid(
            f"The input example cannot be written as JSON: {failure}. Use a data frame, arrays, or values of JSON."
        ) from None
    if params is not None:
        serving, kind = {**serving, "params": params}, {**kind, "params": "true"}
    return Example(
        data, params, content, serving, {"artifact_path": FILE, "serving_input_path": SERVING_FILE, **kind}
    )


def _forms(data: Any) -> tuple[dict[str, Any], Any, dict[str, Any]]:
    """Return what says the type, the content of the example's file, and that of the serving input."""
    if is_frame(data):
        orient, content = _frame(data)
        return {"type": DATAFRAME, "pandas_orient": orient}, content, {"dataframe_split": content}
    if type(data).__name__ == "Series" and hasattr(data, "to_frame"):
        raise invalid("A Series cannot be an input example; give a data frame (series.to_frame()).")
    if hasattr(data, "toarray") and getattr(data, "format", None) in _SPARSE:
        parts = {name: getattr(data, name).tolist() for name in ("data", "indices", "indptr")}
        content = {**parts, "shape": list(data.shape)}
        return {"type": _SPARSE[data.format]}, content, {"inputs": data.toarray().tolist()}
    if is_array(data):
        content = json_values.without_nan(data.tolist())
        return {"type": NDARRAY}, content, {"inputs": content}
    if isinstance(data, Mapping) and any(is_array(it) for it in data.values()):
        if not all(is_array(it) for it in data.values()):
            raise invalid("A dict as input example has arrays of numpy only, or none.")
        content = {key: json_values.without_nan(it.tolist()) for key, it in data.items()}
        return {"type": NDARRAY}, content, {"inputs": content}
    return {"type": JSON_OBJECT}, data, {"inputs": data}


def is_frame(data: Any) -> bool:
    """Tell whether data is a DataFrame, without importing pandas."""
    return any(it.__name__ == "DataFrame" and it.__module__.startswith("pandas") for it in type(data).__mro__)


def is_array(data: Any) -> bool:
    """Tell whether data is an array of numpy."""
    import numpy as np

    return isinstance(data, np.ndarray)


def _frame(frame: Any) -> tuple[str, dict[str, Any]]:
    split = frame.to_dict(orient="split")
    if list(split["columns"]) == list(range(len(split["columns"]))):
        return "values", {"data": split["data"]}
    return "split", {"columns": split["columns"], "data": split["data"]}


def read(folder: Path, model: "Model") -> tuple[Any, dict[str, Any] | None] | None:
    """Return the input example of a model and its params; None if it has none."""
    info = model.saved_input_example_info
    if not info:
        return None
    content: Any = _parsed(folder, info.get("artifact_path", FILE), "artifact_path")
    params = None
    if str(info.get("params", "")).lower() == "true" and isinstance(content, Mapping):
        content, params = content.get("inputs"), content.get("params")
    return _restored(content, str(info.get("type")), model.get_input_schema()), params


def read_serving(folder: Path, model: "Model") -> str | None:
    """Return the JSON that a request to a server of this model could have; None if it has none."""
    info = model.saved_input_example_info or {}
    if "serving_input_path" not in info:
        return None
    return path_inside(folder, info["serving_input_path"], "serving_input_path").read_text(encoding="utf-8")


def _parsed(folder: Path, path: Any, name: str) -> Any:
    file = path_inside(folder, path, name)
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise invalid(f"The input example {path} is no JSON: {error}") from None


def _restored(content: Any, kind: str, schema: Any) -> Any:
    if kind == DATAFRAME:
        from stepwell.models.enforcement.casts import frame_of_json

        return frame_of_json(content, schema)
    if kind == NDARRAY:
        from stepwell.models.enforcement.casts import arrays_of_json

        return arrays_of_json(content, schema)
    for name, word in _SPARSE.items():
        if kind == word:
            from importlib import import_module

            matrix = getattr(import_module("scipy.sparse"), f"{name}_matrix")
            return matrix((content["data"], content["indices"], content["indptr"]), shape=content["shape"])
    return content
