"""Requests of MLflow's scoring protocol: what they become, and what is no request."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from stepwell.errors import StepwellException
from stepwell.models.serving_input import parsed
from stepwell.types.schema import ColSpec, Schema, TensorSpec

COLUMNS = Schema([ColSpec("long", "i"), ColSpec("double", "d"), ColSpec("string", "s", required=False)])
TENSOR = Schema([TensorSpec("float32", (-1, 2))])


def test_split_and_records_have_the_signatures_types() -> None:
    for text in (
        '{"dataframe_split": {"columns": ["i", "d"], "data": [["3", 1], [1.5, null]]}}',
        '{"dataframe_records": [{"i": "3", "d": 1}, {"i": 1.5, "d": null}]}',
    ):
        frame = parsed(text.replace('"3"', "3.0"), COLUMNS).data
        assert [str(it) for it in frame.dtypes] == ["int64", "float64"]
        assert frame["i"].tolist() == [3, 1]


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("long", "1.0", 1),
        ("long", "1.5", 1),
        ("long", '"3"', 3),
        ("double", '"1.5"', 1.5),
        ("boolean", '"anything"', True),
        ("string", '"x"', "x"),
        ("binary", '"YWI="', b"ab"),
        ("datetime", '"2020-01-01"', pd.Timestamp("2020-01-01")),
    ],
)
def test_casts_of_json_are_loose(kind: str, value: str, expected: Any) -> None:
    text = '{"dataframe_records": [{"a": %s}]}' % value  # noqa: UP031 - braces
    assert parsed(text, Schema([ColSpec(kind, "a")])).data["a"].tolist() == [expected]


def test_null_for_a_whole_number_is_refused_with_its_column() -> None:
    with pytest.raises(StepwellException, match="column i to type long") as refused:
        parsed('{"dataframe_records": [{"i": null, "d": 1}]}', COLUMNS)
    assert refused.value.error_code == "BAD_REQUEST"


def test_inputs_and_instances() -> None:
    assert parsed('{"inputs": [[1, 2]]}', TENSOR).data.dtype == np.float32
    assert parsed('{"instances": [[1, 2]]}', TENSOR).data.shape == (1, 2)
    assert parsed('{"inputs": {"i": 1, "d": 2}}', COLUMNS).data == {"i": 1, "d": 2}
    named = Schema([TensorSpec("int64", (-1,), "x"), TensorSpec("float64", (-1,), "y")])
    found = parsed('{"instances": [{"x": 1, "y": 2}, {"x": 3, "y": 4}]}', named).data
    assert found["x"].tolist() == [1, 3]
    assert found["y"].dtype == np.float64
    assert parsed('{"inputs": "text"}', None).data.shape == ()
    assert parsed('{"inputs": [1], "params": {"p": 1}}', None).params == {"p": 1}


def test_chats_go_whole() -> None:
    request = parsed('{"messages": [{"role": "user"}], "params": {"t": 1}, "n": 2}', None)
    assert request.data == {"messages": [{"role": "user"}], "n": 2}
    assert (request.params, request.unwrapped) == ({"t": 1}, True)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no valid JSON"),
        ("{", "no valid JSON"),
        ("[" * 100_000, "no valid JSON"),
        ("[1]", "must be a JSON object, not a list"),
        ("{}", "exactly one of"),
        ('{"inputs": [1], "instances": [1]}', "exactly one of"),
        ('{"inputs": [1], "other": 1}', "exactly one of"),
        ('{"inputs": [1], "params": [1]}', "params must be"),
        ('{"dataframe_split": [1]}', "columns and data"),
        ('{"dataframe_split": {"columns": ["a"]}}', "columns and data"),
        ('{"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}}', "no data frame"),
        ('{"dataframe_records": {"a": 1}}', "list of objects"),
        ('{"instances": 5}', "must be a list"),
        ('{"instances": [{"x": 1}, {"y": 1}]}', "same names"),
        ('{"inputs": [[1, 2], [3]]}', "no array"),
    ],
)
def test_what_is_no_request(text: str, why: str) -> None:
    with pytest.raises(StepwellException, match=why) as refused:
        parsed(text, None)
    assert refused.value.error_code == "BAD_REQUEST"
