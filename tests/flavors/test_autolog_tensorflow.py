"""Autologging of TensorFlow: names and steps are MLflow's. Runs where it is; the environment names the server."""

import json
import sys
import uuid
from collections.abc import Iterator

import numpy as np
import pytest
import tensorflow as tf

import stepwell
from tests.autologging.logged import files_of, points_of, run_of

ROWS = np.linspace(0, 1, 24, dtype="float32").reshape(12, 2)
TARGETS = ROWS.sum(axis=1, keepdims=True)


@pytest.fixture(autouse=True)
def experiment() -> Iterator[str]:
    yield stepwell.set_experiment(f"autolog-{uuid.uuid4().hex}").experiment_id
    stepwell.autolog(disable=True)


def network(rate: float = 0.25) -> tf.keras.Model:
    tf.keras.utils.set_random_seed(3)
    made = tf.keras.Sequential([tf.keras.Input((2,)), tf.keras.layers.Dense(1)])
    made.compile(optimizer=tf.keras.optimizers.SGD(rate), loss="mse", metrics=["mae"])
    return made


def test_a_fit(experiment: str) -> None:
    stepwell.autolog()  # of both flavors, that of TensorFlow logs
    model = network(0.01)
    history = model.fit(ROWS, TARGETS, 4, epochs=2, verbose=0, validation_data=(ROWS[:4], TARGETS[:4]))
    run = run_of(experiment)
    assert run.info.status == "FINISHED"
    assert run.data.tags["mlflow.autologging"] == "tensorflow"
    params = run.data.params
    assert (params["batch_size"], params["opt_learning_rate"]) == ("4", "0.009999999776482582")  # in 32 bits
    assert {key for key in params if not key.startswith("opt_")} == {
        *("batch_size", "class_weight", "epochs", "initial_epoch", "sample_weight", "shuffle"),
        *("steps_per_epoch", "validation_batch_size", "validation_freq", "validation_split"),
        "validation_steps",
    }
    assert "dense" in stepwell.artifacts.load_text(f"runs:/{run.info.run_id}/model_summary.txt")
    for key, values in history.history.items():
        expected = [(step, pytest.approx(value)) for step, value in enumerate(values)]
        assert points_of(run.info.run_id, key) == expected
    assert {step for step, _ in points_of(run.info.run_id, "validation_loss")} == {0}
    assert files_of(run.info.run_id, "tensorboard_logs") == {
        f"tensorboard_logs/{part}" for part in ("train", "validation")
    }
    assert run.data.tags["mlflow.latest_checkpoint_artifact"] == "checkpoints/latest_checkpoint.h5"
    kept = stepwell.artifacts.load_text(f"runs:/{run.info.run_id}/checkpoints/latest_checkpoint_metrics.json")
    assert json.loads(kept)["val_loss"] == pytest.approx(min(history.history["val_loss"]))
    assert [it.tags[0].value for it in run.inputs.dataset_inputs] == ["train", "eval"]
    loaded = stepwell.tensorflow.load_model(f"runs:/{run.info.run_id}/model")
    np.testing.assert_allclose(loaded.predict(ROWS, verbose=0), model.predict(ROWS, verbose=0), rtol=1e-5)


def test_an_early_stop_without_tensorboard(experiment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    monkeypatch.setattr("stepwell.autologging.keras.fitting.find_spec", lambda name: None)
    stepwell.tensorflow.autolog(log_models=False)
    stopping = tf.keras.callbacks.EarlyStopping("loss", patience=1, min_delta=100, restore_best_weights=True)
    data = tf.data.Dataset.from_tensor_slices((ROWS, TARGETS)).batch(4)
    history = network(0.0).fit(data, epochs=9, verbose=0, callbacks=[stopping])
    run = run_of(experiment)
    assert abs(float(run.data.params["min_delta"])) == 100
    stopping_params = ("batch_size", "monitor", "patience", "baseline", "restore_best_weights")
    assert [run.data.params[key] for key in stopping_params] == ["4", "loss", "1", "None", "True"]
    assert (run.data.metrics["stopped_epoch"], run.data.metrics["restored_epoch"]) == (1, 0)
    values = [*history.history["loss"], history.history["loss"][0]]
    expected = [(step, pytest.approx(value)) for step, value in enumerate(values)]
    assert points_of(run.info.run_id, "loss") == expected
    assert not files_of(run.info.run_id, "tensorboard_logs")
    (used,) = run.inputs.dataset_inputs
    features = json.loads(json.loads(used.dataset.schema)["mlflow_tensorspec"]["features"])
    assert [(it["name"], it["tensor-spec"]["shape"]) for it in features] == [("0", [-1, 2]), ("1", [-1, 1])]
    assert json.loads(used.dataset.profile) == {"features_cardinality": 3}


def test_steps(experiment: str) -> None:
    stepwell.tensorflow.autolog(log_every_epoch=False, log_every_n_steps=2, log_models=False)
    given = (ROWS[:4], TARGETS[:4])
    network().fit(ROWS, TARGETS, batch_size=4, epochs=2, verbose=0, validation_data=given)
    run = run_of(experiment)
    for key in ("loss", "mae"):
        assert [step for step, _ in points_of(run.info.run_id, key)] == [2, 4, 6]
    assert set(run.data.metrics) == {"loss", "mae", "validation_loss", "validation_mae"}
