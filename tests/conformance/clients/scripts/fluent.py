"""What scripts do with `import mlflow`, and what they must find afterwards. Run by tests in mlflow's environments."""

import math
import sys
import tempfile
from pathlib import Path

import mlflow
import numpy as np
from mlflow.entities import ViewType
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

name = sys.argv[1]
client = MlflowClient()


def raises(code, call, *arguments, **keywords):
    failure = None
    try:
        call(*arguments, **keywords)
    except MlflowException as error:
        failure = error
    assert failure is not None, f"{call} raised nothing instead of {code}"
    assert failure.error_code == code, (failure.error_code, failure.message)


# Experiments.
experiment = mlflow.set_experiment(name)
assert mlflow.get_experiment_by_name(name).experiment_id == experiment.experiment_id
assert mlflow.get_experiment_by_name(f"{name}-none") is None
raises("RESOURCE_ALREADY_EXISTS", mlflow.create_experiment, name)
other = mlflow.create_experiment(f"{name}-other", tags={"team": "vision"})
assert client.get_experiment(other).tags["team"] == "vision"
mlflow.set_experiment_tag("purpose", "conformance")
client.rename_experiment(other, f"{name}-renamed")
found = mlflow.search_experiments(filter_string=f"name LIKE '{name}%'", order_by=["name ASC"])
assert [it.name for it in found] == [name, f"{name}-renamed"], found
client.delete_experiment(other)
assert client.get_experiment(other).lifecycle_stage == "deleted"
assert other in [it.experiment_id for it in mlflow.search_experiments(view_type=ViewType.DELETED_ONLY)]
client.restore_experiment(other)

# A run with everything, and runs inside it.
with mlflow.start_run(run_name="parent", tags={"kind": "outer"}, description="All there is.") as parent:
    mlflow.log_param("lr", 0.1)
    assert mlflow.log_param("lr", 0.1) == 0.1
    raises("INVALID_PARAMETER_VALUE", mlflow.log_param, "lr", 0.2)
    mlflow.log_params({"layers": 3, "name": "ünïcode", "empty": ""})
    for step in range(-2, 50):
        mlflow.log_metric("loss", 1 / (step + 3), step=step)
    mlflow.log_metrics({"a/b": 1.5, "not a number": float("nan"), "endless": float("inf")}, step=7)
    mlflow.log_metric("later", 2, step=10)
    mlflow.log_metric("later", 1, step=5)
    raises("INVALID_PARAMETER_VALUE", mlflow.log_metric, "bad\nname", 1.0)
    try:
        mlflow.log_metric("loss", "text")
    except (MlflowException, TypeError):  # over REST, mlflow's own client fails before it asks anybody
        pass
    else:
        raise AssertionError("a text was taken for a number")
    mlflow.set_tag("stage", "first")
    mlflow.set_tags({"stage": "second", "gone": "soon"})
    mlflow.delete_tag("gone")
    raises("RESOURCE_DOES_NOT_EXIST", mlflow.delete_tag, "gone")
    for number in range(2):
        with mlflow.start_run(run_name=f"child-{number}", nested=True) as child:
            mlflow.log_metric("loss", number)
    mlflow.log_metric("asynchronous", 3.0, synchronous=False).wait()
    mlflow.log_params({"more": "later"}, synchronous=False).wait()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "data").mkdir()
        (Path(folder) / "data" / "table.csv").write_text("a,b\n1,2\n")
        (Path(folder) / "note.txt").write_text("note")
        mlflow.log_artifact(f"{folder}/note.txt", "notes")
        mlflow.log_artifacts(folder, "all")
    mlflow.log_text("# Report", "report.md")
    mlflow.log_input(
        mlflow.data.from_numpy(np.arange(6.0), name="numbers"), context="training", tags={"split": "a"}
    )
    mlflow.log_dict({"a": [1, 2]}, "config/a.json")

run = mlflow.get_run(parent.info.run_id)
assert run.info.status == "FINISHED", run.info
assert run.info.end_time >= run.info.start_time
assert run.info.run_name == "parent" == run.data.tags["mlflow.runName"]
assert run.data.params == {"lr": "0.1", "layers": "3", "name": "ünïcode", "empty": "", "more": "later"}, (
    run.data.params
)
assert run.data.tags["stage"] == "second"
assert run.data.tags["mlflow.note.content"] == "All there is."
assert "gone" not in run.data.tags
assert run.data.metrics["later"] == 2.0, run.data.metrics
assert run.data.metrics["loss"] == 1 / 52
assert run.data.metrics["asynchronous"] == 3.0
assert math.isnan(run.data.metrics["not a number"])
assert run.data.metrics["endless"] > 1e308
history = client.get_metric_history(parent.info.run_id, "loss")
assert [(it.step, it.value) for it in history] == [(step, 1 / (step + 3)) for step in range(-2, 50)], history
assert client.get_metric_history(parent.info.run_id, "never") == []

# Artifacts.
assert sorted(it.path for it in client.list_artifacts(run.info.run_id)) == [
    "all",
    "config",
    "notes",
    "report.md",
]
assert [(it.path, it.is_dir, it.file_size) for it in client.list_artifacts(run.info.run_id, "all")] == [
    ("all/data", True, None),
    ("all/note.txt", False, 4),
]
assert mlflow.artifacts.load_text(f"{run.info.artifact_uri}/report.md") == "# Report"
assert mlflow.artifacts.load_dict(f"runs:/{run.info.run_id}/config/a.json") == {"a": [1, 2]}
with tempfile.TemporaryDirectory() as folder:
    local = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="all", dst_path=folder)
    assert (Path(local) / "data" / "table.csv").read_text() == "a,b\n1,2\n"
    assert Path(local) == Path(folder) / "all", local
    local = client.download_artifacts(run.info.run_id, "notes/note.txt", folder)
    # mlflow 3 leaves out the folder.
    assert Path(local).name == "note.txt", local
    assert Path(local).read_text() == "note", local
