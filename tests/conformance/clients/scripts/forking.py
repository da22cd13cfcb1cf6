"""MLflow in forked processes: before anything was logged, and in the middle of a run."""

import multiprocessing
import sys

import mlflow
from mlflow.tracking import MlflowClient

assert "grpc" not in sys.modules, "importing mlflow opens nothing"
CHILDREN, POINTS = 3, 500


def log(run_id: str, child: int) -> None:
    client = MlflowClient()
    for step in range(POINTS):
        client.log_metric(run_id, f"child {child}", float(step), step=step)


def own_run(queue: multiprocessing.Queue) -> None:
    with mlflow.start_run() as run:
        log(run.info.run_id, 0)
    queue.put(run.info.run_id)


context = multiprocessing.get_context("fork")
queue = context.Queue()
early = context.Process(target=own_run, args=(queue,))
early.start()
early_id = queue.get(timeout=60)
early.join()
assert early.exitcode == 0
found = MlflowClient().get_run(early_id)
assert (found.info.status, found.data.metrics) == ("FINISHED", {"child 0": POINTS - 1}), found

with mlflow.start_run() as run:
    mlflow.log_metric("parent", 1.0)
    mlflow.get_run(run.info.run_id)  # by now gRPC is in use
    children = [context.Process(target=log, args=(run.info.run_id, child)) for child in range(CHILDREN)]
    for child in children:
        child.start()
    for child in children:
        child.join()
        assert child.exitcode == 0
    mlflow.log_metric("parent", 2.0, step=1)
print(run.info.run_id)
