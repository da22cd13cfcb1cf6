"""Logged models through the client: made of folders, found again, measured; also offline and through kill -9."""

import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

import stepwell as mlflow
from stepwell import LoggedModelOutput, StepwellClient
from stepwell.commands import artifacts as artifacts_command
from stepwell.entities import Dataset
from tests.harness.client_errors import refused

MIB = 2**20

SAVE = """
import sys
from pathlib import Path
import stepwell

folder, *more = sys.argv[1:]
with stepwell.start_run() as run:
    print(run.info.run_id, flush=True)
    model = stepwell.log_model_folder(folder, "m", params={"lr": 1}, step=3, model_id=more[0] if more else None)
    stepwell.log_metric("acc", 0.5, step=3, model_id=model.model_id)
    print(model.model_id, model.status, flush=True)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A finished model."""
    made = tmp_path / "model"
    (made / "data").mkdir(parents=True)
    (made / "MLmodel").write_text("flavors: {}\n")
    (made / "data" / "weights").write_bytes(os.urandom(3 * MIB))
    return made


def tree(folder: str | Path) -> dict[str, bytes]:
    """The files below a folder."""
    root = Path(folder)
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def in_experiment() -> list[str]:
    """The ids of the models of this test, newest first."""
    return [model.model_id for model in mlflow.search_logged_models(output_format="list")]


def test_a_folder_becomes_a_model_of_the_active_run(tracking_uri: str, folder: Path) -> None:
    with mlflow.start_run() as run:
        model = mlflow.log_model_folder(
            folder, "forest", params={"depth": 3}, tags={"team": "a"}, step=7, model_type="tree"
        )
    assert (model.status, model.source_run_id, model.name) == ("READY", run.info.run_id, "forest")
    assert (model.params, model.tags, model.model_type) == ({"depth": "3"}, {"team": "a"}, "tree")
    assert model.model_uri == f"models:/{model.model_id}"
    read = mlflow.get_run(run.info.run_id)
    assert read.outputs.model_outputs == [LoggedModelOutput(model.model_id, 7)]
    assert model.experiment_id == read.info.experiment_id
    for uri in (model.model_uri, f"runs:/{run.info.run_id}/forest", model.artifact_location):
        assert tree(mlflow.artifacts.download_artifacts(uri)) == tree(folder)
    assert mlflow.last_logged_model() == mlflow.get_logged_model(model.model_id)
    assert mlflow.artifacts.load_text(f"{model.model_uri}/MLmodel") == "flavors: {}\n"
    paths = [info.path for info in mlflow.artifacts.list_artifacts(model.model_uri)]
    assert paths == ["MLmodel", "data"]


def test_a_model_without_a_run(tracking_uri: str, folder: Path) -> None:
    mlflow.set_experiment(os.environ["STEPWELL_EXPERIMENT_NAME"])
    model = mlflow.log_model_folder(folder, "alone")
    assert (model.source_run_id, mlflow.active_run()) == (None, None)
    assert in_experiment() == [model.model_id]


def test_one_name_many_times_and_the_run_shows_the_newest(tracking_uri: str, folder: Path) -> None:
    with mlflow.start_run() as run:
        models = []
        for step in range(3):
            (folder / "MLmodel").write_text(f"step: {step}")
            models.append(mlflow.log_model_folder(folder, "best", step=step))
    texts = [mlflow.artifacts.load_text(f"models:/{it.model_id}/MLmodel") for it in models]
    assert texts == [f"step: {step}" for step in range(3)]
    assert mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/best/MLmodel") == "step: 2"
    assert in_experiment() == [it.model_id for it in reversed(models)]
    StepwellClient().delete_logged_model(models[2].model_id)
    assert mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/best/MLmodel") == "step: 1"


