"""Registers models with stock MLflow: all that its client can do with the registry. Works over REST and the plugin."""

import sys
import tempfile
import uuid
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

mlflow.set_experiment(sys.argv[1])
client = MlflowClient()
name = f"größe 🚀 'x' {uuid.uuid4().hex}"


def refused(call, *arguments, **keywords):
    """Return the code of the exception that a call raises."""
    try:
        call(*arguments, **keywords)
    except MlflowException as failure:
        return failure.error_code
    raise AssertionError(f"{call} was not refused")


with mlflow.start_run() as run, tempfile.TemporaryDirectory() as folder:
    (Path(folder) / "MLmodel").write_text("flavors: {python_function: {loader_module: none}}\n")
    mlflow.log_artifacts(folder, "model")
uri = f"{run.info.artifact_uri}/model"

client.create_registered_model(name, {"team": "red"}, "d")
assert refused(client.create_registered_model, name) == "RESOURCE_ALREADY_EXISTS"
first = mlflow.register_model(uri, name, tags={"a": "1"})
second = client.create_model_version(name, uri, run.info.run_id, description="second")
assert (int(first.version), int(second.version)) == (1, 2)
assert (second.run_id, second.description, second.current_stage) == (run.info.run_id, "second", "None")

model = client.get_registered_model(name)
assert (model.tags, model.description) == ({"team": "red"}, "d"), model
assert [int(it.version) for it in model.latest_versions] == [2]
client.transition_model_version_stage(name, 1, "production")
client.transition_model_version_stage(name, 2, "Production", archive_existing_versions=True)
stages = {it.current_stage: int(it.version) for it in client.get_latest_versions(name)}
assert stages == {"Archived": 1, "Production": 2}, stages
assert [int(it.version) for it in client.get_latest_versions(name, ["PRODUCTION"])] == [2]

client.set_registered_model_alias(name, "champion", 1)
assert client.get_model_version_by_alias(name, "champion").aliases == ["champion"]
assert {alias: int(version) for alias, version in client.get_registered_model(name).aliases.items()} == {
    "champion": 1
}
assert refused(client.get_model_version_by_alias, name, "none") == "INVALID_PARAMETER_VALUE"
client.delete_registered_model_alias(name, "champion")

client.set_registered_model_tag(name, "k", "v")
client.delete_registered_model_tag(name, "team")
client.set_model_version_tag(name, "1", "k", "v")
client.delete_model_version_tag(name, "1", "a")
assert client.get_registered_model(name).tags == {"k": "v"}
assert client.get_model_version(name, 1).tags == {"k": "v"}

assert [it.name for it in client.search_registered_models("tags.k = 'v'") if it.name == name] == [name]
versions = client.search_model_versions(f"run_id = '{run.info.run_id}'", order_by=["version_number DESC"])
assert [int(it.version) for it in versions] == [2, 1], versions
page = client.search_model_versions(
    f"run_id = '{run.info.run_id}'", max_results=1, order_by=["version_number"]
)
rest = client.search_model_versions(
    f"run_id = '{run.info.run_id}'", max_results=1, order_by=["version_number"], page_token=page.token
)
assert [int(it.version) for it in [*page, *rest]] == [1, 2]

copy = client.copy_model_version(f"models:/{name}/2", f"{name} copy")
assert (copy.source, copy.run_id) == (f"models:/{name}/2", run.info.run_id), copy
for place in (
    client.get_model_version_download_uri(name, 2),
    f"models:/{name}/Production",
    f"models:/{name}/2",
):
    with tempfile.TemporaryDirectory() as folder:
        found = Path(mlflow.artifacts.download_artifacts(place, dst_path=folder))
        assert (found / "MLmodel").exists(), place

client.update_model_version(name, 1, "new")
assert client.update_registered_model(name, "new").description == "new"
client.rename_registered_model(name, f"{name} renamed")
name = f"{name} renamed"
client.delete_model_version(name, 2)
assert refused(client.get_model_version, name, 2) == "RESOURCE_DOES_NOT_EXIST"
assert int(client.create_model_version(name, uri, run.info.run_id).version) == 3
client.delete_registered_model(name)
assert refused(client.get_registered_model, name) == "RESOURCE_DOES_NOT_EXIST"
print(run.info.run_id)
