"""Integrations with libraries that are too heavy for the suite: scripts, each in the Python that has its library.

Run by `make test-flavors`.
"""

import os
import subprocess
import uuid
from pathlib import Path

import pytest

from tests.flavors.environments import python_of
from tests.harness.servers.processes import ServerProcess

SCRIPT_S = 600.0
SCRIPTS = Path(__file__).parent / "scripts"


AS_MLFLOW = ("-m", "stepwell.as_mlflow", "--force")


@pytest.mark.parametrize("by", [(), AS_MLFLOW], ids=["mlflow", "stepwell"])
def test_zenmls_own_tracker_of_mlflow(
    shared_server: ServerProcess, tmp_path: Path, by: tuple[str, ...]
) -> None:
    run_script(shared_server, tmp_path, "zenml", "zenml_mlflow", [], by)


@pytest.mark.parametrize(
    ("environment", "script", "arguments"),
    [
        ("training", "lightning_logger", ["lightning.pytorch"]),
        ("training", "lightning_logger", ["pytorch_lightning"]),
        ("training", "lightning_ranks", []),
        ("training", "autolog_ranks", ["ddp"]),
        ("training", "autolog_ranks", ["ddp_spawn"]),
        ("training", "autolog_ranks", ["torchrun"]),
        ("training", "transformers_callback", []),
        ("training", "accelerate_tracker", []),
        ("training", "ray_tune", []),
        ("training", "ray_train", []),
        ("zenml", "zenml_tracker", []),
    ],
)
def test_a_library_logs(
    shared_server: ServerProcess, tmp_path: Path, environment: str, script: str, arguments: list[str]
) -> None:
    run_script(shared_server, tmp_path, environment, script, arguments)


def run_script(
    server: ServerProcess,
    folder: Path,
    environment: str,
    script: str,
    arguments: list[str],
    by: tuple[str, ...] = (),
) -> None:
    """Run a script, which looks at what it logged; `by` stands before it, for a module that runs it."""
    process = subprocess.run(
        [
            *(str(python_of(environment)), "-W", "ignore", *by, str(SCRIPTS / f"{script}.py")),
            *(f"{script}-{uuid.uuid4().hex}", *arguments),
        ],
        cwd=folder,
        env={
            **os.environ,
            "STEPWELL_TRACKING_URI": server.url,
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "ZENML_CONFIG_PATH": str(folder / "zenml"),
            "ZENML_ANALYTICS_OPT_IN": "false",
            "RAY_USAGE_STATS_ENABLED": "0",
            "HF_HUB_OFFLINE": "1",
            "CUDA_VISIBLE_DEVICES": "",
        },
        capture_output=True,
        text=True,
        timeout=SCRIPT_S,
        check=False,
    )
    assert process.returncode == 0, process.stdout + process.stderr
