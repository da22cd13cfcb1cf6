"""Params of predict: defaults, conversions that lose nothing, refusals."""

from typing import Any

import numpy as np
import pytest

from stepwell.errors import StepwellException
from stepwell.models.enforcement import enforce_params
from stepwell.types.schema import ParamSchema, ParamSpec

SCHEMA = ParamSchema(
    [
        ParamSpec("i", "long", 1),
        ParamSpec("d", "double", 1.5),
        ParamSpec("s", "string", "x"),
        ParamSpec("l", "long", [1], (-1,)),
        ParamSpec("b", "boolean", True),
    ]
)
DEFAULTS = {"i": 1, "d": 1.5, "s": "x", "l": [1], "b": True}


@pytest.mark.parametrize(
    ("given", "changed"),
    [
        (None, {}),
        ({"i": 5}, {"i": 5}),
        ({"d": 5}, {"d": 5.0}),
        ({"i": np.int32(4)}, {"i": 4}),
        ({"l": [2, 3]}, {"l": [2, 3]}),
        ({"l": np.array([1, 2])}, {"l": [1, 2]}),
        ({"i": None}, {"i": None}),
    ],
)
def test_what_passes(given: Any, changed: dict[str, Any]) -> None:
    assert enforce_params(given, SCHEMA) == {**DEFAULTS, **changed}


@pytest.mark.parametrize(
    "given",
    [
        {"d": "x"},
        {"i": 1.5},
        {"i": True},
        {"i": "5"},
        {"l": 5},
        {"l": [1.5]},
        {"b": 1},
        {"b": "true"},
        {"s": 5},
    ],
)
def test_what_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(StepwellException, match=f"Invalid parameters found: Param '{next(iter(given))}'"):
        enforce_params(given, SCHEMA)


def test_unknown_ones_are_left_out_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    assert enforce_params({"zz": 1}, SCHEMA) == DEFAULTS
    assert "['zz']" in caplog.text
    assert enforce_params({"zz": 1}, None) == {}


def test_params_are_a_dict() -> None:
    with pytest.raises(StepwellException, match=r"Parameters must be a dictionary\. Got type 'list'"):
        enforce_params([1], SCHEMA)
