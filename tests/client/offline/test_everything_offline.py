"""Every public function without a server: log calls work at once and are delivered once; reads say so at once."""

import inspect
import io
import shutil
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import stepwell
from stepwell import StepwellClient, settings
from stepwell.delivery import logs
from stepwell.entities import Dataset, DatasetInput, Metric, Param, RunTag
from tests.client.conftest import Script
from tests.harness.client_errors import refused
from tests.harness.network.ports import free_port

pytestmark = pytest.mark.usefixtures("tracking_uri", "spool")

# Far more than any of them takes, on a busy machine; and less than what looking for a server would.
AT_ONCE_S = 2.5
DATASET = DatasetInput(Dataset("iris", "abc", "local", "{}"), [])
IGNORED = {
    # Classes, modules, settings, and what never had to do with a server.
    "ActiveRun", "Experiment", "ExperimentTag", "FileInfo", "Health", "LatestMetrics", "LifecycleStage", "Metric",
    "MetricNews", "MetricSeries", "MlflowClient", "MlflowException", "PagedList", "Param", "PendingWrite", "Receipt",
    "Rejection", "Run", "RunData", "RunInfo", "RunStatus", "RunTag", "SampledSeries", "StepwellClient",
    "StepwellException", "ViewType", "artifacts", "data", "entities", "exceptions", "tracking", "tracking_uri",
    "set_tracking_uri", "get_tracking_uri", "is_tracking_uri_set", "disable_system_metrics_logging",
    "enable_system_metrics_logging", "set_system_metrics_node_id", "set_system_metrics_samples_before_logging",
    "set_system_metrics_sampling_interval", "ActiveModel", "Alert", "AlertLevel", "Histogram",
    "LoggedModel", "LoggedModelInput", "LoggedModelOutput",
    "LoggedModelStatus", "models", "pyfunc", "sklearn", "types", "get_registry_uri", "set_registry_uri", "show",
    "clear_active_model", "get_active_model_id", "last_logged_model",
}  # fmt: skip
MODEL_ID = f"m-{uuid.uuid4().hex}"


class Scene:
    """An active run without a server, and things to log."""

    def __init__(self, folder: Path) -> None:
        self.run = stepwell.start_run(run_name="offline")
        self.run_id = self.run.info.run_id
        self.client = StepwellClient()
        self.folder = folder
        (folder / "files").mkdir(exist_ok=True)
        (folder / "files" / "f.txt").write_text("f")


def figure() -> Any:
    from matplotlib.figure import Figure

    return Figure()


def image() -> Any:
    import numpy as np

    return np.zeros((2, 2, 3), np.uint8)


Call = Callable[[Scene], object]

