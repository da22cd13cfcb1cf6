"""Which regular expressions may be searched for."""

import pytest

from stepwell_server.search.patterns import check_pattern


@pytest.mark.parametrize(
    "pattern",
    [
        "loss",
        "^(train|val)/.*loss$",
        r"\d{4}-\d\d-\d\d",
        "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        r"[]a\\]{2}",
        "[[:alpha:]_]+",
        "(?i)adam",
        "(?:a|b)*c",
        r"\\1",
        "a{",
        "x" * 1_000,
        r"\(\?=",
    ],
)
def test_plain_ones_pass(pattern: str) -> None:
    check_pattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        (r"^(.+)(.+)b\1\2b$", "back-references such as"),
        (r"(a)\\\1", "back-references such as"),
        ("(?=a)b", "look ahead"),
        ("a(?<!b)", "look ahead"),
        ("(?b)a", "of groups with a question mark"),
        (r"***:(a)\1", "begin with"),
        ("((((a{1,30}){1,30}){1,30})c", "more than 2,000"),
        ("(a|b|ab|ba){255}(a|b){255}(.|a){255}c", "more than 2,000"),
        ("[ab]{255}" * 9, "more than 2,000"),
        ("x" * 1_001, "longer than 1,000"),
    ],
)
def test_what_could_take_for_ever_is_refused(pattern: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        check_pattern(pattern)
