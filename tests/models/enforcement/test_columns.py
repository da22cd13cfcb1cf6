"""Data held against columns: what MLflow lets pass, passes; what it refuses, is refused, and named."""

import datetime
import decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from stepwell.errors import StepwellException
from stepwell.models.enforcement import enforce
from stepwell.types.schema import AnyType, Array, ColSpec, Map, Object, Property, Schema

NUMBERS = (
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "float16",
    "float32",
    "float64",
)
COLUMNS: dict[str, Any] = {
    **{it: pd.Series([0, 5], dtype=it) for it in NUMBERS},
    "Int64": pd.Series([0, 5], dtype="Int64"),
    "Int64 NA": pd.Series([1, None], dtype="Int64"),
    "int64 0/1": pd.Series([0, 1]),
    "float64 NaN": pd.Series([1.0, None]),
    "bool": pd.Series([True, False]),
    "str": pd.Series(["a", "b"]),
    "string": pd.Series(["a", "b"], dtype="string"),
    "category": pd.Series(["a", "b"], dtype="category"),
    "time": pd.Series(pd.to_datetime(["2020-01-01"])).astype("datetime64[s]"),
    "time with zone": pd.Series(pd.to_datetime(["2020-01-01"]).tz_localize("UTC")),
    "objects: ints": pd.Series([1, 2], dtype=object),
    "objects: bools and None": pd.Series([True, None], dtype=object),
    "objects: None": pd.Series([None, None], dtype=object),
    "objects: Decimal": pd.Series([decimal.Decimal("1.5")], dtype=object),
    "objects: bytes": pd.Series([b"x"], dtype=object),
    "objects: ISO texts": pd.Series(["2020-01-01T00:00:00"], dtype=object),
    "objects: dates and None": pd.Series([datetime.date(2020, 1, 1), None], dtype=object),
    "objects: words": pd.Series(["hello"], dtype=object),
}
OBJECTS = {it for it in COLUMNS if it.startswith("objects")}

# Per type: what passes, and the dtype that it has then.
PASSES: dict[str, tuple[set[str], str]] = {
    "integer": ({"int8", "int16", "int32", "uint8", "uint16"}, "int32"),
    "long": (
        {*NUMBERS, "Int64", "int64 0/1", "objects: ints"} - {"uint64", "float16", "float32", "float64"},
        "int64",
    ),
    "float": ({"float16", "float32", "int64 0/1"}, "float32"),
    "double": (
        {
            *NUMBERS,
            "int64 0/1",
            "float64 NaN",
            "objects: None",
            "objects: Decimal",
            "objects: bools and None",
        }
        - {"int64", "uint64"},
        "float64",
    ),
    "string": ({"str", "string", *OBJECTS}, ""),
    "binary": ({"str", "string", *OBJECTS}, ""),
    "datetime": (
        {"time", "objects: ISO texts", "objects: dates and None", "objects: None"},
        "datetime64[ns]",
    ),
}


@pytest.mark.parametrize("source", COLUMNS)
@pytest.mark.parametrize("kind", PASSES)
def test_which_column_passes_as_which_type(kind: str, source: str) -> None:
    passing, dtype = PASSES[kind]
    data, schema = pd.DataFrame({"a": COLUMNS[source]}), Schema([ColSpec(kind, "a")])
    if source in passing:
        found = enforce(data, schema)["a"]
        assert str(found.dtype) == (dtype or str(COLUMNS[source].dtype))
    else:
        with pytest.raises(StepwellException, match="column a") as refused:
            enforce(data, schema)
        assert refused.value.error_code == "INVALID_PARAMETER_VALUE"
        # It names what was expected, and what came: the column's type, or that of the objects in it.
        assert kind in refused.value.message or "timezone" in refused.value.message
        assert any(it in refused.value.message for it in (str(COLUMNS[source].dtype), "int64", "str"))


@pytest.mark.parametrize("source", COLUMNS)
def test_which_column_passes_as_boolean(source: str) -> None:
    data, schema = pd.DataFrame({"a": COLUMNS[source]}), Schema([ColSpec("boolean", "a")])
    if source in ("bool", "objects: bools and None"):
        assert enforce(data, schema)["a"].tolist() == COLUMNS[source].tolist()
    elif source not in OBJECTS:
        with pytest.raises(StepwellException, match="bool"):
            enforce(data, schema)


def test_missing_values_are_hinted_at() -> None:
    with pytest.raises(StepwellException, match="missing values are likely the cause"):
        enforce(pd.DataFrame({"a": [1.0, None]}), Schema([ColSpec("long", "a")]))


