"""What a call raises ends at the line that called it."""

import inspect
import traceback
from collections.abc import Callable

import pytest

import stepwell
from stepwell import StepwellClient, StepwellException
from stepwell.errors import short

CALLS: dict[str, Callable[[], object]] = {
    "log_param": lambda: stepwell.log_param("a//b", 1),
    "log_metric": lambda: stepwell.log_metric("a//b", 1),
    "log_metrics": lambda: stepwell.log_metrics({"a": "x"}),  # type: ignore[dict-item]
    "log_text": lambda: stepwell.log_text("t", "../up"),
    "get_run": lambda: stepwell.get_run("none"),
    "set_experiment": lambda: stepwell.set_experiment(),
    "start_run": lambda: stepwell.start_run(run_id="none"),
    "client.get_run": lambda: StepwellClient().get_run("f" * 32),
    "client.log_artifact": lambda: StepwellClient().log_artifact("f" * 32, "/nowhere"),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_last_line_that_is_shown_is_the_call(name: str, tracking_uri: str) -> None:
    with stepwell.start_run():
        with pytest.raises(StepwellException) as caught:
            CALLS[name]()
        error = caught.value
        frames = traceback.extract_tb(error.__traceback__)
        calls = [number for number, frame in enumerate(frames) if frame.filename == __file__]
        assert len(frames) - 1 - calls[-1] <= 2  # one that raises again; of log_metric another
        assert error.__cause__ is None
        assert error.__suppress_context__


def test_functions_keep_their_signatures_and_defects_their_way() -> None:
    assert list(inspect.signature(stepwell.log_param).parameters) == ["key", "value", "synchronous"]
    assert list(inspect.signature(StepwellClient.get_run).parameters) == ["self", "run_id"]

    def broken() -> None:
        raise StepwellException("a defect", "INTERNAL_ERROR")

    with pytest.raises(StepwellException) as caught:
        short(broken)()
    assert traceback.extract_tb(caught.value.__traceback__)[-1].name == "broken"