def test_metrics_are_of_the_run_and_of_the_model(tracking_uri: str, folder: Path) -> None:
    data = Dataset("test", "d1", "code", "{}")
    with mlflow.start_run() as run:
        model = mlflow.log_model_folder(folder, "m")
        mlflow.log_metric("acc", 0.5, step=1, model_id=model.model_id)
        mlflow.log_metrics({"acc": 0.75, "f1": 1}, step=2, model_id=model.model_id, dataset=data)
        mlflow.log_metric("loss", 0.3, step=2)  # from now on a known name, which takes the short way
        with mlflow.set_active_model(model_id=model.model_id) as active:
            assert mlflow.get_active_model_id() == active.model_id
            mlflow.log_metric("loss", 0.1, step=3)
        mlflow.log_metric("loss", 0.2, step=4)
        points = [mlflow.Metric("r2", 0.9, 5, 5, model_id=model.model_id, dataset_name="x")]
        StepwellClient().log_batch(run.info.run_id, points)
    read = mlflow.get_logged_model(model.model_id)
    found = {(it.key, it.dataset_name): (it.value, it.step, it.run_id) for it in read.metrics}
    run_id = run.info.run_id
    assert found == {
        ("acc", None): (0.5, 1, run_id),
        ("acc", "test"): (0.75, 2, run_id),
        ("f1", "test"): (1.0, 2, run_id),
        ("loss", None): (0.1, 3, run_id),
        ("r2", "x"): (0.9, 5, run_id),
    }
    assert mlflow.get_run(run_id).data.metrics == {"acc": 0.75, "f1": 1.0, "loss": 0.2, "r2": 0.9}
    assert mlflow.get_run(run_id).inputs.model_inputs == []
    with mlflow.start_run():
        mlflow.log_metric("acc", 0.8, model_id=model.model_id)
        used = mlflow.active_run()
    assert [it.model_id for it in mlflow.get_run(used.info.run_id).inputs.model_inputs] == [model.model_id]


def test_models_step_by_step(tracking_uri: str, folder: Path) -> None:
    client = StepwellClient()
    with mlflow.start_run() as run:
        model = mlflow.initialize_logged_model("m", tags={"a": "1"})
        client.log_model_artifacts(model.model_id, str(folder))
        client.log_model_artifact(model.model_id, str(folder / "MLmodel"), "extra")
        mlflow.log_outputs([LoggedModelOutput(model.model_id, 4)])
    with refused("INVALID_STATE", "is PENDING"):
        mlflow.artifacts.download_artifacts(model.model_uri)
    with refused("RESOURCE_DOES_NOT_EXIST"):
        mlflow.artifacts.download_artifacts(f"runs:/{run.info.run_id}/m")
    ready = mlflow.finalize_logged_model(model.model_id, "READY")
    assert (ready.status, ready.source_run_id) == (mlflow.LoggedModelStatus.READY, run.info.run_id)
    found = tree(mlflow.artifacts.download_artifacts(f"runs:/{run.info.run_id}/m"))
    assert set(found) == {"MLmodel", "data/weights", "extra/MLmodel"}
    mlflow.log_model_params({"lr": 0.1}, model.model_id)
    mlflow.set_logged_model_tags(model.model_id, {"b": 2})
    mlflow.delete_logged_model_tag(model.model_id, "a")
    read = mlflow.get_logged_model(model.model_id)
    assert (read.params, read.tags) == ({"lr": "0.1"}, {"b": "2"})
    client.delete_logged_model(model.model_id)
    with refused("RESOURCE_DOES_NOT_EXIST", "not found"):
        mlflow.get_logged_model(model.model_id)
    client.restore_logged_model(model.model_id)
    external = mlflow.create_external_model("elsewhere")
    assert (external.status, external.tags) == ("READY", {"mlflow.model.isExternal": "true"})


def test_searches(tracking_uri: str, folder: Path) -> None:
    with mlflow.start_run():
        first = mlflow.log_model_folder(folder, "a", params={"n": 1})
        second = mlflow.log_model_folder(folder, "b")
        mlflow.log_metric("acc", 0.9, model_id=first.model_id)
        mlflow.log_metric("acc", 0.1, model_id=second.model_id)
    search = mlflow.search_logged_models
    assert [it.name for it in search(filter_string="metrics.acc > 0.5", output_format="list")] == ["a"]
    ordered = search(order_by=[{"field_name": "metrics.acc", "ascending": False}], output_format="list")
    assert [it.name for it in ordered] == ["a", "b"]
    frame = search(filter_string="params.n = '1'")
    assert list(frame["model_id"]) == [first.model_id]
    assert len(search(max_results=1, output_format="list")) == 1
    with refused("INVALID_PARAMETER_VALUE", "no attribute"):
        search(filter_string="colour = 'x'")