A, B = ColSpec("long", "a"), ColSpec("double", "b", required=False)


def test_columns_are_put_in_order_and_others_left_out(caplog: pytest.LogCaptureFixture) -> None:
    found = enforce(pd.DataFrame({"q": [1], "s": ["x"], "a": [1]}), Schema([A, ColSpec("string", "s")]))
    assert list(found.columns) == ["a", "s"]
    assert "['q']" in caplog.text


def test_optional_columns_may_be_missing_or_empty() -> None:
    assert list(enforce(pd.DataFrame({"a": [1]}), Schema([A, B])).columns) == ["a"]
    assert enforce(pd.DataFrame({"a": [1], "b": [None]}), Schema([A, B]))["b"].isna().all()


@pytest.mark.parametrize(
    "data", [pd.DataFrame({"q": [1]}), np.array([[1]]), [[1]], pd.Series([1], name="q"), 5, "x"]
)
def test_a_missing_column_is_named(data: Any) -> None:
    with pytest.raises(
        StepwellException, match=r"Model is missing inputs \['a'\]\. Note that there were extra"
    ):
        enforce(data, Schema([A]))


@pytest.mark.parametrize(
    "data",
    [
        [{"a": 1}],
        {"a": 1},
        {"a": [1]},
        {"a": np.array([1])},
        pd.Series([1], name="a"),
        pd.DataFrame({"a": [1]}),
    ],
)
def test_what_becomes_a_data_frame(data: Any) -> None:
    found = enforce(data, Schema([A]))
    assert found.to_dict("list") == {"a": [1]}


def test_columns_without_names_go_by_position() -> None:
    two = Schema([ColSpec("long"), ColSpec("long")])
    assert enforce(pd.DataFrame({"x": [1], "y": [2]}), two).to_dict("list") == {"x": [1], "y": [2]}
    assert enforce(np.array([[1, 2, 3]]), two).shape == (1, 2)
    with pytest.raises(StepwellException, match="declares 2 inputs but the provided value only has 1"):
        enforce(pd.DataFrame([[1]]), two)
    assert enforce(["x", "y"], Schema([ColSpec("string")]))[0].tolist() == ["x", "y"]


def test_none_is_no_data() -> None:
    with pytest.raises(StepwellException, match="Found: NoneType"):
        enforce(None, Schema([A]))


OBJECT = Object([Property("x", "long"), Property("y", "string", required=False)])


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Array("long"), [1, 2]),
        (Array("long"), []),
        (Array("double"), [0.5]),
        (Array(Array("string")), [["a"], []]),
        (OBJECT, {"x": 1}),
        (OBJECT, {"x": 1, "y": None}),
        (Array(OBJECT), [{"x": 1}, {"x": 2, "y": "b"}]),
        (Map("long"), {"anything": 1}),
        (AnyType(), object),
    ],
)
def test_nested_values_that_pass(kind: Any, value: Any) -> None:
    found = enforce(pd.DataFrame({"a": [value]}), Schema([ColSpec(kind, "a")]))
    assert found["a"].tolist() == [value]


@pytest.mark.parametrize(
    ("kind", "value", "why"),
    [
        (Array("long"), ["x"], "convert"),
        (Array("long"), [1.0], "convert float64 to int64"),
        (Array("long"), [1, None], "missing values"),
        (Array("long"), None, "list or numpy array, got NoneType"),
        (Array("long"), 1, "list or numpy array, got int"),
        (Array("long"), [[1]], "lists or dicts"),
        (OBJECT, {"x": 1, "z": 2}, r"Invalid properties not defined in the schema found: \['z'\]"),
        (OBJECT, {"y": "b"}, r"Missing required properties: \['x'\]"),
        (OBJECT, {"x": "s"}, "key `x`. Expected type long, received type str"),
        (OBJECT, 1, "Expected data to be dictionary, got int"),
        (Map("long"), {"k": "s"}, "key `k`"),
        (Map("long"), {1: 1}, "keys"),
        (Map("long"), 1, "dict, got int"),
    ],
)
def test_nested_values_that_are_refused_with_their_column(kind: Any, value: Any, why: str) -> None:
    data = pd.DataFrame({"a": pd.Series([value], dtype=object)})
    with pytest.raises(StepwellException, match=f"column 'a'.*{why}"):
        enforce(data, Schema([ColSpec(kind, "a")]))


def test_an_optional_array_may_be_none() -> None:
    schema = Schema([ColSpec(Array("long"), "a", required=False)])
    assert enforce(pd.DataFrame({"a": [None, [1]]}), schema)["a"].tolist() == [None, [1]]