WORKS: dict[str, Call] = {
    "active_run": lambda it: stepwell.active_run(),
    "start_run": lambda it: stepwell.start_run(nested=True).__exit__(None, None, None),
    "set_experiment": lambda it: stepwell.set_experiment(f"offline {uuid.uuid4().hex}"),
    "set_experiment_tag": lambda it: stepwell.set_experiment_tag("fluent", "1"),
    "set_experiment_tags": lambda it: stepwell.set_experiment_tags({"fluents": 1}),
    "delete_experiment_tag": lambda it: stepwell.delete_experiment_tag("fluents"),
    "log_metric": lambda it: stepwell.log_metric("m", 1.0),
    "log_metrics": lambda it: stepwell.log_metrics({"m": 1.0, "n": 2}, step=1),
    "log_series": lambda it: stepwell.log_series("s", [1, 2, 3]),
    "log_param": lambda it: stepwell.log_param("p", 1),
    "log_params": lambda it: stepwell.log_params({"q": 1}),
    "set_tag": lambda it: stepwell.set_tag("gone", 1),
    "set_tags": lambda it: stepwell.set_tags({"t": 1, "u": 2}),
    "delete_tag": lambda it: stepwell.delete_tag("gone"),
    "log_input": lambda it: stepwell.log_input(Dataset("fluent", "abc", "local", "{}"), "training"),
    "log_inputs": lambda it: stepwell.log_inputs([Dataset("fluents", "abc", "local", "{}")]),
    "log_histogram": lambda it: stepwell.log_histogram("h", [1.0, 2.0]),
    "alert": lambda it: stepwell.alert("fluent"),
    "log_audio": lambda it: stepwell.log_audio([0.0, 1.0], "audio"),
    "log_video": lambda it: stepwell.log_video(image()[None], "video"),
    "log_artifact": lambda it: stepwell.log_artifact(it.folder / "files" / "f.txt"),
    "log_artifacts": lambda it: stepwell.log_artifacts(it.folder / "files", "all"),
    "log_dict": lambda it: stepwell.log_dict({"a": 1}, "d.json"),
    "log_figure": lambda it: stepwell.log_figure(figure(), "figure.png"),
    "log_image": lambda it: stepwell.log_image(image(), key="images"),
    "log_stream": lambda it: stepwell.log_stream(io.BytesIO(b"s"), "s.bin"),
    "log_table": lambda it: stepwell.log_table({"a": [1]}, "t.json"),
    "log_text": lambda it: stepwell.log_text("text", "t.txt"),
    "get_artifact_uri": lambda it: stepwell.get_artifact_uri("t.txt"),
    "health": lambda it: stepwell.health(),
    "flush": lambda it: stepwell.flush(),
    "flush_async_logging": lambda it: stepwell.flush_async_logging(),
    "flush_artifact_async_logging": lambda it: stepwell.flush_artifact_async_logging(),
    "client.create_run": lambda it: it.client.create_run("0", tags={"client": it.run_id}),
    "client.log_metric": lambda it: it.client.log_metric(it.run_id, "c", 1.0),
    "client.log_param": lambda it: it.client.log_param(it.run_id, "c", 1),
    "client.log_batch": lambda it: it.client.log_batch(
        it.run_id, [Metric("b", 1.0, 1, 1)], [Param("b", "1")], [RunTag("b", "1")]
    ),
    "client.log_histogram": lambda it: it.client.log_histogram(it.run_id, "c", [1.0]),
    "client.alert": lambda it: it.client.alert(it.run_id, "client"),
    "client.log_audio": lambda it: it.client.log_audio(it.run_id, [0.0], "client"),
    "client.log_video": lambda it: it.client.log_video(it.run_id, image()[None], "client"),
    "client.set_tag": lambda it: it.client.set_tag(it.run_id, "c-gone", 1),
    "client.delete_tag": lambda it: it.client.delete_tag(it.run_id, "c-gone"),
    "client.log_inputs": lambda it: it.client.log_inputs(it.run_id, [DATASET]),
    "client.set_experiment_tag": lambda it: it.client.set_experiment_tag("0", "offline", "1"),
    "client.set_experiment_tags": lambda it: it.client.set_experiment_tags("0", {"offlines": 1}),
    "client.delete_experiment_tag": lambda it: it.client.delete_experiment_tag("0", "offlines"),
    "client.log_artifact": lambda it: it.client.log_artifact(it.run_id, it.folder / "files" / "f.txt", "c"),
    "client.log_artifacts": lambda it: it.client.log_artifacts(it.run_id, it.folder / "files", "c/all"),
    "client.log_dict": lambda it: it.client.log_dict(it.run_id, {}, "c/d.json"),
    "client.log_figure": lambda it: it.client.log_figure(it.run_id, figure(), "c/f.png"),
    "client.log_image": lambda it: it.client.log_image(it.run_id, image(), "c/i.png"),
    "client.log_stream": lambda it: it.client.log_stream(it.run_id, io.BytesIO(b"s"), "c/s.bin"),
    "client.log_table": lambda it: it.client.log_table(it.run_id, {"a": [1]}, "c/t.json"),
    "client.log_text": lambda it: it.client.log_text(it.run_id, "text", "c/t.txt"),
    "client.flush": lambda it: it.client.flush(),
    "client.update_run": lambda it: it.client.update_run(it.run_id, name="renamed"),
    "client.set_terminated": lambda it: it.client.set_terminated(it.client.create_run("0").info.run_id),
    "client.log_model_artifact": lambda it: it.client.log_model_artifact(MODEL_ID, it.folder / "files" / "f.txt"),
    "client.log_model_artifacts": lambda it: it.client.log_model_artifacts(MODEL_ID, it.folder / "files"),
    "log_model_folder": lambda it: stepwell.log_model_folder(it.folder / "files", "m"),
    "end_run": lambda it: stepwell.end_run(),
}  # fmt: skip

