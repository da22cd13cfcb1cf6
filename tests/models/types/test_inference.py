"""infer_signature says what MLflow says: the same words for the same data."""

import datetime
import decimal
import json
import logging
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sparse

from stepwell.errors import StepwellException
from stepwell.models import infer_signature
from stepwell.types.schema import Schema

ANYTHING = [{"type": "any", "required": True}]


def column(kind: str, *, required: bool = True, name: Any = "a", **more: Any) -> dict[str, Any]:
    return {"type": kind, **more, "name": name, "required": required}


def frame(values: Any, **keywords: Any) -> pd.DataFrame:
    return pd.DataFrame({"a": pd.Series(values, **keywords)})


def inferred(data: Any) -> Any:
    return json.loads(infer_signature(data).inputs.to_json())


@pytest.mark.parametrize(
    ("dtype", "kind"),
    [
        *((it, "integer") for it in ("int8", "uint8", "int16", "uint16", "int32", "Int32", "UInt8")),
        *((it, "long") for it in ("uint32", "int64", "Int64")),
        *((it, "float") for it in ("float16", "float32", "Float32")),
        *((it, "double") for it in ("float64", "Float64")),
    ],
)
def test_numbers(dtype: str, kind: str) -> None:
    assert inferred(frame([1, 0], dtype=dtype)) == [column(kind)]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (frame([True, False]), column("boolean")),
        (frame([True, None], dtype=object), column("boolean", required=False)),
        (frame([True, None], dtype="boolean"), column("boolean", required=False)),
        (frame(["x", "y"]), column("string")),
        (frame(["x", None]), column("string", required=False)),
        (frame(["x", None], dtype="string"), column("string", required=False)),
        (frame([b"x"]), column("binary")),
        (frame(pd.to_datetime(["2020-01-01"])), column("datetime")),
        (frame(pd.to_datetime(["2020-01-01"]).tz_localize("UTC")), column("datetime")),
        (frame([datetime.date(2020, 1, 1), None]), column("datetime", required=False)),
        (frame([datetime.datetime(2020, 1, 1)], dtype=object), column("datetime")),
        (frame(["x", "y"], dtype="category"), column("string")),
        (frame([1, 2], dtype="category"), column("long")),
        (frame([1, None], dtype="Int64"), column("long", required=False)),
        (frame([1.5, None], dtype="Float64"), column("double", required=False)),
        (frame([1.5, float("nan")]), column("double", required=False)),
        (frame([pd.NaT]), column("datetime", required=False)),
        (frame([None, None]), column("any", required=False)),
        (frame([1, 2], dtype=object), column("long")),
        (frame([1, None], dtype=object), column("double", required=False)),
        (frame([[], []]), column("any")),
        (frame([[1, 2], [3]]), column("array", items={"type": "long"})),
        (frame([[1, 2], None]), column("array", items={"type": "long"}, required=False)),
        (frame([np.array([1], "float32")]), column("array", items={"type": "float"})),
        (frame([[[1], [2]]]), column("array", items={"type": "array", "items": {"type": "long"}})),
        (
            frame([{"x": 1}, {"x": 2, "y": "b"}]),
            column(
                "object",
                properties={
                    "x": {"type": "long", "required": True},
                    "y": {"type": "string", "required": False},
                },
            ),
        ),
        (
            frame([{"x": 1}, {"x": None}]),
            column("object", properties={"x": {"type": "long", "required": False}}),
        ),
        (frame([{"x": None}]), column("object", properties={"x": {"type": "any", "required": False}})),
        (
            frame([[{"x": 1}, {"y": 2}]]),
            column(
                "array",
                items={
                    "type": "object",
                    "properties": {
                        "x": {"type": "long", "required": False},
                        "y": {"type": "long", "required": False},
                    },
                },
            ),
        ),
        (pd.DataFrame({"a": pd.Series([], dtype=object)}), column("string")),
    ],
)
def test_columns(data: pd.DataFrame, expected: dict[str, Any]) -> None:
    assert inferred(data) == [expected]


@pytest.mark.parametrize(
    "data",
    [
        frame([1], dtype="uint64"),
        frame([1, "a"]),
        frame([decimal.Decimal(1)]),
        frame([datetime.timedelta(1)]),
        frame([1j]),
        frame([[1, "a"]]),
        frame([[1, 2.0]]),
        frame([{"x": 1}, {"x": "a"}]),
        frame([{}]),
        frame(pd.period_range("2020", periods=2, freq="D")),
        frame(pd.arrays.SparseArray([0, 1])),
        pd.DataFrame(),
        pd.DataFrame([[1, 2]], columns=["a", "a"]),
        np.array(1),
        sparse.coo_matrix(np.eye(2)),
        (1, 2),
        {1},
        range(3),
        [1, 2.0],
        [None],
        [[]],
        [{}],
        {},
        {1: 2},
        np.float16(1),
        1j,
        object(),
    ],
)
def test_what_has_no_schema_is_anything_with_a_warning(data: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "stepwell"):
        assert inferred(data) == ANYTHING
    if data != [None] and data != [[]] if isinstance(data, list) else True:
        assert "No schema could be inferred" in caplog.text