def test_what_is_wrong_is_named(tracking_uri: str, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with refused("INVALID_PARAMETER_VALUE", "Invalid model name"):
        mlflow.log_model_folder(folder, "a/b")
    with refused("INVALID_PARAMETER_VALUE", "is empty"):
        mlflow.log_model_folder(tmp_path / "empty")
    with refused("INVALID_PARAMETER_VALUE", "is not a folder"):
        mlflow.log_model_folder(tmp_path / "nowhere")
    with refused("INVALID_PARAMETER_VALUE", "m- and 32 hexadecimal digits"):
        mlflow.get_logged_model("m-1")
    with refused("RESOURCE_DOES_NOT_EXIST", "Logged model with ID 'RM' not found"):
        mlflow.artifacts.download_artifacts("models:/RM")
    for uri in ("models:/", "models:/a@", "models:/@b"):
        with refused("INVALID_PARAMETER_VALUE", "Not a proper models:/ URI"):
            mlflow.artifacts.download_artifacts(uri)
    with refused("RESOURCE_DOES_NOT_EXIST"):
        mlflow.artifacts.download_artifacts(f"models:/m-{'0' * 32}")
    with refused("INVALID_PARAMETER_VALUE", "'..'"):
        mlflow.artifacts.download_artifacts(f"models:/m-{'0' * 32}/../x")


def test_local_paths(tracking_uri: str, folder: Path, tmp_path: Path) -> None:
    download = mlflow.artifacts.download_artifacts
    assert download(str(folder)) == download(folder.as_uri()) == str(folder)
    copied = download(folder.as_uri(), dst_path=str(tmp_path / "copy"))
    assert copied == str(tmp_path / "copy" / "model")
    assert tree(copied) == tree(folder)
    assert [info.path for info in mlflow.artifacts.list_artifacts(str(folder))] == ["MLmodel", "data"]
    with refused("RESOURCE_DOES_NOT_EXIST", "No such artifact"):
        download(str(tmp_path / "nowhere"))


def test_the_command_takes_models(script, folder: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    model = mlflow.log_model_folder(folder, "m")
    assert artifacts_command is not None
    answer = script(
        "from stepwell.cli import main; main()", "artifacts", "download", "-u", model.model_uri, "-d", "there"
    )
    assert answer.returncode == 0, answer.stderr
    assert tree(
        answer.stdout.strip() if Path(answer.stdout.strip()).is_absolute() else tmp_path / "there"
    ) == tree(folder)


def test_offline_a_model_waits_whole_and_is_delivered_once(  # type: ignore[no-untyped-def]
    script, tracking_uri: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = tmp_path / "spool"
    monkeypatch.setenv("STEPWELL_SPOOL_DIR", str(spool))
    answer = script(SAVE, str(folder), STEPWELL_MODE="offline")
    assert answer.returncode == 0, answer.stderr
    run_id, model_id, status = answer.stdout.split()
    assert status == "PENDING"
    expected = tree(folder)
    (folder / "MLmodel").write_text("changed later")
    copy = tmp_path / "copy of the spool"
    subprocess.run(["cp", "-a", str(spool), str(copy)], check=True)
    for place in (spool, copy):  # the second time all of it is there
        synced = script("from stepwell.cli import main; main()", "sync", str(place))
        assert synced.returncode == 0, synced.stdout + synced.stderr
        model = mlflow.get_logged_model(model_id)
        assert (model.status, model.source_run_id, model.params) == ("READY", run_id, {"lr": "1"})
        assert [(it.key, it.value, it.step) for it in model.metrics] == [("acc", 0.5, 3)]
        assert tree(mlflow.artifacts.download_artifacts(f"runs:/{run_id}/m")) == expected
        assert mlflow.get_run(run_id).outputs.model_outputs == [LoggedModelOutput(model_id, 3)]
    assert in_experiment() == [model_id]


def test_offline_kill_9_in_mid_save_leaves_the_model_out_or_whole(  # type: ignore[no-untyped-def]
    script, tracking_uri: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPWELL_SPOOL_DIR", str(tmp_path / "spool"))
    killed = """
import os, signal
from stepwell.files.outgoing import waiting
store, calls = waiting.store, 0

def store_and_die(*arguments, **keywords):
    global calls
    calls += 1
    if calls == AT:
        os.kill(os.getpid(), signal.SIGKILL)
    return store(*arguments, **keywords)

waiting.store = store_and_die
"""
    runs = []
    for at in (1, 2, 4):  # before anything is there, between the files, before what makes it READY
        answer = script(killed.replace("AT", str(at)) + SAVE, str(folder), STEPWELL_MODE="offline")
        assert answer.returncode == -signal.SIGKILL
        runs.append(answer.stdout.split()[0])
    synced = script("from stepwell.cli import main; main()", "sync")
    assert synced.returncode == 0, synced.stdout + synced.stderr
    assert in_experiment() == []
    assert [mlflow.artifacts.list_artifacts(run_id=run_id) for run_id in runs] == [[], [], []]


def test_kill_9_in_mid_save_shows_nothing_and_goes_on(
    tracking_uri: str, folder: Path, tmp_path: Path
) -> None:
    """With a server: killed at moments all over the transfer, then taken up under the same id."""
    (folder / "data" / "more").write_bytes(os.urandom(24 * MIB))
    outcomes = set()
    for delay_s in (0.02, 0.05, 0.1, 0.2, 0.4):
        model_id = f"m-{os.urandom(16).hex()}"
        arguments = [sys.executable, "-c", SAVE, str(folder), model_id]
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=tmp_path)
        assert process.stdout is not None
        run_id = process.stdout.readline().strip()
        time.sleep(delay_s)
        process.kill()
        process.wait()
        process.stdout.close()
        pending = {it.model_id: it.status for it in mlflow.search_logged_models(output_format="list")}
        status = str(pending.get(model_id, "absent"))
        outcomes.add(status)
        shown = mlflow.artifacts.list_artifacts(run_id=run_id)
        assert bool(shown) == (status == "READY")
        StepwellClient().get_run(run_id)
        resumed = mlflow.log_model_folder(folder, "m", run_id=run_id, model_id=model_id)
        assert resumed.status == "READY"
        assert tree(mlflow.artifacts.download_artifacts(f"runs:/{run_id}/m")) == tree(folder)
    assert outcomes & {"PENDING", "absent"}


def test_registered_models_are_fetched_by_every_kind_of_uri(
    tracking_uri: str, folder: Path, tmp_path: Path
) -> None:
    client, name = StepwellClient(), f"forest {uuid.uuid4().hex[:8]}"
    with mlflow.start_run() as run:
        for number in range(2):
            (folder / "MLmodel").write_text(f"flavors: {{}}\nnumber: {number}\n")
            logged = mlflow.log_model_folder(folder, "m")
            mlflow.register_model(logged.model_uri, name)
    client.transition_model_version_stage(name, "1", "Production")
    client.set_registered_model_alias(name, "champ", "2")
    for suffix, number in (("/1", 0), ("/2", 1), ("/production", 0), ("/Latest", 1), ("@champ", 1)):
        uri = f"models:/{name}{suffix}"
        found = tree(mlflow.artifacts.download_artifacts(uri))
        meta = found.pop("registered_model_meta").decode()
        assert meta == f"model_name: '{name}'\nmodel_version: '{number + 1}'\n"
        assert found["MLmodel"].endswith(b"number: %d\n" % number)
        assert mlflow.artifacts.load_text(f"{uri}/MLmodel").endswith(f"number: {number}\n")
        assert [info.path for info in mlflow.artifacts.list_artifacts(uri)] == ["MLmodel", "data"]
    # A version by a path of its run, which shows the newest model.
    by_run = mlflow.register_model(f"runs:/{run.info.run_id}/m", f"{name} by run")
    assert mlflow.artifacts.load_text(f"models:/{by_run.name}/1/MLmodel").endswith("number: 1\n")
    with refused("RESOURCE_DOES_NOT_EXIST", f"name '{name}' and stage 'Staging'"):
        mlflow.artifacts.download_artifacts(f"models:/{name}/Staging")
    for suffix in ("/77", "@nobody"):
        with pytest.raises(mlflow.MlflowException):
            mlflow.artifacts.download_artifacts(f"models:/{name}{suffix}")
    with refused("RESOURCE_DOES_NOT_EXIST"):
        mlflow.artifacts.download_artifacts("models:/nobody/1")
