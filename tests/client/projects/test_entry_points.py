"""Parameters of projects: their types, and how they reach a command as they are."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepwell.projects.entry_points import EntryPoint, Parameter, script_entry_point
from tests.harness.client_errors import refused

ECHO = f"{sys.executable} -c 'import json, sys; print(json.dumps(sys.argv[1:]))'"
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)


def fetch(address: str) -> str:
    return f"fetched {address}"


def words(command: str) -> list[str]:
    ended = subprocess.run(["/bin/bash", "-c", command], capture_output=True, check=True)
    found: list[str] = json.loads(ended.stdout)
    return found


@settings(max_examples=40, deadline=None)
@given(declared=TEXTS, extra=TEXTS)
def test_values_reach_the_command_as_they_are(declared: str, extra: str) -> None:
    point = EntryPoint("main", {"a": Parameter("a")}, f"{ECHO} {{a}}")
    values = point.values({"a": declared, "b": extra}, fetch, Path.cwd(), Path.cwd())
    assert words(point.command_line(values)) == [declared, "--b", extra]


@pytest.mark.parametrize(
    "value", ["$(touch here)", "`id`", "a'b\"c", "; rm -rf x", "{a}", "two\nlines", "-e", "*", ""]
)
def test_nothing_in_a_value_is_run(value: str) -> None:
    point = EntryPoint("main", {"a": Parameter("a")}, f"{ECHO} {{a}} ${{HOME:+home}} {{{{x}}}}")
    assert words(point.command_line({"a": value})) == [value, "home", "{x}"]


@pytest.mark.parametrize(
    ("command", "half"),
    [
        ("python train.py {alpha", "{alpha"),
        ("python train.py --alpha {alpha --beta {beta}", "{alpha"),
        ("python train.py --alpha alpha} --beta {beta}", "alpha}"),
        ("python train.py {{x}} {beta} '{alpha'", "{alpha"),
    ],
)
def test_a_place_that_lacks_a_brace_is_named(command: str, half: str) -> None:
    names = ("alpha", "beta")
    point = EntryPoint("train", {name: Parameter(name) for name in names}, command)
    with refused("INVALID_PARAMETER_VALUE", re.escape(f"'train' has '{half}', where a brace is missing")):
        point.command_line(dict.fromkeys(names, "1"))


@pytest.mark.parametrize(
    "command",
    [
        "awk '{print $1}' file",
        "cp file.{txt,csv} ${HOME:-/tmp}/",
        "for x in 1 2; do { echo $x; } done",
        'python train.py --config \'{"a": {"b": 1} }\'',
        "grep '{' file",
        "echo ${HOME",
    ],
)
def test_braces_of_the_shell_stay(command: str) -> None:
    assert EntryPoint("main", {}, command).command_line({}) == command


def test_the_name_of_a_script_and_of_a_parameter_are_words_too(tmp_path: Path) -> None:
    script = tmp_path / "a $(x) {b}.py"
    script.write_text("import json, sys; print(json.dumps(sys.argv[1:]))")
    command = script_entry_point(script.name).command_line({"a b;": "1"})
    assert words(f"cd {str(tmp_path)!r} && {command}") == ["--a b;", "1"]


def test_types(tmp_path: Path) -> None:
    (tmp_path / "in.csv").touch()

    def check(kind: str, value: str) -> str:
        return Parameter("p", kind).checked(value, fetch, tmp_path)

    assert check("float", "1e-3") == "1e-3"
    assert check("path", "in.csv") == str(tmp_path / "in.csv")
    assert check("path", "out.csv") == str(tmp_path / "out.csv")  # the command may write it
    assert check("path", "runs:/abc/in.csv") == "fetched runs:/abc/in.csv"
    assert check("uri", "s3://bucket/x") == "s3://bucket/x"
    assert check("anything", "x") == "x"
    for kind, value in (("float", "much"), ("int", "1.5"), ("uri", "in.csv"), ("path", "nowhere/in.csv")):
        with refused("INVALID_PARAMETER_VALUE", re.escape(repr(value))):
            check(kind, value)
    with refused("INVALID_PARAMETER_VALUE", re.escape("NUL")):
        check("string", "a\0b")


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    point = EntryPoint("train", {"a": Parameter("a"), "b": Parameter("b", default="2"), "c": Parameter("c")})
    with refused("INVALID_PARAMETER_VALUE", re.escape("'train' needs c: give -P c=...")):
        point.values({"a": "1"}, fetch, tmp_path, tmp_path)
    assert point.values({"a": "1", "c": "3"}, fetch, tmp_path, tmp_path) == {"a": "1", "b": "2", "c": "3"}
    unknown = EntryPoint("train", {}, "echo {nothing}")
    with refused("INVALID_PARAMETER_VALUE", re.escape("{nothing}")):
        unknown.command_line({})