assert [it.path for it in mlflow.artifacts.list_artifacts(f"runs:/{run.info.run_id}/all/data")] == [
    "data/table.csv"
]

# Tables and images, which are artifacts with tags.
with mlflow.start_run(run_name="media") as media:
    mlflow.log_table({"question": ["a", "b"], "answer": [1, 2]}, "table.json")
    mlflow.log_table({"question": ["c"], "answer": [3]}, "table.json")
    mlflow.log_image(np.zeros((4, 4, 3), np.uint8), "image.png")
    mlflow.log_image(np.zeros((4, 4, 3), np.uint8), key="series", step=1, synchronous=False)
    mlflow.flush_artifact_async_logging()
table = mlflow.load_table("table.json", run_ids=[media.info.run_id])
assert list(table["answer"]) == [1, 2, 3], table
assert mlflow.artifacts.load_image(f"{media.info.artifact_uri}/image.png").size == (4, 4)
images = [it.path for it in client.list_artifacts(media.info.run_id, "images")]
assert len([path for path in images if path.endswith(".png")]) == 1, images
client.delete_run(media.info.run_id)

# Data sets.
(used,) = run.inputs.dataset_inputs
assert used.dataset.name == "numbers", used.dataset
assert {tag.key: tag.value for tag in used.tags} == {"mlflow.data.context": "training", "split": "a"}, (
    used.tags
)
found = client.search_runs([experiment.experiment_id], "datasets.name = 'numbers'")
assert [it.info.run_id for it in found] == [run.info.run_id]

# Search.
children = mlflow.search_runs(
    experiment_ids=[experiment.experiment_id],
    filter_string=f"tags.mlflow.parentRunId = '{run.info.run_id}'",
    order_by=["metrics.loss DESC"],
    output_format="list",
)
assert [it.info.run_name for it in children] == ["child-1", "child-0"], children
frame = mlflow.search_runs(experiment_names=[name], filter_string="params.lr = '0.1' and metrics.later > 1")
assert list(frame["run_id"]) == [run.info.run_id]
assert frame.loc[0, "metrics.later"] == 2.0
pages, token = [], None
while True:
    page = client.search_runs(
        [experiment.experiment_id], max_results=1, order_by=["start_time ASC"], page_token=token
    )
    pages += [it.info.run_name for it in page]
    token = page.token
    if not token:
        break
assert pages == ["parent", "child-0", "child-1"], pages
raises("INVALID_PARAMETER_VALUE", client.search_runs, [experiment.experiment_id], "metrics.loss !! 1")

# Going on with a run, deleting it, a run that fails.
with mlflow.start_run(run_id=run.info.run_id):
    assert mlflow.get_run(run.info.run_id).info.status == "RUNNING"
    raises("INVALID_PARAMETER_VALUE", mlflow.log_param, "layers", 4)
    mlflow.log_metric("loss", 0.5, step=100)
assert mlflow.get_run(run.info.run_id).data.metrics["loss"] == 0.5
mlflow.delete_run(child.info.run_id)
assert client.get_run(child.info.run_id).info.lifecycle_stage == "deleted"
raises("INVALID_PARAMETER_VALUE", client.log_metric, child.info.run_id, "loss", 1.0)
client.restore_run(child.info.run_id)
client.log_metric(child.info.run_id, "loss", 7.0, step=9)
try:
    with mlflow.start_run() as failing:
        raise ZeroDivisionError
except ZeroDivisionError:
    pass
assert client.get_run(failing.info.run_id).info.status == "FAILED"
raises("RESOURCE_DOES_NOT_EXIST", client.get_run, "0" * 32)
raises("RESOURCE_DOES_NOT_EXIST", client.log_metric, "0" * 32, "loss", 1.0)

# By run id, as loggers of other libraries do it.
made = client.create_run(experiment.experiment_id, run_name="by id", tags={"from": "client"})
client.log_batch(
    made.info.run_id,
    metrics=[mlflow.entities.Metric(f"m{number}", number, 1_700_000_000_000, 3) for number in range(1_000)],
    params=[mlflow.entities.Param(f"p{number}", str(number)) for number in range(100)],
    tags=[mlflow.entities.RunTag("t", "1")],
)
client.update_run(made.info.run_id, name="renamed")
client.set_terminated(made.info.run_id, "KILLED", end_time=1_700_000_000_001)
made = client.get_run(made.info.run_id)
assert (made.info.status, made.info.end_time, made.info.run_name) == (
    "KILLED",
    1_700_000_000_001,
    "renamed",
), made.info
assert len(made.data.metrics) == 1_000
assert len(made.data.params) == 100
assert made.data.tags["mlflow.runName"] == "renamed"
(point,) = client.get_metric_history(made.info.run_id, "m7")
assert (point.value, point.timestamp, point.step) == (7.0, 1_700_000_000_000, 3)

# Without a run, and left open: the end of the process ends it.
mlflow.log_metric("implicit", 1.0)
print(mlflow.active_run().info.run_id)