SAYS_SO: dict[str, Call] = {
    "create_experiment": lambda it: stepwell.create_experiment("x"),
    "delete_experiment": lambda it: stepwell.delete_experiment("1"),
    "restore_experiment": lambda it: stepwell.restore_experiment("1"),
    "get_experiment": lambda it: stepwell.get_experiment("0"),
    "get_experiment_by_name": lambda it: stepwell.get_experiment_by_name("x"),
    "search_experiments": lambda it: stepwell.search_experiments(),
    "search_runs": lambda it: stepwell.search_runs(experiment_ids=["0"]),
    "get_run": lambda it: stepwell.get_run(it.run_id),
    "get_parent_run": lambda it: stepwell.get_parent_run(it.run_id),
    "last_active_run": lambda it: stepwell.last_active_run(),
    "delete_run": lambda it: stepwell.delete_run(it.run_id),
    "restore_run": lambda it: stepwell.restore_run(it.run_id),
    "get_metric_history": lambda it: stepwell.get_metric_history(it.run_id, "m"),
    "get_metric_series": lambda it: stepwell.get_metric_series(it.run_id, "m"),
    "get_latest_metrics": lambda it: stepwell.get_latest_metrics(it.run_id),
    "sample_series": lambda it: stepwell.sample_series(it.run_id, "m"),
    "watch": lambda it: next(iter(stepwell.watch([it.run_id]))),
    "load_table": lambda it: stepwell.load_table("t.json", run_ids=[it.run_id]),
    "artifacts.download_artifacts": lambda it: stepwell.artifacts.download_artifacts(f"runs:/{it.run_id}/t.txt"),
    "artifacts.list_artifacts": lambda it: stepwell.artifacts.list_artifacts(run_id=it.run_id),
    "artifacts.load_dict": lambda it: stepwell.artifacts.load_dict(f"runs:/{it.run_id}/d.json"),
    "artifacts.load_image": lambda it: stepwell.artifacts.load_image(f"runs:/{it.run_id}/i.png"),
    "artifacts.load_text": lambda it: stepwell.artifacts.load_text(f"runs:/{it.run_id}/t.txt"),
    "client.create_experiment": lambda it: it.client.create_experiment("x"),
    "client.delete_experiment": lambda it: it.client.delete_experiment("1"),
    "client.restore_experiment": lambda it: it.client.restore_experiment("1"),
    "client.rename_experiment": lambda it: it.client.rename_experiment("1", "x"),
    "client.get_experiment": lambda it: it.client.get_experiment("0"),
    "client.get_experiment_by_name": lambda it: it.client.get_experiment_by_name("x"),
    "client.search_experiments": lambda it: it.client.search_experiments(),
    "client.search_runs": lambda it: it.client.search_runs(["0"]),
    "client.get_run": lambda it: it.client.get_run(it.run_id),
    "client.get_parent_run": lambda it: it.client.get_parent_run(it.run_id),
    "client.delete_run": lambda it: it.client.delete_run(it.run_id),
    "client.restore_run": lambda it: it.client.restore_run(it.run_id),
    "client.delete_runs": lambda it: it.client.delete_runs(["0"], "metrics.m > 1"),
    "client.restore_runs": lambda it: it.client.restore_runs(["0"], "metrics.m > 1"),
    "client.tag_runs": lambda it: it.client.tag_runs(["0"], "metrics.m > 1", {"a": 1}),
    "client.undo_resume": lambda it: it.client.undo_resume(it.run_id),
    "client.get_metric_history": lambda it: it.client.get_metric_history(it.run_id, "m"),
    "client.histogram_keys": lambda it: it.client.histogram_keys(it.run_id),
    "client.get_histograms": lambda it: it.client.get_histograms(it.run_id, "h"),
    "client.list_alerts": lambda it: it.client.list_alerts(),
    "client.get_refusals": lambda it: it.client.get_refusals(it.run_id),
    "client.list_artifacts": lambda it: it.client.list_artifacts(it.run_id),
    "client.download_artifacts": lambda it: it.client.download_artifacts(it.run_id, ""),
    "client.delete_artifacts": lambda it: it.client.delete_artifacts(it.run_id),
    "client.load_table": lambda it: it.client.load_table("0", "t.json", [it.run_id]),
    "create_external_model": lambda it: stepwell.create_external_model("x"),
    "initialize_logged_model": lambda it: stepwell.initialize_logged_model("x"),
    "finalize_logged_model": lambda it: stepwell.finalize_logged_model(MODEL_ID, "READY"),
    "get_logged_model": lambda it: stepwell.get_logged_model(MODEL_ID),
    "search_logged_models": lambda it: stepwell.search_logged_models(["0"]),
    "set_logged_model_tags": lambda it: stepwell.set_logged_model_tags(MODEL_ID, {"a": "1"}),
    "delete_logged_model_tag": lambda it: stepwell.delete_logged_model_tag(MODEL_ID, "a"),
    "log_model_params": lambda it: stepwell.log_model_params({"a": 1}, MODEL_ID),
    "log_outputs": lambda it: it.client.log_outputs(it.run_id, [stepwell.LoggedModelOutput(MODEL_ID)]),
    "set_active_model": lambda it: stepwell.set_active_model(name="x"),
    "register_model": lambda it: stepwell.register_model(f"runs:/{it.run_id}/m", "x"),
    "search_model_versions": lambda it: stepwell.search_model_versions(),
    "search_registered_models": lambda it: stepwell.search_registered_models(),
    "set_model_version_tag": lambda it: stepwell.set_model_version_tag("x", 1, "a", "1"),
    "client.create_logged_model": lambda it: it.client.create_logged_model("0", "x"),
    "client.finalize_logged_model": lambda it: it.client.finalize_logged_model(MODEL_ID, "READY"),
    "client.get_logged_model": lambda it: it.client.get_logged_model(MODEL_ID),
    "client.search_logged_models": lambda it: it.client.search_logged_models(["0"]),
    "client.delete_logged_model": lambda it: it.client.delete_logged_model(MODEL_ID),
    "client.restore_logged_model": lambda it: it.client.restore_logged_model(MODEL_ID),
    "client.set_logged_model_tags": lambda it: it.client.set_logged_model_tags(MODEL_ID, {"a": "1"}),
    "client.delete_logged_model_tag": lambda it: it.client.delete_logged_model_tag(MODEL_ID, "a"),
    "client.log_model_params": lambda it: it.client.log_model_params(MODEL_ID, {"a": 1}),
    "client.log_outputs": lambda it: it.client.log_outputs(it.run_id, [stepwell.LoggedModelOutput(MODEL_ID)]),
    "client.log_model_inputs": lambda it: it.client.log_model_inputs(it.run_id, [stepwell.LoggedModelInput(MODEL_ID)]),
    "client.list_logged_model_artifacts": lambda it: it.client.list_logged_model_artifacts(MODEL_ID),
    "client.download_logged_model_artifacts": lambda it: it.client.download_logged_model_artifacts(MODEL_ID, ""),
    "client.create_registered_model": lambda it: it.client.create_registered_model("x"),
    "client.get_registered_model": lambda it: it.client.get_registered_model("x"),
    "client.update_registered_model": lambda it: it.client.update_registered_model("x", "text"),
    "client.rename_registered_model": lambda it: it.client.rename_registered_model("x", "y"),
    "client.delete_registered_model": lambda it: it.client.delete_registered_model("x"),
    "client.search_registered_models": lambda it: it.client.search_registered_models(),
    "client.set_registered_model_tag": lambda it: it.client.set_registered_model_tag("x", "a", "1"),
    "client.delete_registered_model_tag": lambda it: it.client.delete_registered_model_tag("x", "a"),
    "client.set_registered_model_alias": lambda it: it.client.set_registered_model_alias("x", "best", 1),
    "client.delete_registered_model_alias": lambda it: it.client.delete_registered_model_alias("x", "best"),
    "client.create_model_version": lambda it: it.client.create_model_version("x", f"runs:/{it.run_id}/m"),
    "client.copy_model_version": lambda it: it.client.copy_model_version("models:/x/1", "y"),
    "client.get_model_version": lambda it: it.client.get_model_version("x", 1),
    "client.get_model_version_by_alias": lambda it: it.client.get_model_version_by_alias("x", "best"),
    "client.get_model_version_download_uri": lambda it: it.client.get_model_version_download_uri("x", 1),
    "client.get_model_version_stages": lambda it: it.client.get_model_version_stages("x", 1),
    "client.get_latest_versions": lambda it: it.client.get_latest_versions("x"),
    "client.search_model_versions": lambda it: it.client.search_model_versions(),
    "client.update_model_version": lambda it: it.client.update_model_version("x", 1, "text"),
    "client.delete_model_version": lambda it: it.client.delete_model_version("x", 1),
    "client.set_model_version_tag": lambda it: it.client.set_model_version_tag("x", 1, "a", "1"),
    "client.delete_model_version_tag": lambda it: it.client.delete_model_version_tag("x", 1, "a"),
    "client.transition_model_version_stage": lambda it: it.client.transition_model_version_stage("x", 1, "Staging"),
    "client.registry_changes": lambda it: it.client.registry_changes("x"),
    "client.create_webhook": lambda it: it.client.create_webhook("x", "https://example.org", secret="s" * 32),
    "client.update_webhook": lambda it: it.client.update_webhook(uuid.uuid4().hex, "y"),
    "client.delete_webhook": lambda it: it.client.delete_webhook(uuid.uuid4().hex),
    "client.list_webhooks": lambda it: it.client.list_webhooks(),
    "client.test_webhook": lambda it: it.client.test_webhook(uuid.uuid4().hex),
    "client.record_logged_model": lambda it: it.client.record_logged_model(it.run_id, {"artifact_path": "m"}),
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def libraries() -> None:
    """Load what the calls load: on a busy machine that takes longer than they may wait."""
    import pandas  # noqa: F401

    figure().savefig(io.BytesIO())


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STEPWELL_SPOOL_DIR", str(tmp_path / "spool"))
    # What earlier tests logged to servers that have stopped since is nothing that these tests wait for.
    monkeypatch.setattr(logs, "_sealed", {})
    monkeypatch.setattr(logs, "_with_log", {})
    return tmp_path / "spool"


@pytest.fixture(params=["offline mode", "no server"])
def scene(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    if request.param == "offline mode":
        monkeypatch.setenv("STEPWELL_MODE", "offline")
    else:
        monkeypatch.setenv("STEPWELL_TRACKING_URI", f"grpc://127.0.0.1:{free_port()}")
    return Scene(tmp_path)


def test_the_tables_name_every_public_function() -> None:
    functions = {name for name in stepwell.__all__ if name not in IGNORED}
    functions |= {f"artifacts.{name}" for name in stepwell.artifacts.__all__}
    functions |= {
        f"client.{name}"
        for name, _ in inspect.getmembers(StepwellClient, callable)
        if not name.startswith("_") and name not in IGNORED
    }
    assert functions == {*WORKS, *SAYS_SO}


def took_s(call: Call, scene: Scene) -> float:
    begun = time.monotonic()
    call(scene)
    return time.monotonic() - begun


def test_all_that_logs_works_at_once_and_is_delivered_once(
    scene: Scene, spool: Path, tracking_uri: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # Waiting for delivery is what these are for.
    waits = {"flush", "flush_async_logging", "client.flush", "end_run", "start_run"}
    slow = {name: seconds for name, call in WORKS.items() if (seconds := took_s(call, scene)) > AT_ONCE_S}
    assert slow.keys() <= (set() if settings.is_offline() else waits), slow
    name = settings.experiment_name()
    # What is there now, delivered from two copies.
    shutil.copytree(spool, tmp_path / "copy")
    monkeypatch.delenv("STEPWELL_MODE", raising=False)
    monkeypatch.setenv("STEPWELL_TRACKING_URI", tracking_uri)
    command = [sys.executable, "-c", "from stepwell.cli import main; main()", "sync", "--to", tracking_uri]
    for place in (tmp_path / "copy", tmp_path / "copy", spool):
        subprocess.run([*command, str(place)], capture_output=True, text=True, check=False, timeout=60)
    run = stepwell.get_run(scene.run_id)
    assert (run.info.run_name, run.info.status) == ("renamed", "FINISHED")
    assert run.data.params == {"p": "1", "q": "1", "c": "1", "b": "1"}
    tags = {key: value for key, value in run.data.tags.items() if "mlflow" not in key}
    assert tags == {"t": "1", "u": "2", "b": "1"}
    assert {used.dataset.name for used in run.inputs.dataset_inputs} == {"iris", "fluent", "fluents"}
    points = {
        series.key: len(series.steps) for series in stepwell.get_metric_series(scene.run_id, list("mnscb"))
    }
    assert points == {"m": 2, "n": 1, "s": 3, "c": 1, "b": 1}
    assert [it.title for it in StepwellClient().list_alerts(scene.run_id)] == ["client", "fluent"]
    assert StepwellClient().histogram_keys(scene.run_id) == ["c", "h"]
    experiment = stepwell.get_experiment_by_name(name or "")
    assert experiment is not None
    assert experiment.tags == {"fluent": "1"}
    assert stepwell.get_experiment("0").tags["offline"] == "1"
    files = {
        info.path for folder in ("", "c") for info in StepwellClient().list_artifacts(scene.run_id, folder)
    }
    assert files >= {
        "f.txt",
        "all",
        "d.json",
        "figure.png",
        "images",
        "s.bin",
        "t.json",
        "t.txt",
        "audio",
        "video",
    }
    assert files >= {"c/f.txt", "c/all", "c/d.json", "c/f.png", "c/i.png", "c/s.bin", "c/t.json", "c/t.txt"}
    created = stepwell.search_runs(
        experiment_names=["Default"],
        filter_string=f"tags.client = '{scene.run_id}'",
        output_format="list",
    )
    assert len(created) == 1


def test_offline_mode_contacts_nobody(script: Script) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        nobody.settimeout(0.0)
        answer = script(
            "import stepwell\n"
            "with stepwell.start_run() as run:\n"
            "    stepwell.log_metric('m', 1)\n"
            "    stepwell.log_text('t', 't.txt')\n"
            "    stepwell.set_experiment_tag('a', 'b')\n"
            "    stepwell.flush_artifact_async_logging()\n"
            "    for read in (stepwell.search_runs, lambda: stepwell.get_run(run.info.run_id)):\n"
            "        try: read()\n"
            "        except stepwell.StepwellException as failure: print(failure.error_code)\n",
            STEPWELL_MODE="offline",
            STEPWELL_TRACKING_URI=f"grpc://127.0.0.1:{nobody.getsockname()[1]}",
        )
        assert answer.stdout.split() == ["TEMPORARILY_UNAVAILABLE"] * 2, answer.stderr
        assert answer.returncode == 0, answer.stderr
        with pytest.raises(BlockingIOError):
            nobody.accept()


def test_all_that_asks_says_so_at_once(scene: Scene) -> None:
    slow = {}
    for name, call in SAYS_SO.items():
        begun = time.monotonic()
        with refused("TEMPORARILY_UNAVAILABLE", "No Stepwell server answers|STEPWELL_MODE is offline"):
            call(scene)
        if (seconds := time.monotonic() - begun) > AT_ONCE_S:
            slow[name] = seconds
    assert slow == {}
