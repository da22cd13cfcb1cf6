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
    "search_runs": lambda: stepwell.search_runs(filter_string="metrics.loss <", search_all_experiments=True),
    "get_metric_series": lambda: stepwell.get_metric_series("f" * 32, "loss"),
    "sample_series": lambda: stepwell.sample_series("none", "loss"),
    "watch": lambda: stepwell.watch("none"),
    "artifacts.load_text": lambda: stepwell.artifacts.load_text("runs:/none/a.txt"),
    "log_input": lambda: stepwell.log_input("no data set"),  # type: ignore[arg-type]
}
# Public functions that raise nothing of ours, or leave that to one that is short.
OTHERS = {"active_run", "described", "health", "log_metric", "log_metrics", "schema_of_tensors", "to_input"}


def test_every_public_function_is_short() -> None:
    places = [
        stepwell,
        *(thing for name in stepwell.__all__ if inspect.ismodule(thing := getattr(stepwell, name))),
    ]
    functions = {
        name
        for place in places
        for name in getattr(place, "__all__", vars(place))
        if inspect.isfunction(function := getattr(place, name))
        and not name.startswith("_")
        and (hasattr(place, "__all__") or function.__module__ == place.__name__)
        and not hasattr(function, "__wrapped__")
    }
    assert functions <= OTHERS


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
