"""Models of fastai. Run by `make test-flavors`."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from fastai.tabular.all import RegressionBlock, TabularDataLoaders, tabular_learner

import stepwell
from stepwell import StepwellException

pytestmark = pytest.mark.filterwarnings("ignore")

FRAME = pd.DataFrame(
    {"width": [0.0, 1.0, 2.0, 4.0], "height": [1.0, 0.0, 3.0, 1.0], "target": [0.5, 1.0, 2.0, 3.5]}
)


@pytest.fixture
def learner() -> Any:
    loaders = TabularDataLoaders.from_df(
        FRAME, y_names="target", cont_names=["width", "height"], y_block=RegressionBlock(), bs=2
    )
    return tabular_learner(loaders, layers=[2])


def test_the_files_are_those_of_mlflow(learner: Any, tmp_path: Path) -> None:
    stepwell.fastai.save_model(learner, tmp_path / "model")
    assert (tmp_path / "model/model.fastai").is_file()
    flavors = yaml.safe_load((tmp_path / "model/MLmodel").read_text())["flavors"]
    assert flavors["fastai"]["data"] == "model.fastai"
    requirements = (tmp_path / "model/requirements.txt").read_text()
    assert "fastai==" in requirements
    assert "torch==" in requirements


def test_predictions_are_a_column(learner: Any, tmp_path: Path) -> None:
    learner.fit_one_cycle(1)
    callbacks = [type(each) for each in learner.cbs]
    stepwell.fastai.save_model(learner, tmp_path / "model")
    assert [type(each) for each in learner.cbs] == callbacks
    rows = FRAME[["width", "height"]]
    predicted = stepwell.pyfunc.load_model(str(tmp_path / "model")).predict(rows)
    assert list(predicted.columns) == ["predictions"]
    expected, _ = learner.get_preds(dl=learner.dls.test_dl(rows))
    np.testing.assert_allclose(np.stack(predicted["predictions"]), expected.numpy(), rtol=1e-5)
    assert type(stepwell.fastai.load_model(str(tmp_path / "model"))) is type(learner)


def test_the_learner_can_be_trained_on_after_it_was_saved(learner: Any, tmp_path: Path) -> None:
    learner.fit_one_cycle(1)
    stepwell.fastai.save_model(learner, tmp_path / "model", input_example=FRAME[["width", "height"]])
    learner.fit_one_cycle(1)


def test_what_is_no_learner(tmp_path: Path) -> None:
    with pytest.raises(StepwellException, match="a Learner, not dict"):
        stepwell.fastai.save_model({}, tmp_path / "model")