def test_a_tensor_of_torch_is_anything() -> None:
    class Tensor:  # as torch's: it has a dtype that numpy does not know, and a length
        dtype = "torch.float32"
        ndim = 1

        def __len__(self) -> int:
            return 3

        def tolist(self) -> list[float]:
            return [1.0]

    assert inferred(Tensor()) == ANYTHING


def tensor(dtype: str, shape: list[int], name: str | None = None) -> dict[str, Any]:
    return {
        **({"name": name} if name else {}),
        "type": "tensor",
        "tensor-spec": {"dtype": dtype, "shape": shape},
    }


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (np.zeros((2, 3), "float32"), [tensor("float32", [-1, 3])]),
        (np.array([1, 2]), [tensor("int64", [-1])]),
        (np.array(["ab"]), [tensor("str", [-1])]),
        (np.array([None], dtype=object), [tensor("object", [-1])]),
        (sparse.csr_matrix(np.eye(2)), [tensor("float64", [-1, 2])]),
        (sparse.csc_matrix(np.eye(2, dtype="float32")), [tensor("float32", [-1, 2])]),
        (
            {"a": np.zeros((2, 3)), "b": np.array([1])},
            [tensor("float64", [-1, 3], "a"), tensor("int64", [-1], "b")],
        ),
        (
            {"a": np.zeros((2, 3)), "b": 1},
            [
                column("array", items={"type": "array", "items": {"type": "double"}}),
                column("long", name="b"),
            ],
        ),
        ({"a": None}, [column("any", required=False)]),
        (1, [{"type": "long", "required": True}]),
        (np.int32(1), [{"type": "integer", "required": True}]),
        ("x", [{"type": "string", "required": True}]),
        (True, [{"type": "boolean", "required": True}]),
        (datetime.date(2020, 1, 1), [{"type": "datetime", "required": True}]),
        ([1, 2], [{"type": "long", "required": True}]),
        ([1, None], [{"type": "long", "required": True}]),
        ([[1, 2]], [{"type": "array", "items": {"type": "long"}, "required": True}]),
        ([], [{"type": "string", "required": True}]),
        (
            [{"a": 1}, {"b": "x"}],
            [column("long", required=False), column("string", name="b", required=False)],
        ),
        ([{"a": [1]}, {"a": []}], [column("array", items={"type": "long"})]),
        (pd.Series([1, 2]), [{"type": "long", "required": True}]),
        (pd.Series([1.5], name="s"), [column("double", name="s")]),
        (pd.DataFrame([[1, 2]]), [column("long", name=0), column("long", name=1)]),
    ],
)
def test_tensors_dicts_lists_and_values(data: Any, expected: list[dict[str, Any]]) -> None:
    assert inferred(data) == expected


def test_names_of_several_levels_come_back() -> None:
    data = pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)]))
    schema = infer_signature(data).inputs
    assert schema.input_names() == [("a", 1), ("b", 2)]
    assert Schema.from_json(schema.to_json()) == schema


def test_params() -> None:
    schema = infer_signature(
        params={
            "i": 1,
            "d": 0.5,
            "s": "x",
            "b": True,
            "l": [1, 2],
            "f": np.float32(1),
            "n": np.int32(1),
            "t": np.datetime64("2020-01-01"),
            "o": {"k": 1},
        }
    ).params
    assert [(it.name, it.to_dict()["type"], it.shape) for it in schema.params] == [
        ("i", "long", None),
        ("d", "double", None),
        ("s", "string", None),
        ("b", "boolean", None),
        ("l", "long", (-1,)),
        ("f", "float", None),
        ("n", "integer", None),
        ("t", "datetime", None),
        ("o", "object", None),
    ]


@pytest.mark.parametrize("value", [None, [[1]], np.zeros((2, 2)), object()])
def test_what_no_param_can_be(value: Any) -> None:
    with pytest.raises(StepwellException, match="'p'") as refused:
        infer_signature(params={"p": value})
    assert refused.value.error_code == "INVALID_PARAMETER_VALUE"


def test_nothing_is_no_signature() -> None:
    with pytest.raises(ValueError, match="at least one"):
        infer_signature()
