"""log_model on a real server: of runs and without, found both ways, n times under one name, offline, killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import stepwell
from stepwell import StepwellClient, StepwellException
from stepwell.models import get_model_info, infer_signature, set_signature
from tests.client.offline.test_offline import sync

Iris = tuple[Any, Any]


def test_a_model_of_a_run_is_found_both_ways(tracking_uri: str, pipeline: Any, iris: Iris) -> None:
    with stepwell.start_run() as run:
        stepwell.log_param("C", 1.0)
        info = stepwell.sklearn.log_model(
            pipeline, "model", input_example=iris[0].head(3), params={"depth": 3}, tags={"team": "a"}, step=7
        )
    assert info.model_uri == f"models:/{info.model_id}"
    assert (info.run_id, info.artifact_path, info.name) == (run.info.run_id, "model", "model")
    assert info.params == {"C": "1.0", "depth": "3"}
    for uri in (info.model_uri, f"runs:/{run.info.run_id}/model"):
        assert (stepwell.sklearn.load_model(uri).predict(iris[0]) == pipeline.predict(iris[0])).all()
        function = stepwell.pyfunc.load_model(uri)
        assert (function.predict(iris[0]) == pipeline.predict(iris[0])).all()
        assert (function.model_id, function.metadata.run_id) == (info.model_id, run.info.run_id)
        assert len(function.input_example) == 3
    logged = stepwell.get_logged_model(str(info.model_id))
    assert (str(logged.status), logged.tags["team"]) == ("READY", "a")
    assert [it.step for it in stepwell.get_run(run.info.run_id).outputs.model_outputs] == [7]
    names = {it.path for it in StepwellClient().list_artifacts(run.info.run_id, "model")}
    assert {"model/MLmodel", "model/model.pkl", "model/requirements.txt"} <= names


def test_what_a_logged_model_needs(tracking_uri: str, pipeline: Any) -> None:
    info = stepwell.sklearn.log_model(pipeline, "model", pip_requirements=["scikit-learn"])
    assert Path(stepwell.pyfunc.get_model_dependencies(info.model_uri)).read_text() == "scikit-learn"
    assert "conda-forge" in Path(stepwell.pyfunc.get_model_dependencies(info.model_uri, "conda")).read_text()
    with pytest.raises(StepwellException, match="'pip' or 'conda'"):
        stepwell.pyfunc.get_model_dependencies(info.model_uri, "apt")


def test_without_a_run_no_run_is_made(tracking_uri: str, pipeline: Any) -> None:
    info = stepwell.sklearn.log_model(pipeline, name="alone")
    assert stepwell.active_run() is None
    assert (info.run_id, info.name) == (None, "alone")
    stepwell.sklearn.load_model(info.model_uri)
    assert len(stepwell.search_runs(output_format="list")) == 0


def test_one_name_keeps_all_models(tracking_uri: str, pipeline: Any) -> None:
    with stepwell.start_run() as run:
        first, second = (stepwell.sklearn.log_model(pipeline, "best", step=step) for step in (1, 2))
    assert first.model_id != second.model_id
    for info in (first, second):
        assert get_model_info(info.model_uri).model_id == info.model_id
    assert get_model_info(f"runs:/{run.info.run_id}/best").model_id == second.model_id


@pytest.mark.parametrize("name", ["models/best", "v1.0", "50% off"])
def test_names_that_only_paths_can_have(tracking_uri: str, pipeline: Any, iris: Iris, name: str) -> None:
    with stepwell.start_run() as run:
        info = stepwell.sklearn.log_model(pipeline, name)
    assert info.model_uri == f"runs:/{run.info.run_id}/{name}"
    loaded = stepwell.sklearn.load_model(info.model_uri)
    assert (loaded.predict(iris[0]) == pipeline.predict(iris[0])).all()
    with pytest.raises(StepwellException, match="Invalid model name"):
        stepwell.sklearn.log_model(pipeline, name)


@pytest.mark.parametrize("name", ["two words", "übung", "a#b?c&d", "(x) [y] {z}", "-", "日本"])
def test_odd_names(tracking_uri: str, pipeline: Any, name: str) -> None:
    with stepwell.start_run() as run:
        stepwell.sklearn.log_model(pipeline, name)
    stepwell.sklearn.load_model(f"runs:/{run.info.run_id}/{name}")


@pytest.mark.parametrize("name", ["../up", "/abs", "a//b", "a\0b"])
def test_names_that_are_none(tracking_uri: str, pipeline: Any, name: str) -> None:
    with stepwell.start_run(), pytest.raises(StepwellException, match="name of a model"):
        stepwell.sklearn.log_model(pipeline, name)


def test_another_run_than_the_active_one(tracking_uri: str, pipeline: Any) -> None:
    with stepwell.start_run() as other:
        pass
    with stepwell.start_run():
        info = stepwell.sklearn.log_model(pipeline, "model", run_id=other.info.run_id)
    assert info.run_id == other.info.run_id
    stepwell.sklearn.load_model(f"runs:/{other.info.run_id}/model")


def test_another_signature(tracking_uri: str, pipeline: Any, iris: Iris, tmp_path: Path) -> None:
    signature = infer_signature(iris[0], iris[1])
    with stepwell.start_run() as run:
        info = stepwell.sklearn.log_model(pipeline, "model")
    stepwell.sklearn.save_model(pipeline, tmp_path / "model")
    for uri in (info.model_uri, str(tmp_path / "model")):
        assert get_model_info(uri).signature is None
        set_signature(uri, signature)
        assert get_model_info(uri).signature == signature
    assert get_model_info(f"runs:/{run.info.run_id}/model").signature == signature
    other = infer_signature(iris[0])
    set_signature(f"runs:/{run.info.run_id}/model", other)
    assert get_model_info(info.model_uri).signature == other


def test_what_is_not_there(tracking_uri: str) -> None:
    with stepwell.start_run() as run:
        pass
    for uri in (f"runs:/{run.info.run_id}/model", f"models:/m-{'0' * 32}"):
        with pytest.raises(StepwellException) as refused:
            stepwell.pyfunc.load_model(uri)
        assert refused.value.error_code == "RESOURCE_DOES_NOT_EXIST"


OFFLINE = """
import stepwell
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

