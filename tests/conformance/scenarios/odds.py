"""Values that a field is not meant to get, by what it is."""

import json
from typing import Any

NAN, INFINITY = float("nan"), float("inf")
INT64_MAX, INT64_MIN = 2**63 - 1, -(2**63)

STRINGS: list[Any] = [None, "", 7, 1.5, True, [], {}, ["a"]]
UNICODE: list[Any] = ["ünïcödé ☃ 漢字", "a\nb", "🚀", " ", " a "]
KEYS: list[Any] = [
    "/a",
    "a//b",
    "../a",
    "a/../b",
    "a/",
    ".",
    "a.b-c_d e/f",
    "a:b",
    "a'b",
    "a;b",
    "a\\b",
    "k" * 250,
    "k" * 251,
]
INTEGERS: list[Any] = [
    None,
    "5",
    "x",
    "",
    5.0,
    1.5,
    "1.5",
    -1,
    0,
    True,
    [],
    {},
    INT64_MAX,
    str(INT64_MAX),
    INT64_MIN,
    2**63,
    1e3,
    NAN,
]
NUMBERS: list[Any] = [
    None,
    "0.5",
    "x",
    "",
    True,
    [],
    {},
    NAN,
    INFINITY,
    -INFINITY,
    "NaN",
    "Infinity",
    "-Infinity",
    0,
    -0.0,
    5,
    1e308,
    5e-324,
]
LISTS: list[Any] = [None, [], {}, "x", 7, [None], [1], ["a"], [[]], [{}]]
RUN_IDS: list[Any] = [None, "", 7, True, [], {}, "0" * 32, "no such run", "a/b", "x" * 257]
EXPERIMENT_IDS: list[Any] = [
    None,
    "",
    999_999,
    "999999",
    "x",
    "-1",
    "0.5",
    True,
    [],
    {},
    "1" * 70,
    str(2**63),
]

raw = json.dumps
