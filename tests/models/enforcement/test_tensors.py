"""Data held against tensors: dtype exactly, shape with -1 for any length."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sparse

from stepwell.errors import StepwellException
from stepwell.models.enforcement import enforce
from stepwell.types.schema import Schema, TensorSpec

ONE = Schema([TensorSpec("float32", (-1, 3))])
NAMED = Schema([TensorSpec("float64", (-1, 3), "x"), TensorSpec("float64", (-1,), "y")])


@pytest.mark.parametrize(
    "data",
    [
        np.zeros((2, 3), "float32"),
        pd.DataFrame(np.zeros((2, 3), "float32")),
        pd.DataFrame({"x": [[1, 2, 3], [4, 5, 6]]}),
    ],
)
def test_what_passes(data: Any) -> None:
    found = enforce(data, ONE)
    assert (found.dtype, found.shape) == (np.float32, (2, 3))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (np.zeros((2, 3)), "dtype of input float64 does not match expected dtype float32"),
        (np.zeros((2, 4), "float32"), r"Shape of input \(2, 4\) does not match expected shape \(-1, 3\)\."),
        (np.zeros(3, "float32"), r"Shape of input \(3,\)"),
        (pd.DataFrame(np.zeros((2, 4), "float32")), r"\(-1, 4\)"),
        ([[1.0, 2.0, 3.0]], "numpy array"),
        ({"x": np.zeros((2, 3), "float32")}, "numpy array"),
    ],
)
def test_what_is_refused(data: Any, why: str) -> None:
    with pytest.raises(StepwellException, match=why):
        enforce(data, ONE)


def test_tensors_by_name(caplog: pytest.LogCaptureFixture) -> None:
    found = enforce({"x": np.zeros((2, 3)), "y": np.zeros(2), "z": 1}, NAMED)
    assert list(found) == ["x", "y"]
    assert "['z']" in caplog.text
    found = enforce(pd.DataFrame({"x": [[1, 2, 3]], "y": [1]}), NAMED)
    assert found["x"].dtype == np.float64
    with pytest.raises(StepwellException, match=r"Model is missing inputs \['y'\]"):
        enforce({"x": np.zeros((2, 3))}, NAMED)
    with pytest.raises(StepwellException, match="value type list was found for 'x'"):
        enforce({"x": [[1.0, 2.0, 3.0]], "y": np.zeros(1)}, NAMED)
    with pytest.raises(StepwellException, match="dtype of input 'y' int64"):
        enforce({"x": np.zeros((1, 3)), "y": np.zeros(1, "int64")}, NAMED)


def test_sparse_matrices_stay_sparse() -> None:
    schema = Schema([TensorSpec("float64", (-1, 2))])
    assert sparse.issparse(enforce(sparse.csr_matrix(np.eye(2)), schema))
    with pytest.raises(StepwellException, match="Shape"):
        enforce(sparse.csr_matrix(np.eye(3)), schema)
