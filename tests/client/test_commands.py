"""stepwell experiments and stepwell runs."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import stepwell as mlflow
from stepwell.commands.experiments import experiments
from stepwell.commands.runs import runs

pytestmark = pytest.mark.usefixtures("tracking_uri")

GROUPS = {"experiments": experiments, "runs": runs}


def call(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(GROUPS[words[0]], words[1:])
    assert result.exit_code == code, result.output
    return result.output


def call_json(*words: str) -> Any:
    return json.loads(call(*words, "--json"))


@pytest.fixture
def new_run() -> Callable[..., str]:
    def log(name: str, loss: float) -> str:
        with mlflow.start_run(run_name=name) as run:
            mlflow.log_param("name", name)
            mlflow.log_param("same", "x")
            for step in range(3):
                mlflow.log_metric("loss", loss + step, step=step)
        return run.info.run_id

    return log


def test_experiments(tmp_path: Path, new_run: Callable[..., str]) -> None:
    name = mlflow.settings.experiment_name()
    assert name is not None
    number = call_json("experiments", "create", "--experiment-name", name)["experiment_id"]
    assert "already exists" in call("experiments", "create", "-n", name, code=1)
    first = new_run("first", 1.0)
    assert name in call("experiments", "list", "--filter", f"name = '{name}'")
    assert [
        one["experiment_id"] for one in call_json("experiments", "list", "--filter", f"name = '{name}'")
    ] == [number]
    assert call_json("experiments", "get", "-n", name)["experiment_id"] == number
    assert number in call("experiments", "get", "--experiment-id", number)
    assert number in call("experiments", "search", "--filter", f"name = '{name}'")
    call("experiments", "csv", "-x", number, "-o", str(tmp_path / "runs.csv"))
    [row] = csv.DictReader((tmp_path / "runs.csv").read_text().splitlines())
    assert (row["run_id"], row["metrics.loss"], row["params.name"]) == (first, "3.0", "first")
    assert json.loads(call("experiments", "export", "-x", number, "--json"))["info"]["run_id"] == first
    assert "deleted" in call("experiments", "delete", "-x", number)
    assert call_json("experiments", "get", "-x", number)["lifecycle_stage"] == "deleted"
    assert call_json("experiments", "restore", "-x", number) == {"experiment_id": number}
    call("experiments", "rename", "-x", number, "--new-name", f"{name} new")
    assert call_json("experiments", "get", "-x", number)["name"] == f"{name} new"
    assert "Give --experiment-id or" in call("experiments", "get", code=2)
    assert "no experiment" in call("experiments", "get", "-n", "nobody", code=1)


def test_runs(tmp_path: Path, new_run: Callable[..., str]) -> None:
    first, second = new_run("first", 1.0), new_run("second", 2.0)
    number = mlflow.get_run(first).info.experiment_id
    listed = call("runs", "list", "-x", number, "--order-by", "metrics.loss DESC", "--column", "metrics.loss")
    assert listed.index(second) < listed.index(first)
    assert [
        one["info"]["run_id"]
        for one in call_json("runs", "list", "-x", number, "--filter", "metrics.loss < 4")
    ] == [first]
    assert "params.same" in call("runs", "show", "--run-id", first)
    assert call_json("runs", "describe", "--run-id", first)["metrics"]["loss"]["value"] == 3.0
    assert call("runs", "show", first) == call("runs", "show", "--run-id", first)
    assert "Give the id of one run" in call("runs", "show", code=2)
    assert "Give the id of one run" in call("runs", "show", first, "--run-id", first, code=2)
    different = call_json("runs", "diff", first, second)
    assert different["params.name"] == {first: "first", second: "second"}
    assert not {"params.same", "run_id", "artifact_uri"} & set(different)
    assert "params.same" in call("runs", "diff", first, second, "--all")
    assert "at least two" in call("runs", "diff", first, code=2)
    [point] = [json.loads(line) for line in call("runs", "tail", "--run-id", first, "--json").splitlines()]
    assert (point["key"], point["step"], point["value"]) == ("loss", 2, 3.0)
    assert "step 2  loss 3" in call("runs", "tail", "--run-id", first, "--metric", "loss")
    call("runs", "export", "--run-id", first, "--run-id", second, "-o", str(tmp_path / "runs.json"))
    exported = [json.loads(line) for line in (tmp_path / "runs.json").read_text().splitlines()]
    assert [[step, value] for step, _, value in exported[0]["histories"]["loss"]] == [
        [0, 1.0],
        [1, 2.0],
        [2, 3.0],
    ]
    assert call_json("runs", "delete", "--run-id", first) == {"run_id": first}
    assert len(call_json("runs", "list", "-x", number)) == 1
    assert "restored" in call("runs", "restore", "--run-id", first)
    assert len(call_json("runs", "list", "-x", number)) == 2
    assert "no run with id" in call("runs", "show", "--run-id", "0" * 32, code=1)
