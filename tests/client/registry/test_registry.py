"""The registry of models through the client: MLflow's calls, and what is more than MLflow's."""

import subprocess
import sys
import uuid

import pytest

import stepwell as mlflow
from stepwell import StepwellClient
from tests.harness.client_errors import refused

pytestmark = pytest.mark.usefixtures("tracking_uri")


@pytest.fixture
def name() -> str:
    """A registered model of the test's own, with an odd name."""
    return f"größe 🚀 'x' \"y\" % {uuid.uuid4().hex}"


@pytest.fixture
def client() -> StepwellClient:
    return StepwellClient()


def logged() -> str:
    """Log something that looks like a model and return its run."""
    with mlflow.start_run() as run:
        mlflow.log_text("flavors: {}", "model/MLmodel")
        mlflow.log_text("x", "model/data/weights.txt")
    return run.info.run_id


def test_a_model_of_a_run_becomes_a_version(client: StepwellClient, name: str) -> None:
    run_id = logged()
    first = mlflow.register_model(f"runs:/{run_id}/model", name, tags={"a": 1, "b": {"c": 2}})
    assert (first.name, first.version, first.current_stage, first.status) == (name, 1, "None", "READY")
    assert first.run_id == run_id
    assert first.source == f"{mlflow.get_run(run_id).info.artifact_uri}/model"
    assert first.tags == {"a": "1", "b": '{"c": 2}'}
    assert first == client.get_model_version(name, "1")
    assert mlflow.register_model(f"models:/{name}/1", name).run_id == run_id
    uri = client.get_model_version_download_uri(name, 2)
    assert uri == client.get_model_version_download_uri(name, 1)
    assert mlflow.artifacts.load_text(f"{uri}/data/weights.txt") == "x"
    client.set_registered_model_alias(name, "champion", 1)
    for place in (
        f"models:/{name}/2",
        f"models:/{name}/none",
        f"models:/{name}/latest",
        f"models:/{name}@champion",
    ):
        assert mlflow.artifacts.load_text(f"{place}/data/weights.txt") == "x"
    model = client.get_registered_model(name)
    assert [(it.version, it.current_stage) for it in model.latest_versions] == [(2, "None")]


def test_what_is_no_model_is_not_registered(client: StepwellClient, name: str) -> None:
    with mlflow.start_run() as run:
        mlflow.log_text("x", "folder/file.txt")
    with refused("RESOURCE_DOES_NOT_EXIST", "no file MLmodel is there.*the run has folder"):
        mlflow.register_model(f"runs:/{run.info.run_id}/model", name)
    with refused("RESOURCE_DOES_NOT_EXIST", "run"):
        mlflow.register_model(f"runs:/{'0' * 32}/model", name)
    for nothing in ("models:/no such/1", "models:/no such@best", "models:/no such"):
        with refused("RESOURCE_DOES_NOT_EXIST", "not found"):
            mlflow.register_model(nothing, name)
    with refused("RESOURCE_DOES_NOT_EXIST", "not found"):
        client.get_registered_model(name)
    for bad in ("", None, "a/b", "a:b"):
        with refused("INVALID_PARAMETER_VALUE", "name|slashes"):
            mlflow.register_model("s3://bucket/m", bad)


def test_registered_models_change(client: StepwellClient, name: str) -> None:
    created = client.create_registered_model(name, {"a": "1"}, "text")
    assert (created.description, created.tags) == ("text", {"a": "1"})
    with refused("RESOURCE_ALREADY_EXISTS", "already exists"):
        client.create_registered_model(name)
    client.set_registered_model_tag(name, "b", 2)
    client.delete_registered_model_tag(name, "a")
    assert client.update_registered_model(name, "new").description == "new"
    renamed = client.rename_registered_model(name, f"{name} again")
    assert (renamed.name, renamed.tags, renamed.description) == (f"{name} again", {"b": "2"}, "new")
    client.delete_registered_model(renamed.name)
    with refused("RESOURCE_DOES_NOT_EXIST", "not found"):
        client.get_registered_model(renamed.name)
    kinds = [change.kind for change in client.registry_changes(renamed.name)]
    assert kinds == ["model_deleted", "model_renamed", "tag_removed", "tag_set", "tag_set", "model_created"]


