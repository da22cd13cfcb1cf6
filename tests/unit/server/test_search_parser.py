"""The grammar: what is read, what is refused and where the refusal points."""

import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepwell_server.errors import InvalidArgumentError
from stepwell_server.search import parser
from stepwell_server.search.expressions import And, Comparison, In, IsNull, Not, Or, ValueType
from stepwell_server.search.parser import (
    CONDITIONS_MAX,
    FILTER_CHARS_MAX,
    NESTING_MAX,
    VALUES_MAX,
    parse_filter,
    parse_order,
)
from stepwell_server.search.subjects import EXPERIMENTS, RUNS


def keys_of(text: str) -> tuple[str, str]:
    parsed = parse_filter(f"{text} IS NULL", RUNS)
    assert isinstance(parsed, IsNull)
    return parsed.field.kind.value, parsed.field.key


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("metrics.loss", ("metrics", "loss")),
        ("metric.a.b", ("metrics", "a.b")),
        ("METRICS.min", ("metrics", "min")),
        ("metrics.`a b/c`", ("metrics", "a b/c")),
        ('params."x-y"', ("params", "x-y")),
        ("parameters.train/lr-1:2", ("params", "train/lr-1:2")),
        ("parameter.lr", ("params", "lr")),
        ("tags.mlflow.parentRunId", ("tags", "mlflow.parentRunId")),
        ("tag.android", ("tags", "android")),
        ("attributes.status", ("attributes", "status")),
        ("attr.`Run name`", ("attributes", "run_name")),
        ("run.Created", ("attributes", "start_time")),
        ('"Run Name"', ("attributes", "run_name")),
        ("`start time`", ("attributes", "start_time")),
        ("end_time", ("attributes", "end_time")),
    ],
)
def test_fields_by_mlflows_names(text: str, expected: tuple[str, str]) -> None:
    assert keys_of(text) == expected


def test_and_binds_closer_than_or() -> None:
    parsed = parse_filter(
        "tags.x = 'a' or tags.x = 'b' AND NOT tags.x = 'c' And (tags.x='d' OR tags.x='e')", RUNS
    )
    assert isinstance(parsed, Or)
    first, second = parsed.operands
    assert isinstance(first, Comparison)
    assert isinstance(second, And)
    assert [type(it) for it in second.operands] == [Comparison, Not, Or]


def test_quotes_are_doubled_inside_of_quotes() -> None:
    parsed = parse_filter("""tags.a IN ('it\'\'s', "say \"\"x\"\"", 'back\\slash')""", RUNS)
    assert isinstance(parsed, In)
    assert parsed.values == ("it's", 'say "x"', "back\\slash")


def test_an_empty_filter_is_none() -> None:
    assert parse_filter("", RUNS) is None
    assert parse_filter(" \n", RUNS) is None


def test_functions_make_numbers() -> None:
    parsed = parse_filter("MIN(metrics.loss) < 1e-3", RUNS)
    assert isinstance(parsed, Comparison)
    assert (parsed.field.function, parsed.field.value_type) == ("min", ValueType.NUMBER)
    assert str(parsed.field) == "min(metrics.loss)"


