"""A tour of the functions that log: runs, params, metrics, files, and how to read them again.

Start a server with `make serve`, then:

    .venv/bin/python examples/tracking_tour.py

It is written as it would be for MLflow: only the import differs.
"""

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import stepwell as mlflow


@dataclass
class Settings:
    """What a training is given; as a dictionary each field can be searched for."""

    learning_rate: float = 0.001
    optimizer: str = "adam"


def log_without_a_run(folder: Path) -> str:
    """Log some of everything. The first call starts a run, which stays open until somebody ends it."""
    mlflow.log_param("trees", 10)
    mlflow.log_params({"trees": 10, "depth": 4})
    mlflow.log_metric("mse", 2500.0)
    mlflow.log_metrics({"mse": 2400.0, "rmse": 49.0}, step=1)
    mlflow.log_artifact(folder / "settings.yaml")
    mlflow.log_artifacts(folder, artifact_path="all")
    run = mlflow.active_run()
    mlflow.end_run()
    return run.info.run_id


def log_with_a_run() -> str:
    """A run that ends with its block, and metrics at steps: any integers, in any order, with gaps."""
    with mlflow.start_run(run_name="steps") as run:
        mlflow.log_params(asdict(Settings()))
        for epoch in range(3):
            mlflow.log_metric("quality", 2 * epoch, step=epoch)
        for step in (75, -20, 1):
            mlflow.log_metric("anywhere", step / 2, step=step)
    return run.info.run_id


def write_a_param_twice() -> str:
    """A param is written once: another value is refused, and an exception ends the run as FAILED."""
    try:
        with mlflow.start_run() as run:
            mlflow.log_param("learning_rate", 0.001)
            mlflow.log_param("learning_rate", 0.1)
    except mlflow.MlflowException as refused:
        print(f"Refused, as it should be: {refused}")
    return run.info.run_id


def main() -> None:
    """Log, and read what was logged."""
    experiment = mlflow.set_experiment("tour")
    print(f"Logging to {mlflow.get_tracking_uri()}, experiment {experiment.name!r}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "settings.yaml").write_text("learning_rate: 0.001\n")
        (folder / "notes.txt").write_text("The first try.\n")
        first = log_without_a_run(folder)
    steps, failed = log_with_a_run(), write_a_param_twice()

    client = mlflow.MlflowClient()
    print("files:", [file.path for file in client.list_artifacts(first)])
    print("quality:", [(point.step, point.value) for point in client.get_metric_history(steps, "quality")])
    found = mlflow.search_runs(
        experiment_names=["tour"], filter_string="params.optimizer = 'adam'", output_format="list"
    )
    print(f"{len(found)} run(s) with adam; the run that raised is {mlflow.get_run(failed).info.status}")


if __name__ == "__main__":
    main()
