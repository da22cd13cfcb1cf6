"""Autologging of Keras: names and steps are MLflow's, with the backend that is installed."""

import logging
from typing import Any

import keras
import numpy as np
import pytest

import stepwell
from stepwell.delivery import kept
from tests.autologging.logged import files_of, points_of, run_of, runs_of

pytestmark = [pytest.mark.xdist_group("flavors"), pytest.mark.filterwarnings("ignore")]

ROWS = np.linspace(0, 1, 24, dtype="float32").reshape(12, 2)
TARGETS = ROWS.sum(axis=1, keepdims=True)


def network(rate: float = 0.25) -> Any:
    keras.utils.set_random_seed(3)
    made = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    made.compile(optimizer=keras.optimizers.SGD(rate), loss="mse", metrics=["mae"])
    return made


def test_a_fit(experiment: str) -> None:
    stepwell.keras.autolog(log_input_examples=True)
    model = network()
    history = model.fit(
        ROWS, TARGETS, batch_size=4, epochs=2, verbose=0, validation_data=(ROWS[:4], TARGETS[:4])
    )
    run = run_of(experiment)
    assert run.info.status == "FINISHED"
    assert run.data.tags["mlflow.autologging"] == "keras"
    params = run.data.params
    assert {key: params[key] for key in ("batch_size", "epochs", "shuffle", "validation_split")} == {
        "batch_size": "4",
        "epochs": "2",
        "shuffle": "True",
        "validation_split": "0.0",
    }
    assert (params["optimizer_name"].lower(), params["optimizer_learning_rate"]) == ("sgd", "0.25")
    assert {key for key in params if not key.startswith("optimizer_")} == {
        *("batch_size", "class_weight", "epochs", "initial_epoch", "sample_weight", "shuffle"),
        *("steps_per_epoch", "validation_batch_size", "validation_freq", "validation_split"),
        "validation_steps",
    }
    for key, values in history.history.items():
        expected = [(step, pytest.approx(value)) for step, value in enumerate(values)]
        assert points_of(run.info.run_id, key) == expected
    assert set(history.history) == {"loss", "mae", "val_loss", "val_mae"}
    assert [step for step, _ in points_of(run.info.run_id, "validation_mae")] == [0, 0]
    assert "dense" in stepwell.artifacts.load_text(f"runs:/{run.info.run_id}/model_summary.txt")
    assert not files_of(run.info.run_id, "checkpoints")
    assert [it.tags[0].value for it in run.inputs.dataset_inputs] == ["train", "eval"]
    loaded = stepwell.pyfunc.load_model(f"runs:/{run.info.run_id}/model")
    np.testing.assert_allclose(loaded.predict(ROWS), model.predict(ROWS, verbose=0), rtol=1e-5)
    assert loaded.metadata.get_input_schema().to_dict()[0]["tensor-spec"] == {
        "dtype": "float32",
        "shape": [-1, 2],
    }
    np.testing.assert_array_equal(loaded.input_example, ROWS[:5])


def test_steps_and_an_early_stop(experiment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "QUICK_STEP_NS", 2**62)
    monkeypatch.setattr(kept, "KEPT_S", 3_600.0)  # written by the end of the training
    stepwell.keras.autolog(log_every_epoch=False, log_every_n_steps=2, log_models=False, log_datasets=False)
    stopping = keras.callbacks.EarlyStopping("loss", patience=1, min_delta=100)
    given = [stopping]
    with stepwell.start_run() as run:
        network(0.0).fit(ROWS, TARGETS, batch_size=4, epochs=9, verbose=0, callbacks=given)
    assert given == [stopping]
    found = run_of(experiment)
    # Three steps an epoch, two epochs.
    assert [step for step, _ in points_of(run.info.run_id, "loss")] == [2, 4, 6]
    assert abs(float(found.data.params["min_delta"])) == 100  # the sign is that of the mode, once it is known
    stopping_params = ("monitor", "patience", "baseline", "restore_best_weights")
    assert [found.data.params[key] for key in stopping_params] == ["loss", "1", "None", "False"]
    assert found.data.metrics["stopped_epoch"] == 1
    assert not found.outputs.model_outputs


def test_each_other_epoch(experiment: str) -> None:
    stepwell.keras.autolog(every_n_iter=2, log_models=False)
    network().fit(ROWS, TARGETS, epochs=5, verbose=0)
    run = run_of(experiment)
    assert [step for step, _ in points_of(run.info.run_id, "loss")] == [0, 2, 4]


class Odd(keras.metrics.Metric):
    """A metric that is an array."""

    def update_state(self, *_: Any, **__: Any) -> None:
        """Nothing."""

    def result(self) -> Any:
        return keras.ops.ones((2,))


def test_a_list_of_callbacks_is_the_users_own(experiment: str) -> None:
    model = network()
    own = keras.callbacks.CallbackList([], add_history=True, model=model)
    before = list(own.callbacks)
    stepwell.keras.autolog(log_models=False)
    model.fit(ROWS, TARGETS, epochs=2, verbose=0, callbacks=own)
    assert own.callbacks == before
    stepwell.keras.autolog(disable=True)
    model.fit(ROWS, TARGETS, epochs=3, verbose=0, callbacks=own)
    run = run_of(experiment)
    assert [step for step, _ in points_of(run.info.run_id, "loss")] == [0, 1]


def test_faults_are_told_and_errors_are_what_they_were(
    experiment: str, caplog: pytest.LogCaptureFixture
) -> None:
    stepwell.keras.autolog()
    model = network()
    model.optimizer.get_config = lambda: 1 / 0
    with caplog.at_level(logging.WARNING, logger="stepwell"):
        model.fit(ROWS, TARGETS, epochs=1, verbose=0)
    assert "ZeroDivisionError" in caplog.text
    caplog.clear()
    model = network()
    model.compile(optimizer="sgd", loss="mse", metrics=[Odd()])
    history = model.fit(ROWS, TARGETS, epochs=3, verbose=0, validation_data=(ROWS, TARGETS))
    assert caplog.text.count("'odd' is no number") == 1
    run = runs_of(experiment)[-1]
    assert [value for _, value in points_of(run.info.run_id, "loss")] == history.history["loss"]
    with pytest.raises(ValueError, match="cardinality"):
        network().fit(ROWS, TARGETS[:3], epochs=1, verbose=0)
    with pytest.raises(stepwell.StepwellException, match="log_every_n_steps"):
        stepwell.keras.autolog(log_every_epoch=False)


def test_turning_it_off_gives_everything_back() -> None:
    kind = next(each for each in keras.Model.__mro__ if "fit" in vars(each))
    before = vars(kind)["fit"]
    stepwell.keras.autolog()
    stepwell.keras.autolog(silent=True)
    assert vars(kind)["fit"] is not before
    stepwell.autolog(disable=True)
    assert vars(kind)["fit"] is before
