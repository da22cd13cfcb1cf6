"""The frame of autologging where nobody looks: interrupts while something is logged, odd data, odd classes, chance."""

import logging
import random
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any
from unittest import mock

import numpy as np
import pytest
import sklearn.metrics
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.utils.metaestimators import available_if

import stepwell
from stepwell import StepwellException, beside
from stepwell.autologging import guard, options
from stepwell.autologging.patches import Patches
from stepwell.runs import system_metrics
from tests.autologging.logged import run_of, runs_of
from tests.harness.servers.processes import ServerProcess

pytestmark = pytest.mark.filterwarnings("ignore")

ROWS = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 3.0], [4.0, 1.0], [1.5, 2.5], [3.0, 3.0]])
TARGETS = np.array([0.5, 1.0, 2.0, 3.5, 1.0, 2.5])
LABELS = np.array([0, 0, 1, 1, 0, 1])


def interrupted() -> None:
    raise KeyboardInterrupt


class Before(Ridge):
    """Ctrl-C comes while its params are logged."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        interrupted()
        return super().get_params(deep)


class Within(Ridge):
    """Ctrl-C comes while it is fitted."""

    def _validate_params(self) -> None:
        interrupted()


class After(Ridge):
    """Ctrl-C comes while it is asked what it predicts."""

    def predict(self, rows: Any) -> Any:
        interrupted()


@pytest.mark.parametrize("kind", [Before, Within, After])
def test_an_interrupt_leaves_no_run_open(experiment: str, kind: Callable[[], Any]) -> None:
    stepwell.sklearn.autolog(log_models=False)
    with pytest.raises(KeyboardInterrupt):
        kind().fit(ROWS, TARGETS)
    assert stepwell.active_run() is None
    assert run_of(experiment).info.status == "FAILED"


def test_a_run_that_cannot_be_observed_has_not_started(
    experiment: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(system_metrics, "start", fail)
    stepwell.sklearn.autolog(log_models=False)
    model = Ridge().fit(ROWS, TARGETS)
    assert model.coef_.shape == (2,)
    assert "can't start new thread" in caplog.text
    assert stepwell.active_run() is None
    assert run_of(experiment).info.status == "FAILED"


def test_data_that_can_be_read_once(experiment: str, caplog: pytest.LogCaptureFixture) -> None:
    stepwell.sklearn.autolog()
    model = make_pipeline(HashingVectorizer(n_features=8), LogisticRegression())
    model.fit((text for text in ("a", "b", "a b", "c")), [0, 1, 0, 1])
    run = run_of(experiment)
    assert run.info.status == "FINISHED"
    assert not caplog.text
    assert run.data.params["logisticregression__C"] == "1.0"


def draws() -> tuple[Any, ...]:
    np.random.seed(7)
    random.seed(7)
    model = DummyClassifier(strategy="uniform").fit(ROWS, LABELS)
    return (*model.predict(ROWS), *np.random.rand(3), random.random())


@pytest.mark.parametrize("log_models", [True, False])
def test_training_draws_the_numbers_that_it_would_have_drawn(experiment: str, log_models: bool) -> None:
    expected = draws()
    stepwell.sklearn.autolog(log_models=log_models)
    assert draws() == expected
    assert run_of(experiment).data.metrics["training_accuracy_score"] >= 0


def test_a_call_that_is_wrong_changes_nothing(experiment: str) -> None:
    stepwell.sklearn.autolog(log_models=False)
    fit = Ridge.fit
    for wrong, said in (
        ({"log_model": False}, "autolog.. takes no log_model; there is: .*log_models"),
        ({"max_tuning_runs": -1}, "max_tuning_runs is a number of children"),
        ({"serialization_format": "json"}, "serialization_format is one of"),
        ({"extra_tags": ["team"]}, "extra_tags are a dictionary"),
    ):
        with pytest.raises((TypeError, StepwellException), match=said):
            stepwell.sklearn.autolog(**wrong)
        with pytest.raises((TypeError, StepwellException)):
            stepwell.sklearn.autolog(disable=True, **wrong)
        assert Ridge.fit is fit
        assert options.was_told("sklearn")
    with pytest.raises(StepwellException, match="is a list, such as"):
        stepwell.autolog(exclude_flavors="sklearn")
    with pytest.raises(StepwellException, match="An importance is one of"):
        stepwell.xgboost.autolog(importance_types=["weigth"])


class Turning(Ridge):
    """Turns autologging off, or on otherwise, while it is fitted; fits another of its kind before."""

    turn: Callable[[], None]

    def _validate_params(self) -> None:
        Ridge(self.alpha + 1).fit(ROWS, TARGETS)
        self.turn()


@pytest.mark.parametrize(
    "turn",
    [
        lambda: stepwell.sklearn.autolog(disable=True),
        lambda: stepwell.sklearn.autolog(log_datasets=True, log_models=True),
    ],
)
def test_a_fit_is_logged_as_it_began(experiment: str, turn: Callable[[], None]) -> None:
    stepwell.sklearn.autolog(log_models=False, log_datasets=False)
    model = Turning(0.5)
    model.turn = turn
    assert model.fit(ROWS, TARGETS).coef_.shape == (2,)
    run = run_of(experiment)
    assert run.info.status == "FINISHED"
    assert run.data.params["alpha"] == "0.5"
    assert run.data.metrics["training_score"] <= 1
    assert not run.outputs.model_outputs
    assert not run.inputs.dataset_inputs


def test_what_somebody_else_has_replaced_since_is_theirs(experiment: str) -> None:
    original = vars(Ridge)["fit"]
    stepwell.sklearn.autolog(log_models=False)
    ours = vars(Ridge)["fit"]
    with mock.patch.object(Ridge, "fit", lambda *given, **named: ours(*given, **named)) as theirs:
        stepwell.sklearn.autolog(disable=True)
        assert vars(Ridge)["fit"] is theirs
        assert Ridge().fit(ROWS, TARGETS).coef_.shape == (2,)
        stepwell.sklearn.autolog(log_models=False)
        Ridge().fit(ROWS, TARGETS)
        stepwell.sklearn.autolog(disable=True)
        assert vars(Ridge)["fit"] is theirs
    assert len(runs_of(experiment)) == 1
    Ridge.fit = original


class SorryError(Exception):
    """Cannot say what it is."""

    def __str__(self) -> str:
        raise ValueError("not even this")


class Sorrowful(Ridge):
    """Its params cannot be had, nor the reason."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        if deep:
            raise SorryError
        return super().get_params(deep=False)


