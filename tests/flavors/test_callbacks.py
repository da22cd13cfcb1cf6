"""Integrations with the libraries that this Python has; the others are tested in tests/flavors/integrations."""

import uuid
from collections.abc import Iterator
from typing import Any

import lightgbm
import numpy as np
import optuna
import pytest
import xgboost

import stepwell
from stepwell.errors import StepwellException
from stepwell.integrations import joining
from stepwell.integrations import lightgbm as for_lightgbm
from stepwell.integrations import optuna as for_optuna
from stepwell.integrations import xgboost as for_xgboost
from tests.harness.servers.processes import ServerProcess

X = np.random.default_rng(1).random((200, 3))
Y = X.sum(1)


@pytest.fixture(autouse=True)
def experiment(shared_server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    name = f"callbacks-{uuid.uuid4().hex}"
    monkeypatch.setenv("STEPWELL_TRACKING_URI", shared_server.tracking_uri)
    monkeypatch.setenv("STEPWELL_EXPERIMENT_NAME", name)
    yield name
    assert stepwell.active_run() is None


def last() -> stepwell.Run:
    run = stepwell.last_active_run()
    assert run is not None
    return run


def steps(run: stepwell.Run, key: str) -> list[int]:
    return [point.step for point in stepwell.get_metric_history(run.info.run_id, key)]


def train_xgboost(rounds: int, **arguments: Any) -> None:
    train, valid = xgboost.DMatrix(X[:150], Y[:150]), xgboost.DMatrix(X[150:], Y[150:])
    xgboost.train(
        {"max_depth": 2, "nthread": 1},
        train,
        rounds,
        evals=[(train, "train"), (valid, "valid")],
        verbose_eval=False,
        **arguments,
    )


def test_xgboost() -> None:
    train_xgboost(8, callbacks=[for_xgboost.StepwellCallback(every=3)])
    run = last()
    assert run.info.status == "FINISHED"
    assert run.data.metrics.keys() == {"train-rmse", "valid-rmse"}
    assert steps(run, "valid-rmse") == [0, 3, 6, 7]
    with stepwell.start_run() as outer:
        train_xgboost(200, early_stopping_rounds=1, callbacks=[for_xgboost.StepwellCallback()])
        assert stepwell.active_run() is outer
    found = last().data.metrics
    assert steps(last(), "train-rmse") == list(range(int(found["best_iteration"]) + 2))
    assert found["best_score"] <= found["valid-rmse"]


def test_lightgbm() -> None:
    train, valid = lightgbm.Dataset(X[:150], Y[:150]), lightgbm.Dataset(X[150:], Y[150:])
    params = {"verbose": -1, "objective": "l2", "learning_rate": 0.9, "num_threads": 1}
    callback = for_lightgbm.StepwellCallback(every=3)
    lightgbm.train(params, train, 8, valid_sets=[valid], callbacks=[callback])
    assert last().info.status == "FINISHED"
    assert steps(last(), "valid_0-l2") == [0, 3, 6, 7]
    lightgbm.train(
        params,
        train,
        300,
        valid_sets=[valid],
        callbacks=[lightgbm.early_stopping(2, verbose=False), for_lightgbm.StepwellCallback()],
    )
    # It was stopped early, which it does not say; the run has ended nevertheless.
    assert last().info.status == "FINISHED"
    assert 3 <= len(steps(last(), "valid_0-l2")) < 300


def test_optuna_inside_of_trials(experiment: str) -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    callback = for_optuna.StepwellCallback(metric_name="square", tag_study_user_attrs=True)

    @callback.track_in_run
    def objective(trial: optuna.Trial) -> float:
        x = trial.suggest_float("x", 0, 1)
        for step in range(3):
            for_optuna.report(trial, "loss", trial.number + step, step)
        return x * x

    of_study = f"{experiment} of the study"
    study = optuna.create_study(study_name=of_study, pruner=optuna.pruners.ThresholdPruner(upper=3.5))
    study.set_user_attr("who", "ada")
    study.optimize(objective, n_trials=3, callbacks=[callback])
    runs = stepwell.search_runs(experiment_names=[of_study], output_format="list")[::-1]
    assert [run.info.run_name for run in runs] == ["0", "1", "2"]
    assert [run.data.tags["state"] for run in runs] == ["COMPLETE", "COMPLETE", "PRUNED"]
    assert [steps(run, "loss") for run in runs] == [[0, 1, 2]] * 3
    assert {run.info.status for run in runs} == {"FINISHED"}
    for trial, run in zip(study.trials, runs, strict=True):
        assert for_optuna.run_of(trial) == run.info.run_id
        assert run.data.params == {"x": str(trial.params["x"])}
        assert (run.data.tags["who"], run.data.tags["direction"]) == ("ada", "MINIMIZE")
        assert run.data.tags["x_distribution"].startswith("FloatDistribution")
    assert runs[0].data.metrics["square"] == study.trials[0].value
    with stepwell.start_run() as other:  # goes where it went before
        assert other.info.experiment_id == stepwell.get_experiment_by_name(experiment).experiment_id


def test_an_experiment_of_an_integration_is_that_of_its_run_alone(experiment: str) -> None:
    joined = joining.join(experiment_name=f"{experiment} its own", run_name="one")
    inner = joining.join(nested=True)
    for each in (inner, joined):
        each.end()
    found = [stepwell.get_experiment(it.run.info.experiment_id).name for it in (joined, inner)]
    assert found == [f"{experiment} its own", experiment]


def test_optuna_behind_trials(experiment: str) -> None:
    def objective(trial: optuna.Trial) -> tuple[float, float]:
        return trial.suggest_int("n", 1, 3), 2.0

    study = optuna.create_study(study_name=experiment, directions=["minimize", "maximize"])
    study.optimize(objective, n_trials=2, callbacks=[for_optuna.StepwellCallback(metric_name=["a", "b"])])
    found = stepwell.search_runs(experiment_names=[experiment], output_format="list")
    assert [run.data.metrics["b"] for run in found] == [2.0, 2.0]
    assert stepwell.active_run() is None
    with pytest.raises(ValueError, match="2 names, and the trial 1 values"):
        for_optuna.StepwellCallback(metric_name=["a", "b"])._names(1)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras, on torch
def test_keras() -> None:
    keras = pytest.importorskip("keras")
    from stepwell.integrations.keras import MlflowCallback, StepwellCallback

    assert MlflowCallback is StepwellCallback

    def fit(**arguments: Any) -> None:
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        model.compile(optimizer=keras.optimizers.SGD(0.01, name="sgd"), loss="mse", metrics=["mae"])
        model.fit(X[:32], Y[:32], batch_size=8, verbose=0, **arguments)

    fit(epochs=3, validation_split=0.25, callbacks=[StepwellCallback()])
    run = last()
    assert run.info.status == "FINISHED"
    assert run.data.params["optimizer_name"] == "sgd"
    assert run.data.metrics.keys() >= {"loss", "mae", "val_loss", "validation_loss"}
    assert steps(run, "loss") == [0, 1, 2]
    assert "Dense" in stepwell.artifacts.load_text(f"runs:/{run.info.run_id}/model_summary.txt")
    with stepwell.start_run():
        fit(epochs=2, callbacks=[StepwellCallback(log_every_epoch=False, log_every_n_steps=3)])
    assert steps(last(), "loss") == [0, 3, 6]
    with pytest.raises(StepwellException, match="log_every_epoch=False"):
        StepwellCallback(log_every_n_steps=1)


def test_names_and_numbers_of_others() -> None:
    given = {"a(b)": 1, "//x/../y": 2.5, "text": "1", "none": None, "array": np.ones(2), "nan": float("nan")}
    found = joining.numbers(given)
    assert found.keys() == {"a_b_", "x/y", "nan"}
    assert joining.metric_name("..") == "_"


def test_one_thing_is_no_list_of_its_rows() -> None:
    pictures = np.zeros((2, 4, 4, 3), np.uint8)
    for several in (pictures, list(pictures), tuple(pictures)):
        assert len(list(joining.listed("images", several))) == 2
    for alone in (pictures[0], "speech.wav", {"a": 1}):
        with pytest.raises(StepwellException, match="images is a list"):
            joining.listed("images", alone)


def test_a_run_that_is_named_is_gone_on_with() -> None:
    with stepwell.start_run() as outer:
        assert joining.join().run is outer
        assert joining.join(run_id=outer.info.run_id).run is outer
        nested = joining.join(nested=True, run_name="inner")
        nested.end()
        nested.end()
        assert stepwell.active_run() is outer
    again = joining.join(run_id=nested.run_id)
    again.end("FAILED")
    assert stepwell.get_run(nested.run_id).info.status == "FAILED"


def test_what_callbacks_are_told_wrongly() -> None:
    from stepwell.integrations.keras import StepwellCallback
    from stepwell.integrations.lightning import StepwellLogger

    for made, wrong, said in (
        (for_xgboost.StepwellCallback, {"every": 0}, "every must be an integer"),
        (for_lightgbm.StepwellCallback, {"every": "often"}, "every must be an integer"),
        (StepwellCallback, {"run": "a name"}, "start_run"),
        (StepwellLogger, {"log_model": "best"}, "log_model is True, False or 'all', not 'best'"),
        (StepwellLogger, {"tracking_uri": "sqlite:///runs.db"}, "names no Stepwell server"),
    ):
        with pytest.raises(StepwellException, match=said):
            made(**wrong)
    with pytest.raises(StepwellException, match="images is a list"):
        StepwellLogger().log_image("picture", np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(StepwellException, match="audios is a list"):
        StepwellLogger().log_audio("speech", "speech.wav")
