"""Tables to files and back: {"columns": [...], "data": [[...], ...]} as pandas and MLflow have it, or Parquet.

JSON has no NaN and no infinities: NaN is null, and the infinities are the words "Infinity" and "-Infinity", which
pandas reads as such, also in MLflow.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stepwell.errors import StepwellException, invalid
from stepwell.files.formats import optional
from stepwell.files.tabular.images import is_image_array

TABLE_SUFFIXES = (".json", ".parquet")
_INFINITIES = {"Infinity": math.inf, "-Infinity": -math.inf}


def check_table_path(path: str) -> None:
    """Refuse what is neither .json nor .parquet."""
    if Path(path).suffix not in TABLE_SUFFIXES:
        raise invalid(f"A table is a file {' or '.join(TABLE_SUFFIXES)}, not {path!r}.")


def to_table(data: Any) -> Any:
    """Return a DataFrame for one of pandas, or for a dict of columns or of single values.

    An array of several dimensions is a column of arrays; one image beside nothing but single values is one of these.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE when it is none of them.
    """
    pandas = optional("pandas", "pandas", "log_table")
    if isinstance(data, pandas.DataFrame):
        return data
    if not isinstance(data, dict):
        raise invalid(f"A table is a pandas.DataFrame or a dict of columns, not {type(data).__name__}.")
    listed = {key: pandas.api.types.is_list_like(value) for key, value in data.items()}
    is_row = all(is_image_array(value) for key, value in data.items() if listed[key])
    columns = {
        key: _column(value) if listed[key] and not is_row else _column([value]) for key, value in data.items()
    }
    try:
        return pandas.DataFrame(columns)
    except ValueError as error:
        raise invalid(f"The columns do not make a table: {error}") from error


def _column(values: Any) -> Any:
    """Return a column as pandas takes it; one of arrays cell by cell."""
    pandas = optional("pandas", "pandas", "log_table")
    blocks = getattr(values, "ndim", 1) > 1 or (
        isinstance(values, list) and any(hasattr(it, "ndim") for it in values)
    )
    return pandas.Series(list(values), dtype=object) if blocks else values


def save_table(table: Any, file: Path) -> None:
    """Write a DataFrame."""
    if file.suffix == ".parquet":
        optional("pyarrow", "pyarrow", "a table as .parquet")
        table.to_parquet(file)
        return
    columns = [[_cell(value) for value in table.iloc[:, number]] for number in range(table.shape[1])]
    rows = zip(*columns, strict=True) if columns else ()
    _write_json(file, list(map(_cell, table.columns)), list(map(list, rows)))


def read_table(file: Path) -> Any:
    """Read what `save_table` wrote."""
    pandas = optional("pandas", "pandas", "load_table")
    if file.suffix == ".parquet":
        optional("pyarrow", "pyarrow", "a table as .parquet")
        return pandas.read_parquet(file)
    table = pandas.read_json(file, orient="split", precise_float=True)
    for column in table.columns:
        if any(isinstance(value, list) for value in table[column]):
            table[column] = table[column].map(_with_infinities)
    return table


def joined_tables(tables: list[Any]) -> Any:
    """Return tables below each other."""
    pandas = optional("pandas", "pandas", "load_table")
    return pandas.concat(tables, ignore_index=True) if tables else pandas.DataFrame()


def join_files(older: Path, rows: Path, target: Path) -> None:
    """Write the rows of one table file below those of another; of JSON, no value is touched.

    Raises:
        StepwellException: INVALID_STATE when what is there is no table.
    """
    if target.suffix == ".parquet":
        save_table(joined_tables([read_table(older), read_table(rows)]), target)
        return
    (columns, data), (more, added) = _read_json(older), _read_json(rows)
    missing = [column for column in more if column not in columns]
    if missing:
        data = [[*row, *[None] * len(missing)] for row in data]
        columns = [*columns, *missing]
    places = [more.index(column) if column in more else None for column in columns]
    data += [[None if place is None else row[place] for place in places] for row in added]
    _write_json(target, columns, data)


def _read_json(file: Path) -> tuple[list[Any], list[list[Any]]]:
    try:
        found = json.loads(file.read_text("utf-8"))
        columns, data = found["columns"], found["data"]
        whole = isinstance(columns, list) and all(len(row) == len(columns) for row in data)
    except (ValueError, KeyError, TypeError):
        whole = False
    if not whole:
        raise StepwellException(
            f"What is at {file.name!r} is no table; log the rows under another name, or remove it first.",
            "INVALID_STATE",
        )
    return columns, data


def _write_json(file: Path, columns: list[Any], data: list[list[Any]]) -> None:
    with file.open("w", encoding="utf-8") as target:
        json.dump({"columns": columns, "data": data}, target, ensure_ascii=False, allow_nan=False)


def _cell(value: Any) -> Any:
    """Return what JSON can say of a value; what it cannot is its text."""
    if value is None or (isinstance(value, (bool, str, int)) and type(value).__module__ == "builtins"):
        return value
    if isinstance(value, float):
        return _number(float(value))
    if isinstance(value, Mapping):
        return {str(key): _cell(each) for key, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_cell(each) for each in value]
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode(errors="backslashreplace")
    return _cell_of_library(value)


def _cell_of_library(value: Any) -> Any:
    """Return what JSON can say of a value of numpy, pandas, PyTorch, ..."""
    pandas = optional("pandas", "pandas", "log_table")
    if value is pandas.NA or value is pandas.NaT:
        return None
    if (
        type(value).__module__ == "numpy"
        and getattr(value, "dtype", None) is not None
        and value.dtype.kind in "mM"
    ):
        return _cell(list(map(pandas.Timestamp, value)) if value.ndim else pandas.Timestamp(value))
    if isinstance(value, pandas.Timestamp):
        return value.isoformat(
            timespec="milliseconds" if not value.nanosecond and not value.microsecond % 1000 else "auto"
        )
    if callable(isoformat := getattr(value, "isoformat", None)):
        return isoformat()
    if hasattr(value, "detach"):  # PyTorch
        value = value.detach().cpu()
    if callable(plain := getattr(value, "tolist", None)):
        return _cell(plain())
    return str(value)


def _number(value: float) -> float | str | None:
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else ("Infinity" if value > 0 else "-Infinity")


def _with_infinities(value: Any) -> Any:
    """Return lists of numbers with their infinities."""
    if not isinstance(value, list):
        return value
    numbers = all(isinstance(each, (int, float, list, type(None))) or each in _INFINITIES for each in value)
    return (
        [_INFINITIES.get(each, each) if isinstance(each, str) else _with_infinities(each) for each in value]
        if numbers
        else value
    )
