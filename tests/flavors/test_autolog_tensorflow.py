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
    model = network()
    history = model.fit(ROWS, TARGETS, 4, epochs=2, verbose=0, validation_data=(ROWS[:4], TARGETS[:4]))
    run = run_of(experiment)
    assert run.info.status == "FINISHED"
    assert run.data.tags["mlflow.autologging"] == "tensorflow"
    assert (run.data.params["batch_size"], run.data.params["opt_learning_rate"]) == ("4", "0.25")
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
    assert run.data.params["batch_size"] == "4"
    assert (run.data.metrics["stopped_epoch"], run.data.metrics["restored_epoch"]) == (1, 0)
    values = [*history.history["loss"], history.history["loss"][0]]
    expected = [(step, pytest.approx(value)) for step, value in enumerate(values)]
    assert points_of(run.info.run_id, "loss") == expected
    assert not files_of(run.info.run_id, "tensorboard_logs")
    (used,) = run.inputs.dataset_inputs
    features = json.loads(used.dataset.schema)["mlflow_tensorspec"]["features"]
    assert [(it["name"], it["tensor-spec"]["shape"]) for it in features] == [("0", [-1, 2]), ("1", [-1, 1])]
    assert json.loads(used.dataset.profile) == {"features_cardinality": 3}
