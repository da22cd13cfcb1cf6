"""What values, steps, times and names the client takes, and what it says about the others."""

import math
import re
from contextlib import AbstractContextManager
from fractions import Fraction

import numpy as np
import pytest

from stepwell import values
from tests.harness import client_errors


class Tensor:
    """Looks like a tensor of PyTorch: one element comes out of item()."""

    def __init__(self, *elements: float) -> None:
        self.elements = elements

    def item(self) -> float:
        if len(self.elements) != 1:
            raise RuntimeError("a Tensor with several elements cannot be converted")
        return self.elements[0]


class EagerTensor:
    """Looks like a tensor of TensorFlow: numpy() gives a numpy scalar."""

    def numpy(self) -> np.float32:
        return np.float32(0.5)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, 1.0),
        (0.25, 0.25),
        (10**300, 1e300),
        (Fraction(1, 4), 0.25),
        (np.float64(0.25), 0.25),
        (np.float32(0.5), 0.5),
        (np.int64(-3), -3.0),
        (np.array(0.5), 0.5),
        (np.array([[0.5]]), 0.5),
        (Tensor(0.5), 0.5),
        (EagerTensor(), 0.5),
        (math.inf, math.inf),
        (True, 1.0),
        (np.False_, 0.0),
        ("0.5", 0.5),
        (" -1e3\n", -1000.0),
        ("inf", math.inf),
        (np.str_("2"), 2.0),
        (-math.inf, -math.inf),
    ],
)
def test_numbers(value: object, expected: float) -> None:
    number = values.to_number("loss", value)
    assert (type(number), number) == (float, expected)


def test_nan_stays() -> None:
    assert math.isnan(values.to_number("loss", np.float32("nan")))


@pytest.mark.parametrize(
    "value",
    [
        b"1",
        "fast",
        "",
        "1/2",
        None,
        1j,
        [1.0],
        {},
        np.array([1.0, 2.0]),
        np.array([]),
        Tensor(1, 2),
        10**400,
    ],
)
def test_not_numbers(value: object) -> None:
    with refused("'loss'"):
        values.to_number("loss", value)


@pytest.mark.parametrize(
    ("step", "expected"),
    [(None, 0), (-(2**63), -(2**63)), (2**63 - 1, 2**63 - 1), (np.int32(7), 7), (3.0, 3), (np.float32(4), 4)],
)
def test_steps(step: object, expected: int) -> None:
    number = values.to_step("loss", step)
    assert (type(number), number) == (int, expected)


@pytest.mark.parametrize("step", [2**63, -(2**63) - 1, 0.5, "1", math.nan, math.inf, True, [1]])
def test_not_steps(step: object) -> None:
    with refused("step"):
        values.to_step("loss", step)


@pytest.mark.parametrize("timestamp", [-1, 2**63, 1.5, "now"])
def test_not_timestamps(timestamp: object) -> None:
    with refused("timestamp"):
        values.to_timestamp_ms("loss", timestamp)


@pytest.mark.parametrize("key", ["a", "a/b", "a.b-c d_e:f", "ä", "x" * 250])
def test_keys(key: str) -> None:
    assert values.check_key("Metric", key) == key


@pytest.mark.parametrize(
    "key",
    ["", "x" * 251, "/a", "a//b", "../a", "a/..", ".", "./a", "a/", "a\n", "a?", "a\0", "\ud800", 7, None],
)
def test_not_keys(key: object) -> None:
    with refused("Metric name"):
        values.check_key("Metric", key)


def test_long_values_are_cut_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    assert values.to_param_value("p", "ä" * 6_001) == "ä" * 6_000
    assert values.to_tag_value("t", "x" * 8_001) == "x" * 8_000
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]


def test_long_values_are_refused_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRUNCATE_LONG_VALUES", "false")
    with refused("6001 characters"):
        values.to_param_value("p", "x" * 6_001)


@pytest.mark.parametrize("text", ["a\0b", "half a pair \ud800"])
def test_text_that_cannot_be_stored(text: str) -> None:
    with refused("Param 'p'"):
        values.to_param_value("p", text)


def test_blank_run_name_as_tag() -> None:
    with refused("name of a run"):
        values.to_run_tags({"mlflow.runName": " "})


def test_ids() -> None:
    assert values.to_experiment_id("12") == values.to_experiment_id(12) == 12
    assert values.to_run_id("AB" * 16) == "ab" * 16
    for bad in ("-1", "x", "", True, None, 2**63):
        with refused("experiment id"):
            values.to_experiment_id(bad)
    with refused("32 hexadecimal digits"):
        values.to_run_id("run-1")


def refused(text: str) -> AbstractContextManager[None]:
    return client_errors.refused("INVALID_PARAMETER_VALUE", re.escape(text))


class HalfTensor:
    """Looks like a tensor of PyTorch whose numbers have 16 bits and a gradient, on another device."""

    def __init__(self, where: str = "graph") -> None:
        self.where = where

    def detach(self) -> "HalfTensor":
        return HalfTensor("device")

    def cpu(self) -> "HalfTensor":
        assert self.where == "device"
        return HalfTensor("host")

    def float(self) -> list[float]:
        assert self.where == "host"
        return [0.5, 0.25]

    def __array__(self, *_: object) -> object:
        raise TypeError("Got unsupported ScalarType BFloat16")


def test_an_array_of_16_bit_numbers() -> None:
    steps, times, column = values.to_columns("loss", HalfTensor(), None, None, 7)
    assert (steps.tolist(), times.tolist(), column.tolist()) == ([0, 1], [7, 7], [0.5, 0.25])
