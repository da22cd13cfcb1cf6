"""One request: what content types are served, what comes back for what a model gives, what errors say."""

import datetime
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sparse

from stepwell import pyfunc
from stepwell.models import infer_signature
from stepwell.models.pyfunc.loaded import PyFuncModel
from stepwell.serving import answers, scoring

FRAME = pd.DataFrame({"x": [1.0, 2.0], "n": [1, 2]})


@pytest.fixture
def model(tmp_path: Path) -> PyFuncModel:
    pyfunc.save_model(
        tmp_path / "model",
        python_model=lambda data: data["x"] / data["n"],
        signature=infer_signature(FRAME, FRAME["x"]),
    )
    return pyfunc.load_model(tmp_path / "model")


def scored(model: PyFuncModel, body: Any, content_type: str = scoring.JSON) -> tuple[int, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = scoring.score(model, content_type, data)
    return answer.status, json.loads(answer.body)


def test_json_csv_and_parquet(model: PyFuncModel) -> None:
    expected = [{"0": 1.0}, {"0": 1.0}]
    body = {"dataframe_split": {"columns": ["x", "n"], "data": [[1, 1], [2, 2]]}}
    assert scored(model, body) == (200, {"predictions": expected})
    assert scored(model, b"x,n\n1,1\n2,2\n", "text/csv; charset=utf-8") == (200, {"predictions": expected})
    parquet = FRAME.to_parquet()
    assert scored(model, parquet, scoring.PARQUET) == (200, {"predictions": expected})


@pytest.mark.parametrize(
    ("content_type", "why"),
    [
        (None, "only supports"),
        ("", "only supports"),
        ("text/html", "only supports"),
        ("application/json; charset=latin-1", "only supports UTF-8"),
        ("application/json; charset=utf-8; boundary=x", "Unrecognized content type parameters: boundary"),
    ],
)
def test_other_content_types(content_type: str | None, why: str) -> None:
    refused = scoring.refused_type(content_type)
    assert refused is not None
    assert (refused.status, refused.content_type) == (415, "text/plain")
    assert why in refused.body


@pytest.mark.parametrize(
    "content_type", ["application/json", "Application/JSON; charset=UTF-8", "text/csv", scoring.PARQUET]
)
def test_content_types_that_are_served(content_type: str) -> None:
    assert scoring.refused_type(content_type) is None


@pytest.mark.parametrize(
    ("body", "code", "why"),
    [
        (b"{", "BAD_REQUEST", "no valid JSON"),
        ({"inputs": {"q": 1}}, "INVALID_PARAMETER_VALUE", "Model is missing inputs ['x', 'n']"),
        ({"inputs": {"x": "a", "n": 1}}, "INVALID_PARAMETER_VALUE", "column x"),
        (
            {"dataframe_records": [{"x": "a", "n": 1}]},
            "BAD_REQUEST",
            "Data is not compatible with model signature. Failed to convert column x to type double",
        ),
        ({"dataframe_records": [{"x": 1.0, "n": 1}], "params": {"p": 1}}, None, None),
    ],
)
def test_what_is_wrong_is_said(model: PyFuncModel, body: Any, code: str | None, why: str | None) -> None:
    status, answer = scored(model, body)
    if code is None:
        assert status == 200
        return
    assert (status, answer["error_code"]) == (400, code)
    assert str(why) in answer["message"]
    assert "stack_trace" not in answer


def test_a_file_that_is_none(model: PyFuncModel) -> None:
    assert scored(model, b"no parquet", scoring.PARQUET)[0] == 400
    assert scored(model, b"", "text/csv")[0] == 400


def test_a_model_that_fails_shows_where(tmp_path: Path) -> None:
    pyfunc.save_model(tmp_path / "model", python_model=lambda data: 1 / 0)
    status, answer = scored(pyfunc.load_model(tmp_path / "model"), {"inputs": [1]})
    assert (status, answer["error_code"]) == (400, "BAD_REQUEST")
    assert "unexpected error while evaluating the model" in answer["message"]
    assert "ZeroDivisionError" in answer["stack_trace"]


def test_an_answer_that_json_cannot_say(tmp_path: Path) -> None:
    pyfunc.save_model(tmp_path / "model", python_model=lambda data: object())
    assert scored(pyfunc.load_model(tmp_path / "model"), {"inputs": [1]})[0] == 500


def test_chats_are_answered_whole(tmp_path: Path) -> None:
    pyfunc.save_model(tmp_path / "model", python_model=lambda data: {"said": data["messages"]})
    model = pyfunc.load_model(tmp_path / "model")
    assert scored(model, {"messages": ["hi"]}) == (200, {"said": ["hi"]})


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (np.array([[1, 2]]), "[[1, 2]]"),
        (np.array([1.5, np.nan]), "[1.5, NaN]"),
        (pd.DataFrame({"a": [1], "b": ["x"]}), '[{"a": 1, "b": "x"}]'),
        (pd.Series([0, 1]), '[{"0": 0}, {"0": 1}]'),
        (pd.Series([0], name="y"), '[{"y": 0}]'),
        (sparse.csr_matrix(np.eye(2)), "[[1.0, 0.0], [0.0, 1.0]]"),
        ({"a": np.array([1])}, '{"a": [1]}'),
        ("text", '"text"'),
        ([np.int64(1), np.float32(0.5)], "[1, 0.5]"),
        (np.array(["2020-01-01"], dtype="datetime64[D]"), '["2020-01-01"]'),
        ([datetime.datetime(2020, 1, 1), b"ab"], '["2020-01-01T00:00:00", "YWI=\\n"]'),
        (pd.DataFrame({"t": pd.to_datetime(["2020-01-01"])}), '[{"t": "2020-01-01T00:00:00"}]'),
        (None, "null"),
    ],
)
def test_answers(found: Any, expected: str) -> None:
    assert answers.predictions(found) == f'{{"predictions": {expected}}}'
