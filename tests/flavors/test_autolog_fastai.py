"""Autologging of fastai: names and steps are MLflow's. Runs where fastai is; the server is named by the environment."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fastai.learner import Learner
from fastai.tabular.all import RegressionBlock, TabularDataLoaders, tabular_learner

import stepwell
from tests.autologging.logged import files_of, points_of, run_of


@pytest.fixture(autouse=True)
def experiment() -> Iterator[str]:
    yield stepwell.set_experiment(f"autolog-{uuid.uuid4().hex}").experiment_id
    stepwell.autolog(disable=True)


def learner() -> Any:
    width = np.linspace(0, 1, 20)
    frame = pd.DataFrame({"width": width, "height": width[::-1], "target": 2 * width})
    loaders = TabularDataLoaders.from_df(
        frame, y_names="target", cont_names=["width", "height"], y_block=RegressionBlock(), bs=4
    )
    return tabular_learner(loaders, layers=[2])


def test_one_cycle(experiment: str) -> None:
    stepwell.fastai.autolog()
    made = learner()
    with made.no_bar(), made.no_logging():
        callbacks = list(made.cbs)
        made.fit_one_cycle(2, 0.125)
        assert list(made.cbs) == callbacks
    run = run_of(experiment)
    assert run.info.status == "FINISHED"
    assert {"n_epoch", "reset_opt", "start_epoch", "opt_func", "num_layers", "input_size"} < set(
        run.data.params
    )
    assert {"lr", "mom", "sqr_mom", "wd", "eps"} < set(run.data.params)
    assert (run.data.params["n_epoch"], run.data.params["opt_func"]) == ("2", "Adam")
    for key in ("lr", "mom", "sqr_mom", "wd", "eps"):
        values = json.loads(run.data.params[key])
        assert isinstance(values, list)
        assert all(isinstance(it, float) for it in values)
    schedules = {f"{name}_{end}" for name in ("lr", "mom") for end in ("init", "min", "max", "final")}
    assert schedules < set(run.data.params)
    assert float(run.data.params["lr_max"]) == pytest.approx(0.125, rel=0.01)
    for key in ("epoch", "train_loss", "valid_loss"):
        assert [step for step, _ in points_of(run.info.run_id, key)] == [0, 1]
    files = files_of(run.info.run_id)
    assert {"module_summary.txt", "lr.png", "mom.png", "model"} <= files
    assert stepwell.fastai.load_model(f"runs:/{run.info.run_id}/model").predict is not None


def test_fine_tuning_is_one_call(experiment: str) -> None:
    stepwell.fastai.autolog(log_models=False)
    made = learner()
    with made.no_bar(), made.no_logging():
        made.fine_tune(2, base_lr=0.25)
    run = run_of(experiment)
    assert (run.data.params["epochs"], run.data.params["freeze_epochs"]) == ("2", "1")
    told = {"base_lr": "0.25", "lr_mult": "100", "pct_start": "0.3", "div": "5.0"}
    assert {key: run.data.params[key] for key in told} == told
    assert {"div_final", "moms"} <= set(run.data.params)
    assert [step for step, _ in points_of(run.info.run_id, "train_loss")] == [0, 0, 1]
    assert "model" not in files_of(run.info.run_id)


def test_training_is_what_it_would_have_been(experiment: str) -> None:
    from fastai.torch_core import set_seed

    def losses() -> list[Any]:
        set_seed(3, reproducible=True)
        made = learner()
        with made.no_bar(), made.no_logging():
            made.fit(2, 0.1)
        return list(made.recorder.values)

    expected = losses()
    stepwell.fastai.autolog()
    assert losses() == expected


def test_turning_it_off_gives_everything_back() -> None:
    before = [vars(Learner)[name] for name in ("fit", "fine_tune")]
    stepwell.autolog()
    assert vars(Learner)["fit"] is not before[0]
    stepwell.autolog(disable=True)
    assert [vars(Learner)[name] for name in ("fit", "fine_tune")] == before