def test_versions_change(client: StepwellClient, name: str) -> None:
    client.create_registered_model(name)
    client.create_model_version(name, "s3://bucket/m", description="d", run_link="http://x")
    version = client.get_model_version(name, 1)
    assert (version.description, version.run_link, version.run_id, version.aliases) == (
        "d",
        "http://x",
        None,
        [],
    )
    client.set_model_version_tag(name, 1, "k", "v")
    client.set_model_version_tag(name, key="l", value="w", stage="None")
    client.delete_model_version_tag(name, "1", "k")
    assert client.update_model_version(name, 1, "e").tags == {"l": "w"}
    for which in ({}, {"version": 1, "stage": "None"}):
        with refused("INVALID_PARAMETER_VALUE", "either a version or a stage"):
            client.set_model_version_tag(name, key="k", value="v", **which)
    for bad in (0, -1, "x", 1.5, True, None, 2**31):
        with refused("INVALID_PARAMETER_VALUE", "number from 1"):
            client.get_model_version(name, bad)
    client.delete_model_version(name, 1)
    with refused("RESOURCE_DOES_NOT_EXIST", "version=1"):
        client.get_model_version(name, 1)
    assert client.create_model_version(name, "s3://bucket/m").version == 2


def test_stages_and_aliases(client: StepwellClient, name: str) -> None:
    client.create_registered_model(name, custom_stages=["Shadow"])
    for _ in range(3):
        client.create_model_version(name, "s3://bucket/m")
    client.transition_model_version_stage(name, 1, "production", comment="first")
    client.transition_model_version_stage(name, 2, "Production", True, expect_version_in_stage=1)
    with refused("INVALID_STATE", "version 2 is in Production .* not version 1 as expected"):
        client.transition_model_version_stage(name, 3, "Production", expect_version_in_stage="1")
    client.transition_model_version_stage(name, 3, "shadow", expect_version_in_stage=0)
    stages = [(it.current_stage, it.version) for it in client.get_latest_versions(name)]
    assert stages == [("Archived", 1), ("Production", 2), ("Shadow", 3)]
    assert [it.version for it in client.get_latest_versions(name, ["PRODUCTION"])] == [2]
    assert client.get_model_version_stages(name, 1) == ["None", "Staging", "Production", "Archived", "Shadow"]
    client.set_registered_model_alias(name, "champion", "2", expect_version=0)
    client.set_registered_model_alias(name, "champion", 3, comment="better")
    assert client.get_model_version_by_alias(name, "champion").version == 3
    assert client.get_model_version_by_alias(name, "latest").version == 3
    assert client.get_registered_model(name).aliases == {"champion": 3}
    last = client.registry_changes(name, max_results=1)[0]
    told = (last.kind, last.version, last.key, last.before, last.after, last.comment)
    assert told == ("alias_set", 3, "champion", "2", "3", "better")
    assert last.user
    assert client.registry_changes(name, after=last.number) == []
    client.delete_registered_model_alias(name, "champion")
    with refused("INVALID_PARAMETER_VALUE", "champion"):
        client.get_model_version_by_alias(name, "champion")


