"""Models and the registry: registered as they are logged, loaded by stage and alias, followed by a server."""

import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

import stepwell
from stepwell import StepwellClient, StepwellException
from stepwell.models import get_model_info, places, set_signature
from tests.models.serving.test_serve import serving


@pytest.fixture
def name(tracking_uri: str) -> str:
    return f"model {uuid.uuid4().hex}"


def logged(name: str, word: str) -> int:
    """The number of the next version of a model, which answers with a word."""
    info = stepwell.pyfunc.log_model(
        "model", python_model=lambda data: [word] * len(data), registered_model_name=name
    )
    assert info.registered_model_version is not None
    return info.registered_model_version


def test_a_model_is_registered_as_it_is_logged_and_loaded_every_way(
    name: str, pipeline: Any, iris: Any
) -> None:
    with stepwell.start_run() as run:
        info = stepwell.sklearn.log_model(
            pipeline, "model", registered_model_name=name, input_example=iris[0].head(1)
        )
    assert info.registered_model_version == 1
    client = StepwellClient()
    assert client.get_model_version(name, "1").run_id == run.info.run_id
    client.set_registered_model_alias(name, "champion", "1")
    client.transition_model_version_stage(name, "1", "Staging")
    for uri in (
        f"models:/{name}/1",
        f"models:/{name}/staging",
        f"models:/{name}/latest",
        f"models:/{name}@champion",
    ):
        assert (stepwell.sklearn.load_model(uri).predict(iris[0]) == pipeline.predict(iris[0])).all()
        assert get_model_info(uri).model_id == info.model_id
        assert places.source_of(uri) == f"models:/{name}/1"
    with pytest.raises(StepwellException, match="versions of registered models do not change"):
        set_signature(f"models:/{name}/1", get_model_info(info.model_uri).signature)
    with pytest.raises(StepwellException, match="Production"):
        stepwell.sklearn.load_model(f"models:/{name}/Production")


def test_a_server_follows_an_alias_without_dropping_a_request(name: str) -> None:
    client = StepwellClient()
    client.set_registered_model_alias(name, "live", str(logged(name, "one")))
    with serving(f"models:/{name}@live", "--reload", "--reload-interval", "0.2") as server:
        found = [server.predict(0)[1]["predictions"] for _ in range(5)]
        second = logged(name, "two")
        client.set_registered_model_alias(name, "live", str(second))
        until = time.monotonic() + 60
        while found[-1] != ["two"]:
            status, answer = server.predict(0)
            assert status == 200
            found.append(answer["predictions"])
            assert time.monotonic() < until
        assert found[:5] == [["one"]] * 5
        assert "stepwell_serving_reloads_total 1.0" in server.ask("/metrics")[2]
        client.delete_registered_model_alias(name, "live")
        time.sleep(0.5)
        assert server.predict(0) == (200, {"predictions": ["two"]})


def test_the_example_registers_its_best_model_and_asks_it(tracking_uri: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(Path(__file__).parents[2] / "examples" / "serve_diabetes.py")],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    stepwell.MlflowClient().delete_registered_model("diabetes")  # other examples take the name, too
    assert "is version 1 of 'diabetes'" in done.stdout
    assert "it predicts" in done.stdout
