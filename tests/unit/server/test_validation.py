from uuid import uuid4

import pytest

from stepwell_server.errors import InvalidArgumentError
from stepwell_server.model.runs import RUN_NAME_TAG, RunSpec
from stepwell_server.services import validation


@pytest.mark.parametrize(
    "key", ["loss", "val/loss", "a.b-c_d e:f", "größe", "x" * 250, "a/b/c", "...", "a.", "-"]
)
def test_good_keys(key: str) -> None:
    validation.check_key("metric", key)


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("", "empty"),
        ("x" * 251, "at most 250"),
        ("loss!", "may only have"),
        ("a\nb", "may only have"),
        ("loss\n", "may only have"),
        ("a\0b", "may only have"),
        ("/loss", "slash"),
        ("loss/", "slash"),
        ("a//b", "slash"),
        ("a/../b", "parts"),
        ("../a", "parts"),
        ("..", "parts"),
        (".", "parts"),
        ("./a", "parts"),
    ],
)
def test_bad_keys(key: str, reason: str) -> None:
    with pytest.raises(InvalidArgumentError, match=reason):
        validation.check_key("metric", key)


def test_values_have_limits_and_no_nul() -> None:
    validation.check_param_value("p", "x" * 6_000)
    validation.check_run_tag("t", "x" * 8_000)
    validation.check_experiment_tags({"t": "x" * 20_000})
    for wrong in ("x" * 6_001, "a\0b"):
        with pytest.raises(InvalidArgumentError):
            validation.check_param_value("p", wrong)
    for wrong in ("x" * 8_001, "a\0b"):
        with pytest.raises(InvalidArgumentError):
            validation.check_run_tag("t", wrong)
    for wrong in ("x" * 20_001, "a\0b"):
        with pytest.raises(InvalidArgumentError):
            validation.check_experiment_tags({"t": wrong})


def test_a_message_shows_the_start_of_a_long_value() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        validation.check_param_value("p", "y" * 1_000_000)
    assert len(str(caught.value)) < 200


def test_the_name_and_its_tag_are_kept_equal() -> None:
    run_id = uuid4()
    assert validation.checked_run_spec(RunSpec(run_id, name="a")).tags == {RUN_NAME_TAG: "a"}
    assert validation.checked_run_spec(RunSpec(run_id, tags={RUN_NAME_TAG: "b"})).name == "b"
    assert validation.checked_run_spec(RunSpec(run_id)).name == f"run-{run_id.hex[:8]}"
    with pytest.raises(InvalidArgumentError, match="differ"):
        validation.checked_run_spec(RunSpec(run_id, name="a", tags={RUN_NAME_TAG: "b"}))


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": " "},
        {"name": "x" * 501},
        {"name": "a\0"},
        {"user": "a\0"},
        {"start_time_ms": -1},
        {"experiment_name": ""},
        {"experiment_name": "x" * 501},
        {"tags": {"a//b": "c"}},
    ],
)
def test_wrong_specs(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidArgumentError):
        validation.checked_run_spec(RunSpec(uuid4(), **wrong))
