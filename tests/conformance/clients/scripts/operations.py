"""What MLflow's async calls, page tokens and charts do on the plugin's store; where it says no, and how."""

import sys

import mlflow
import numpy as np
from mlflow.entities import Metric
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from stepwell import StepwellClient

uri, (name, elsewhere) = mlflow.get_tracking_uri(), sys.argv[1:]
mlflow.set_experiment(name)
client = MlflowClient()
store = client._tracking_client.store


def failure(call, *arguments, **keywords):
    try:
        call(*arguments, **keywords)
    except MlflowException as found:
        return found
    raise AssertionError(f"{call} raised nothing")


with mlflow.start_run() as run:
    run_id = run.info.run_id
    for step in range(5_000):
        mlflow.log_metric("long", step * 0.5, step=step, synchronous=False)
    mlflow.flush_async_logging()
    # Another client, which flushes nothing of ours, sees it all.
    assert len(StepwellClient(uri).get_metric_history(run_id, "long")) == 5_000

    # Pages.
    points, token = [], None
    while True:
        page = store.get_metric_history(run_id, "long", max_results=2_000, page_token=token)
        points += page
        token = page.token
        if not token:
            break
    assert [point.step for point in points] == list(range(5_000))
    assert (
        failure(store.get_metric_history, run_id, "long", 5, "not a token").error_code
        == "INVALID_PARAMETER_VALUE"
    )

    assert all(abs(point.timestamp - run.info.start_time) < 600_000 for point in points)
    for step in range(3):
        client.log_metric(run_id, "timed", 1.0, timestamp=1_700_000_000_123 + step, step=step)
    timed = client.get_metric_history(run_id, "timed")
    assert [point.timestamp for point in timed] == [
        1_700_000_000_123,
        1_700_000_000_124,
        1_700_000_000_125,
    ], timed

    # Charts: both ends and what is between, in order, within the steps.
    chart = store.get_metric_history_bulk_interval([run_id], "long", 320, None, None)
    assert (chart[0].step, chart[-1].step, len(chart)) == (0, 4_999, 320), len(chart)
    assert {point.run_id for point in chart} == {run_id}
    chart = store.get_metric_history_bulk_interval([run_id], "long", 320, 10, 19)
    assert [point.step for point in chart] == list(range(10, 20))
    assert [point.step for point in store.get_metric_history_bulk([run_id], "long", 3)] == [0, 1, 2]

    # A param that somebody else has logged meanwhile is refused by the server, and waiting says so.
    mlflow.log_param("first", "1")
    somebody = StepwellClient(elsewhere)  # another address of the same server, so another writer
    somebody.log_param(run_id, "taken", "theirs")
    somebody.flush()
    operation = mlflow.log_params({"taken": "ours", "fresh": "1"}, synchronous=False)
    refused = failure(operation.wait)
    assert "taken" in refused.message, refused
    mlflow.log_metric("after", 1.0, synchronous=False).wait()
    assert client.get_run(run_id).data.params == {"first": "1", "taken": "theirs", "fresh": "1"}

    # Artifacts by the name that our own client gives them.
    mlflow.log_text("text", "a/b.txt")
    ours = StepwellClient(uri).get_run(run_id).info.artifact_uri
    assert ours.startswith("stepwell-artifacts:"), ours
    assert mlflow.artifacts.load_text(f"{ours}/a/b.txt") == "text"

    # Bad batches log nothing.
    bad = [Metric("good", 1.0, 1, 1), Metric("bad", 1.0, -1, 1)]
    assert failure(client.log_batch, run_id, bad).error_code == "INVALID_PARAMETER_VALUE"
    assert "good" not in client.get_run(run_id).data.metrics

    mlflow.log_input(mlflow.data.from_numpy(np.arange(6.0), name="numbers"), context="training")
    (menu,) = store._search_datasets([run.info.experiment_id])
    assert (menu.name, menu.context, menu.experiment_id) == ("numbers", "training", run.info.experiment_id)

# What there is no place for yet.
if hasattr(client, "create_logged_model"):
    model = client.create_logged_model(run.info.experiment_id, name="model", source_run_id=run_id)
    assert [it.model_id for it in client.search_logged_models([run.info.experiment_id])] == [model.model_id]
    assert str(client.finalize_logged_model(model.model_id, "READY").status) == "READY"
    client.delete_logged_model(model.model_id)
    assert failure(client.get_logged_model, model.model_id).error_code == "RESOURCE_DOES_NOT_EXIST"

refused = failure(MlflowClient, "grpc://127.0.0.1:port")
assert refused.error_code == "INVALID_PARAMETER_VALUE", refused
assert "port is not a number" in refused.message, refused