def test_a_fault_that_cannot_be_told(experiment: str, caplog: pytest.LogCaptureFixture) -> None:
    stepwell.sklearn.autolog(log_models=False, log_datasets=False)
    assert Sorrowful().fit(ROWS, TARGETS).coef_.shape == (2,)
    assert run_of(experiment).info.status == "FAILED"
    assert "sklearn autologging: SorryError" in caplog.text


def test_a_fault_is_told_once(experiment: str, caplog: pytest.LogCaptureFixture) -> None:
    from stepwell.autologging import calls

    call = calls.begin("sklearn", options.Options())
    assert call is not None
    with caplog.at_level(logging.WARNING, logger="stepwell"):
        for number in range(100):
            call.attempt(float, "the same")
            call.attempt(float, f"another {number}")
    call.end()
    assert caplog.text.count("the same") == 1
    assert len(caplog.records) == calls.FAULTS_TOLD_MAX + 1
    assert run_of(experiment).info.status == "FAILED"


def test_what_was_left_goes_to_the_server_of_the_call(experiment: str, shared_server: ServerProcess) -> None:
    stepwell.sklearn.autolog(registered_model_name=f"ridge-{experiment}")
    with beside.training():
        model = Ridge().fit(ROWS, TARGETS)
        stepwell.set_tracking_uri("http://127.0.0.1:9")
        sklearn.metrics.mean_squared_error(TARGETS, model.predict(ROWS))
    beside.wait()
    stepwell.set_tracking_uri(shared_server.tracking_uri)
    run = run_of(experiment)
    assert run.info.status == "FINISHED"
    assert {"training_score", "mean_squared_error_ROWS"} <= set(run.data.metrics)
    (version,) = stepwell.search_model_versions(filter_string=f"name='ridge-{experiment}'")
    assert version.run_id == run.info.run_id


@pytest.fixture
def lazy() -> Iterator[types.ModuleType]:
    """A module that fails when it is asked for anything, as lazy ones do whose library is not installed."""

    class Lazy(types.ModuleType):
        def __getattribute__(self, name: str) -> Any:
            raise RuntimeError(f"{name}: not installed")

    module = Lazy("lazy_module_of_a_test")
    sys.modules["lazy_module_of_a_test"] = module
    yield module
    del sys.modules["lazy_module_of_a_test"]


def test_modules_and_classes_that_are_odd(lazy: types.ModuleType, experiment: str) -> None:
    stepwell.sklearn.autolog(log_models=False)
    kind: Any = type("Nowhere", (Ridge,), {"__module__": None})
    assert kind().fit(ROWS, TARGETS).coef_.shape == (2,)
    stepwell.sklearn.autolog(log_models=False)
    kind().fit(ROWS, TARGETS)
    assert len(runs_of(experiment)) == 2


def test_patches_of_a_module_that_defines_nothing() -> None:
    module = types.ModuleType("module_of_a_test")
    exec("def train(): return 1", vars(module))
    patches = Patches()
    original = module.train
    original.__module__ = "gone"
    patches.around_function(module, "train", lambda call, _, args, kwargs: call(None) + 1)
    assert module.train() == 2
    patches.revert()
    assert module.train is original


def test_what_a_logged_call_calls_in_turn_goes_to_the_original() -> None:
    class Model:
        def fit(self) -> str:
            return "fitted"

        @available_if(lambda self: hasattr(self, "can_predict"))
        def predict(self) -> str:
            return "predicted"

    module = types.ModuleType("module_of_a_test")
    exec("def measure(): return 'measured'", vars(module))
    patches = Patches(outermost=True)
    went_around: list[Any] = []

    def around(original: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        went_around.append(original)
        return original(instance, *args, **kwargs)

    for name in ("fit", "predict"):
        patches.around_method(Model, name, around)
    patches.around_function(module, "measure", around)
    model = Model()
    assert not hasattr(model, "predict")
    model.can_predict = True  # type: ignore[attr-defined]
    for is_nested, expected in ((False, 3), (True, 0)):
        went_around.clear()
        with guard.inside() if is_nested else nullcontext():
            assert (model.fit(), model.predict(), module.measure()) == ("fitted", "predicted", "measured")
        assert len(went_around) == expected
    patches.revert()
