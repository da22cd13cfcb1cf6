"""Input examples: what the two files hold, what MLmodel says, and what comes back."""

import datetime
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sparse
from pydantic import BaseModel

from stepwell import StepwellException, pyfunc
from stepwell.models import (
    ModelSignature,
    convert_input_example_to_serving_input,
    examples,
    validate_serving_input,
)
from stepwell.types.schema import ColSpec, Schema


class Point(BaseModel):
    x: int


FRAME = pd.DataFrame({"a": [1, 2], "b": pd.Series(["x", None], dtype=object)})


@pytest.mark.parametrize(
    ("given", "info", "content", "serving"),
    [
        (
            FRAME,
            {"type": "dataframe", "pandas_orient": "split"},
            {"columns": ["a", "b"], "data": [[1, "x"], [2, None]]},
            {"dataframe_split": {"columns": ["a", "b"], "data": [[1, "x"], [2, None]]}},
        ),
        (
            pd.DataFrame([[1, 2]]),
            {"type": "dataframe", "pandas_orient": "values"},
            {"data": [[1, 2]]},
            {"dataframe_split": {"data": [[1, 2]]}},
        ),
        (
            pd.DataFrame({"b": [b"ab"], "t": pd.to_datetime(["2020-01-01T10:00:00"])}),
            {"type": "dataframe", "pandas_orient": "split"},
            {"columns": ["b", "t"], "data": [["YWI=\n", "2020-01-01T10:00:00"]]},
            {"dataframe_split": {"columns": ["b", "t"], "data": [["YWI=\n", "2020-01-01T10:00:00"]]}},
        ),
        (np.array([[1.0, np.nan]]), {"type": "ndarray"}, [[1.0, None]], {"inputs": [[1.0, None]]}),
        ({"x": np.array([1])}, {"type": "ndarray"}, {"x": [1]}, {"inputs": {"x": [1]}}),
        ([1, "a"], {"type": "json_object"}, [1, "a"], {"inputs": [1, "a"]}),
        ({"q": 1}, {"type": "json_object"}, {"q": 1}, {"inputs": {"q": 1}}),
        (5, {"type": "json_object"}, 5, {"inputs": 5}),
        (
            datetime.datetime(2020, 1, 1),
            {"type": "json_object"},
            "2020-01-01T00:00:00",
            {"inputs": "2020-01-01T00:00:00"},
        ),
        (Point(x=1), {"type": "json_object"}, {"x": 1}, {"inputs": {"x": 1}}),
        (
            sparse.csr_matrix(np.eye(2)),
            {"type": "sparse_matrix_csr"},
            {"data": [1.0, 1.0], "indices": [0, 1], "indptr": [0, 1, 2], "shape": [2, 2]},
            {"inputs": [[1.0, 0.0], [0.0, 1.0]]},
        ),
        (
            (np.array([1]), {"p": 2}),
            {"type": "ndarray", "params": "true"},
            {"inputs": [1], "params": {"p": 2}},
            {"inputs": [1], "params": {"p": 2}},
        ),
    ],
)
def test_files(given: Any, info: dict[str, str], content: Any, serving: Any, tmp_path: Path) -> None:
    example = examples.example_of(given)
    example.write(tmp_path)
    assert json.loads((tmp_path / "input_example.json").read_text()) == content
    assert json.loads((tmp_path / "serving_input_example.json").read_text()) == serving
    assert example.info == {
        "artifact_path": "input_example.json",
        "serving_input_path": "serving_input_example.json",
        **info,
    }


@pytest.mark.parametrize(
    "given", [pd.Series([1]), {"a": np.zeros(1), "b": 1}, object(), [object()], ("x", {"p": object()})]
)
def test_what_is_no_example(given: Any) -> None:
    with pytest.raises(StepwellException) as refused:
        examples.example_of(given)
    assert refused.value.error_code == "INVALID_PARAMETER_VALUE"


@pytest.mark.parametrize(
    "given",
    [
        pd.DataFrame({"a": [1, 2], "b": ["x", "y"], "c": [0.5, float("nan")]}),
        pd.DataFrame({"t": pd.to_datetime(["2020-01-01"]).astype("datetime64[ns]"), "b": [b"ab"]}),
        pd.DataFrame([[1.0, 2.0]]),
        np.zeros((2, 3), "float32"),
        sparse.csc_matrix(np.eye(3)),
        {"x": np.array([1, 2]), "y": np.array([[0.5]])},
        [{"a": 1}],
    ],
)
def test_there_and_back(given: Any, tmp_path: Path) -> None:
    pyfunc.save_model(tmp_path / "model", python_model=lambda it: it, input_example=given)
    found = pyfunc.load_model(tmp_path / "model").input_example
    if isinstance(given, pd.DataFrame):
        pd.testing.assert_frame_equal(found, given)
    elif isinstance(given, np.ndarray):
        assert found.dtype == given.dtype
        assert (found == given).all()
    elif sparse.issparse(given):
        assert (found != given).nnz == 0
    elif isinstance(given, dict):
        assert all((found[key] == given[key]).all() for key in given)
    else:
        assert found == given


def test_what_a_server_is_asked_is_what_the_example_says(tmp_path: Path, iris: Any, pipeline: Any) -> None:
    import stepwell

    rows = iris[0].head(3)
    stepwell.sklearn.save_model(pipeline, tmp_path / "model", input_example=rows)
    request = convert_input_example_to_serving_input(rows)
    assert (validate_serving_input(str(tmp_path / "model"), request) == pipeline.predict(rows)).all()
    assert convert_input_example_to_serving_input(None) is None


def test_a_request_that_a_server_would_refuse_is_told_when_the_model_is_saved(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    texts = ModelSignature(Schema([ColSpec("string", "a")]))
    for number, (example, is_fine) in enumerate([({"a": ["x"]}, True), (pd.DataFrame({"b": [1]}), False)]):
        caplog.clear()
        pyfunc.save_model(
            tmp_path / str(number), python_model=lambda it: it, input_example=example, signature=texts
        )
        told = [it.getMessage() for it in caplog.records if "would refuse a request" in it.getMessage()]
        assert bool(told) != is_fine
    assert "missing inputs ['a']" in told[0]
