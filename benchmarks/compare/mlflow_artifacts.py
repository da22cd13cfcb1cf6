"""MLflow's client as its users call it: logs a file or a folder and fetches it again, and prints the seconds as JSON.

    .venv-compare/mlflow/bin/python benchmarks/compare/mlflow_artifacts.py URI SOURCE TARGET

Runs in MLflow's own virtual environment, on a server that takes artifacts for it (`mlflow server --serve-artifacts`).
"""

import json
import os
import sys
import time
from pathlib import Path

os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"

import mlflow


def main(uri: str, source: str, target: str) -> None:
    """Log and fetch."""
    mlflow.set_tracking_uri(uri)  # its artifacts ask for it, not the client
    client = mlflow.MlflowClient()
    run_id = client.create_run("0").info.run_id
    is_folder = Path(source).is_dir()
    started = time.perf_counter()
    (client.log_artifacts if is_folder else client.log_artifact)(run_id, source)
    logged = time.perf_counter()
    client.download_artifacts(run_id, "" if is_folder else Path(source).name, target)
    fetched = time.perf_counter()
    print(json.dumps({"upload_s": logged - started, "download_s": fetched - logged}))


if __name__ == "__main__":
    main(*sys.argv[1:])