def test_copies(client: StepwellClient, name: str) -> None:
    version = mlflow.register_model(f"runs:/{logged()}/model", name, tags={"a": "1"})
    client.set_registered_model_alias(name, "champion", 1)
    client.transition_model_version_stage(name, 1, "Production")
    for uri in (
        f"models:/{name}/1",
        f"models:/{name}/production",
        f"models:/{name}@champion",
        f"models:/{name}/latest",
    ):
        copy = client.copy_model_version(uri, f"{name} prod")
        assert (copy.source, copy.run_id, copy.tags) == (f"models:/{name}/1", version.run_id, {})
    assert copy.version == 4
    assert client.get_model_version_download_uri(copy.name, 4) == version.source
    with refused("INVALID_PARAMETER_VALUE", "models:/<name>/<version>"):
        client.copy_model_version("runs:/x/model", "y")
    with refused("RESOURCE_DOES_NOT_EXIST", "Staging"):
        client.copy_model_version(f"models:/{name}/Staging", "y")


def test_searches(client: StepwellClient, name: str) -> None:
    for letter in "ab":
        client.create_registered_model(f"{name} {letter}", {"own": name})
        client.create_model_version(f"{name} {letter}", "s3://bucket/m")
    own = f"""tags.own = '{name.replace("'", "''")}'"""
    assert [it.name for it in mlflow.search_registered_models(filter_string=own)] == [
        f"{name} a",
        f"{name} b",
    ]
    page = client.search_registered_models(own, 1, ["name DESC"])
    assert [it.name for it in page] == [f"{name} b"]
    rest = client.search_registered_models(own, 1, ["name DESC"], page.token)
    assert ([it.name for it in rest], rest.token) == ([f"{name} a"], None)
    quoted = name.replace("'", "''")
    found = mlflow.search_model_versions(filter_string=f"name = '{quoted} a'")
    assert [(it.name, it.version) for it in found] == [(f"{name} a", 1)]
    assert len(mlflow.search_registered_models(max_results=1)) == 1
    with refused("INVALID_PARAMETER_VALUE", "unknown"):
        mlflow.search_registered_models(filter_string="unknown = 'x'")
    with refused("INVALID_PARAMETER_VALUE", "max_results"):
        client.search_model_versions(max_results=0)


RACE = """
import sys, stepwell
client = stepwell.StepwellClient()
won = []
for number in range(20):
    version = client.create_model_version(sys.argv[1], "s3://bucket/m").version
    before = client.get_latest_versions(sys.argv[1], ["Production"])
    expected = before[0].version if before else 0
    try:
        client.transition_model_version_stage(
            sys.argv[1], version, "Production", True, expect_version_in_stage=expected
        )
        won.append(expected)
    except stepwell.StepwellException as lost:
        assert lost.error_code == "INVALID_STATE", lost
    print(version)
print("won", *won)
"""


def test_two_processes_at_once(client: StepwellClient, name: str) -> None:
    client.create_registered_model(name)
    processes = [
        subprocess.Popen([sys.executable, "-c", RACE, name], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=100)[0].split("won") for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    versions = [int(line) for output in outputs for line in output[0].split()]
    assert sorted(versions) == list(range(1, 41))
    # Who won replaced another each time: nobody was overwritten unseen.
    replaced = [int(number) for output in outputs for number in output[1].split()]
    assert len(set(replaced)) == len(replaced) > 0
    assert len(client.get_latest_versions(name, ["Production"])) == 1


def test_another_server_for_models(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    tracking_uri = mlflow.get_tracking_uri()
    assert mlflow.get_registry_uri() == tracking_uri
    mlflow.set_registry_uri("grpc://127.0.0.1:1")
    monkeypatch.setenv("STEPWELL_REACH_TIMEOUT_S", "0.2")
    assert mlflow.get_registry_uri() == "grpc://127.0.0.1:1"
    with refused("TEMPORARILY_UNAVAILABLE", "127.0.0.1:1"):
        StepwellClient().create_registered_model(name)
    StepwellClient(registry_uri=tracking_uri).create_registered_model(name)
    mlflow.set_registry_uri(None)
    assert StepwellClient().get_registered_model(name).name == name
    with refused("INVALID_PARAMETER_VALUE", "sqlite"):
        mlflow.set_registry_uri("sqlite:///x.db")