features, kinds = load_iris(return_X_y=True, as_frame=True)
model = LogisticRegression(max_iter=200).fit(features, kinds)
with stepwell.start_run() as run:
    info = stepwell.sklearn.log_model(model, "model", input_example=features.head(1))
print(run.info.run_id, info.model_uri)
"""


def test_a_model_that_is_logged_offline_is_delivered_later(tracking_uri: str, iris: Iris) -> None:
    job = subprocess.run(
        [sys.executable, "-c", OFFLINE],
        env={**os.environ, "STEPWELL_MODE": "offline"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    run_id, model_uri = job.stdout.split()
    assert sync().returncode == 0
    for uri in (model_uri, f"runs:/{run_id}/model"):
        assert stepwell.pyfunc.load_model(uri).predict(iris[0].head(2)).tolist() == [0, 0]


SAVE = """
import sys
import stepwell
from sklearn.dummy import DummyClassifier

class Slow(DummyClassifier):
    def __getstate__(self):
        print("half", flush=True)
        import time
        time.sleep(60)

if sys.argv[1] == "log":
    run = stepwell.start_run()
    print(run.info.run_id, flush=True)
    stepwell.flush()
    stepwell.sklearn.log_model(Slow(), "model")
else:
    print("-", flush=True)
    stepwell.sklearn.save_model(Slow(), sys.argv[2])
"""


@pytest.mark.parametrize("what", ["log", "save"])
def test_a_process_that_is_killed_in_mid_save_leaves_nothing_to_be_seen(
    tracking_uri: str, tmp_path: Path, what: str
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SAVE, what, str(tmp_path / "model")],
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    assert process.stdout is not None
    run_id = process.stdout.readline().strip()
    assert process.stdout.readline() == "half\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    if what == "log":
        time.sleep(0.1)
        assert StepwellClient().list_artifacts(run_id) == []
        assert not stepwell.search_logged_models(filter_string="status = 'READY'", output_format="list")
    else:
        assert not (tmp_path / "model").exists()
