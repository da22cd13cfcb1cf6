"""The examples that end with a model, as a user runs them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import stepwell
from tests.harness.environments import ROOT
from tests.harness.servers.processes import ServerProcess

pytestmark = [pytest.mark.xdist_group("flavors"), pytest.mark.timeout(300)]


@pytest.mark.parametrize("script", ["train_digits_pytorch.py", "train_wine_xgboost.py"])
def test_the_model_comes_back(
    script: str, shared_server: ServerProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPWELL_TRACKING_URI", shared_server.tracking_uri)
    process = subprocess.run(
        [sys.executable, str(ROOT / "examples" / script)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    assert "The best model" in process.stdout
    if script == "train_digits_pytorch.py":
        look_at_the_training(re.search(r"Run: (\w+)", process.stdout)[1])


def look_at_the_training(run_id: str) -> None:
    """Every batch and every epoch is there, and a model for each epoch that was better than all before."""
    run = stepwell.get_run(run_id)
    assert run.data.params == {"batch_size": "64", "epochs": "6", "learning_rate": "0.003"}
    batches, epochs = (
        [(point.step, point.value) for point in stepwell.get_metric_history(run_id, key)]
        for key in ("accuracy", "test_accuracy")
    )
    assert [step for step, _ in batches] == list(range(len(batches)))
    assert len(batches) % 6 == 0
    assert [step for step, _ in epochs] == list(range(6))
    better = [
        step
        for step, value in epochs
        if value > max((other for before, other in epochs if before < step), default=0)
    ]
    assert [output.step for output in run.outputs.model_outputs] == better