@pytest.mark.parametrize(
    ("text", "character", "reason"),
    [
        ("metrics.loss = = 3", 16, "unexpected '='; expected a number or a text in quotes"),
        ("metrics.loss <", 15, "ends too early"),
        ("metrics.loss < 'a'", 16, "compare it with a number"),
        ("params.lr LIKE 5", 16, "expected a text in quotes"),
        ("metrics.loss LIKE 'a'", 14, "patterns are for text"),
        ("status = 3", 10, "text in quotes"),
        ("status = 'finished'", 10, "status is one of RUNNING, SCHEDULED, FINISHED, FAILED, KILLED"),
        ("attr.status != 'DONE'", 16, "status is one of RUNNING, SCHEDULED, FINISHED, FAILED, KILLED"),
        ("status IN ('FAILED', 'x')", 22, "status is one of"),
        ("lifecycle_stage = 'ACTIVE'", 19, "lifecycle_stage is one of active, deleted"),
        ("metrics.a > 1 && metrics.b > 2", 15, "use AND instead of && (character"),
        ("params.a = 'x' & metrics.b > 2", 16, "use AND instead of & (character"),
        ("(metrics.a > 1 || metrics.b > 2)", 16, "use OR instead of || (character"),
        ("params.a IS NULL | metrics.b > 2", 18, "use OR instead of | (character"),
        ("metrics.a & > 1", 11, "unexpected '&'; expected a comparison"),
        ("params.a IN ('x' & 'y')", 18, "unexpected '&'; expected ) or a comma"),
        ("metrics.a = 1; x", 14, "unexpected ';'; expected AND, OR or the end"),
        ("run_id IN 'a'", 11, "expected ("),
        ("metrics.'my loss' > 1", 9, "keys stand in backticks or double quotes"),
        ("loss < 3", 1, "need their prefix"),
        ("datasets.size = 'x'", 1, "data sets have no 'size'; they have name, digest, context"),
        ("datasets.name = 3", 17, "datasets.name is a text"),
        ("min(datasets.name) = 'x'", 1, "not of datasets"),
        ("metrics.a > 1 metrics.b > 2", 15, "expected AND, OR or the end"),
        ("(metrics.a > 1", 15, "expected )"),
        ("metrics.a > 1)", 14, "unexpected ')'"),
        ("metrics.a IN ()", 15, "expected a number"),
        ("params.a IN (1, 'b')", 17, "mixed"),
        ("median(metrics.a) > 1", 1, "use min max mean last count"),
        ("metrics.a BETWEEN 1", 20, "expected AND"),
        ("params.a LIKE 'x!' ESCAPE '!'", 15, "takes the next character"),
        ("params.a LIKE 'x' ESCAPE '!!'", 26, "one character"),
        ("params.a REGEXP 'x' ESCAPE '!'", 21, "expected"),
        ("metrics.a > 1.2.3", 13, "unexpected '1'"),
        ("metrics.a ; DROP TABLE run", 11, "unexpected ';'"),
        ("status = 'a\0b'", 12, "NUL"),
        ("metrics.a > " + "9" * 500, 13, "longer"),
        ("params.a = 'abc", 12, "the quote that begins here is not closed"),
        ("tags.`team = 'a'", 6, "the quote that begins here is not closed"),
        ("foo.bar = 1", 4, "begins with metrics, params, tags, attributes or datasets"),
        ("params.a REGEXP '" + "x" * 2_000 + "'", 17, "longer"),
    ],
)
def test_a_refusal_points_at_the_character(text: str, character: int, reason: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        parse_filter(text, RUNS)
    message, shown, caret = str(caught.value).split("\n")
    assert f"(character {character})" in message
    assert reason in message
    assert caret.endswith("^")
    pointed = shown[len(caret) - 1 :][:1]
    assert pointed == text[character - 1 : character].replace("\0", " ")


def test_limits() -> None:
    many = " OR ".join(["metrics.a > 1"] * (CONDITIONS_MAX + 1))
    with pytest.raises(InvalidArgumentError, match=f"more than {CONDITIONS_MAX} conditions"):
        parse_filter(many, RUNS)
    with pytest.raises(InvalidArgumentError, match="characters, at most"):
        parse_filter(" " * (FILTER_CHARS_MAX + 1), RUNS)
    deep = "NOT (" * 99 + "metrics.a > 1" + ")" * 99
    assert isinstance(parse_filter(deep, RUNS), Not)
    with pytest.raises(InvalidArgumentError, match=f"more than {NESTING_MAX} parentheses"):
        parse_filter(f"({'(' * NESTING_MAX}metrics.a > 1", RUNS)
    with pytest.raises(InvalidArgumentError, match="words and signs"):
        parse_filter("NOT " * 3_000 + "metrics.a > 1", RUNS)
    with pytest.raises(InvalidArgumentError, match="values in lists"):
        parse_filter(f"metrics.a IN ({','.join(['1'] * (VALUES_MAX + 1))})", RUNS)
    with pytest.raises(InvalidArgumentError, match="key of an order"):
        parse_order(["x" * 3_000], RUNS)
    with pytest.raises(InvalidArgumentError, match="twice"):
        parse_order(["metrics.a", "metrics.a DESC"], RUNS)
    with pytest.raises(InvalidArgumentError, match="11 keys"):
        parse_order([f"metrics.a{number}" for number in range(11)], RUNS)


def test_lists_that_are_far_too_long_are_refused_before_they_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Reading them takes the interpreter for tens of milliseconds in one piece."""
    monkeypatch.setattr(parser, "_tree", pytest.fail)
    for listed in (",".join("1" * (VALUES_MAX + 2)), ",".join(["'a,b'"] * (VALUES_MAX + 2))):
        with pytest.raises(InvalidArgumentError, match="more than 10,000 values in lists"):
            parse_filter(f"metrics.a IN ({listed})", RUNS)


def test_commas_in_texts_are_no_lists() -> None:
    text = "," * (VALUES_MAX + 2)
    assert parse_filter(f"params.a = '{text}' AND params.b = \"{text}\"", RUNS) is not None


@pytest.mark.parametrize(
    "text",
    [
        "metrics.a IN (" + "1," * 99_900 + "1)",
        "metrics.a IN (" + "1," * 99_900 + "x)",
        "(" * 99_000 + "metrics.a = 1" + ")" * 99_000,
        "metrics.a > " + "1" * 190_000 + "x",
        "metrics.a IN (" + "1" * 190_000 + "x)",
        "params.a = 'a" + "''" * 90_000,
        " OR ".join(["metrics.a > 1"] * 10_000),
        "NOT " * 45_000 + "metrics.a = 1",
    ],
)
def test_a_long_filter_costs_no_more_than_a_moment(text: str) -> None:
    worked_before_s = time.thread_time()
    with pytest.raises(InvalidArgumentError):
        parse_filter(text, RUNS)
    assert time.thread_time() - worked_before_s < 1  # of work; it was 3 to 13 s


def test_a_list_is_read_with_all_its_forms() -> None:
    parsed = parse_filter("metrics.a IN ( 1,2.5 , -3e4,.5,inf\n)", RUNS)
    assert isinstance(parsed, In)
    assert [str(value) for value in parsed.values] == ["1", "2.5", "-3E+4", "0.5", "Infinity"]
    with pytest.raises(InvalidArgumentError, match=r"number.*character 23"):
        parse_filter("metrics.a IN (1.5, 2, 'x')", RUNS)


def test_orders() -> None:
    keys = parse_order(["metrics.a DESC", "attribute.`Start Time`", "params.b asc", "max(metrics.a)"], RUNS)
    assert [(str(key.field), key.descending) for key in keys] == [
        ("metrics.a", True),
        ("start_time", False),
        ("params.b", False),
        ("max(metrics.a)", False),
    ]
    for text in ("metrics.a DESC NULLS", "metrics.a DESC;"):
        with pytest.raises(InvalidArgumentError, match="expected the end"):
            parse_order([text], RUNS)


def test_experiments_have_their_own_fields() -> None:
    assert isinstance(
        parse_filter("name ILIKE 'a%' AND tags.team = 'x' AND creation_time > 5", EXPERIMENTS), And
    )
    with pytest.raises(InvalidArgumentError, match="experiments have no metrics"):
        parse_filter("metrics.a > 1", EXPERIMENTS)
    with pytest.raises(InvalidArgumentError, match="no attribute 'status'"):
        parse_filter("status = 'x'", EXPERIMENTS)


WORDS = st.sampled_from(
    [
        *(
            "metrics.a",
            "params.`x y`",
            "tags.b",
            "status",
            "(",
            ")",
            "AND",
            "OR",
            "NOT",
            "IN",
            "IS",
            "NULL",
            "LIKE",
        ),
        *(
            "BETWEEN",
            "=",
            "!=",
            "<",
            ">=",
            "'text'",
            "1.5",
            "-inf",
            ",",
            "min",
            "`",
            "'",
            '"',
            "REGEXP",
            "\\",
            "é",
            "\t",
        ),
    ]
)


@settings(max_examples=400, deadline=None)
@given(text=st.one_of(st.text(max_size=60), st.lists(WORDS, max_size=14).map(" ".join)))
def test_whatever_is_fed_is_read_or_refused_with_a_place(text: str) -> None:
    for parse in (lambda: parse_filter(text, RUNS), lambda: parse_order([text], RUNS)):
        refusal = refusal_of(parse)
        assert refusal is None or ("\n" in refusal and refusal.endswith("^"))


def refusal_of(parse: Callable[[], object]) -> str | None:
    try:
        parse()
    except InvalidArgumentError as refusal:
        return str(refusal)
    return None
