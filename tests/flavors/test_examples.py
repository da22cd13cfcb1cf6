"""The examples that end with a model, as a user runs them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.environments import ROOT
from tests.harness.processes import ServerProcess

pytestmark = pytest.mark.xdist_group("flavors")


@pytest.mark.parametrize("script", ["train_digits_pytorch.py", "train_wine_xgboost.py"])
def test_the_model_comes_back(script: str, shared_server: ServerProcess, tmp_path: Path) -> None:
    process = subprocess.run(
        [sys.executable, str(ROOT / "examples" / script)],
        cwd=tmp_path,
        env={**os.environ, "STEPWELL_TRACKING_URI": shared_server.tracking_uri},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    assert "The best model" in process.stdout
