"""Runs out and in: exports and imports keep everything, once, however often they are repeated."""

import json
import math
import uuid
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet as parquet
import pytest
from click.testing import CliRunner

import stepwell
from stepwell import StepwellClient
from stepwell.commands.export import export
from stepwell.commands.imports import imports
from stepwell.entities import Dataset, DatasetInput, InputTag
from stepwell.logged_models import saving
from stepwell.transfer import known_points
from tests.harness.servers.processes import ServerProcess
from tests.harness.transfers import Points, artifacts_of, imported, points_of, run_export, run_import, same


def test_an_export_comes_back_whole_and_once(
    client: StepwellClient, shared_server: ServerProcess, tmp_path: Path
) -> None:
    source = StepwellClient(shared_server.tracking_uri)
    experiment_id = source.create_experiment(f"exported {uuid.uuid4().hex}")
    run_id = source.create_run(experiment_id, run_name="first", start_time=5).info.run_id
    expected = [(step * 3 - 50, 1_000 + step, step / 7) for step in range(100)]
    expected += [(500, 2_000, math.nan), (501, 2_000, math.inf)]
    for step, time, value in expected:
        source.log_metric(run_id, "loss", value, timestamp=time, step=step)
    source.log_metric(run_id, "a/b c", 1.5, timestamp=1, step=2**62)
    source.log_param(run_id, "lr", 0.1)
    source.set_tag(run_id, "colour", "blue")
    source.set_terminated(run_id, "FAILED", end_time=77)
    empty = source.create_run(experiment_id).info.run_id

    folder = str(tmp_path / "out")
    arguments = [folder, "--tracking-uri", shared_server.tracking_uri, "--run-id", run_id, "--run-id", empty]
    assert "2 runs, 2 series, 103 points, 0 artifacts" in run_export(*arguments)
    assert "is not empty" in CliRunner().invoke(export, arguments).output

    assert "2 runs, 103 new points, 0 new artifacts, 0 new data sets; 0 left out" in run_import(
        "export", folder
    )
    assert "2 runs, 0 new points" in run_import("export", folder)
    run = client.get_run(run_id)
    assert (run.info.run_name, run.info.status, run.info.start_time, run.info.end_time) == (
        "first",
        "FAILED",
        5,
        77,
    )
    assert run.data.params == {"lr": "0.1"}
    assert run.data.tags["colour"] == "blue"
    assert same(points_of(run_id, "loss"), expected)
    assert points_of(run_id, "a/b c") == [(2**62, 1, 1.5)]
    assert client.get_run(empty).data.metrics == {}


def test_an_export_comes_back_to_where_it_came_from(client: StepwellClient, tmp_path: Path) -> None:
    run_id = client.create_run("0").info.run_id
    points = [(step, 100 - step, step % 3 / 7) for step in range(50)] + [(7, 1, math.nan), (7, 1, math.nan)]
    for step, time, value in points:
        client.log_metric(run_id, "loss", value, timestamp=time, step=step)
        client.log_metric(run_id, "acc", 1.0, timestamp=time, step=0)
    client.flush()
    run_export(str(tmp_path / "first"), "--run-id", run_id)
    assert "1 runs, 0 new points" in run_import("export", str(tmp_path / "first"))
    client.log_metric(run_id, "acc", 2.0, timestamp=5, step=-1)
    client.flush()
    run_export(str(tmp_path / "second"), "--run-id", run_id)
    assert "1 runs, 0 new points" in run_import("export", str(tmp_path / "first"))
    assert "1 runs, 0 new points" in run_import("export", str(tmp_path / "second"))
    assert same(points_of(run_id, "loss"), points)
    assert len(points_of(run_id, "acc")) == len(points) + 1
    (tmp_path / "second" / "tags.parquet").unlink()
    refused = CliRunner().invoke(imports, ["export", str(tmp_path / "second")])
    assert refused.exit_code == 1
    assert "tags.parquet" in refused.output


def test_a_run_that_is_too_large_to_compare_is_refused(
    client: StepwellClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = client.create_run("0").info.run_id
    for step in range(3):
        client.log_metric(run_id, "loss", 1.0, timestamp=1, step=step)
        client.log_metric(run_id, "accuracy", 1.0, timestamp=1, step=step)
    client.flush()
    run_export(str(tmp_path / "out"), "--run-id", run_id)
    monkeypatch.setattr(known_points, "KNOWN_POINTS_MAX", 6)
    assert "1 runs, 0 new points" in run_import("export", str(tmp_path / "out"))
    monkeypatch.setattr(known_points, "KNOWN_POINTS_MAX", 5)
    refused = CliRunner().invoke(imports, ["export", str(tmp_path / "out")])
    assert refused.exit_code == 1
    assert f"Run {run_id} has 6 points here" in refused.output
    assert len(points_of(run_id, "loss")) == 3


def test_a_run_that_grew_is_imported_again(
    client: StepwellClient, shared_server: ServerProcess, tmp_path: Path
) -> None:
    source = StepwellClient(shared_server.tracking_uri)
    run_id = source.create_run("0").info.run_id
    uri = ("--tracking-uri", shared_server.tracking_uri)
    expected: dict[str, Points] = {"a": [], "b": []}
    for number, steps in enumerate((range(10), (-4, 3, 3, 12))):
        for key, points in expected.items():
            for step in steps:
                points.append((step, 5 - number, step / 4))
                source.log_metric(run_id, key, step / 4, timestamp=5 - number, step=step)
        folder = str(tmp_path / f"export {number}")
        source.flush()
        run_export(folder, "--run-id", run_id, *uri)
        assert f"1 runs, {(20, 8)[number]} new points" in run_import("export", folder)
    for key, points in expected.items():
        assert same(points_of(run_id, key), points)


def test_experiments_and_searches_are_exported_with_their_artifacts(
    client: StepwellClient, shared_server: ServerProcess, tmp_path: Path
) -> None:
    source = StepwellClient(shared_server.tracking_uri)
    names = [f"exported {uuid.uuid4().hex}" for _ in range(2)]
    ids = [source.create_experiment(name, tags={"team": "blue"}) for name in names]
    runs = [source.create_run(one, start_time=5).info.run_id for one in ids for _ in range(2)]
    for number, run_id in enumerate(runs):
        source.log_metric(run_id, "loss", number, step=number)
    source.log_text(runs[0], "of the first", "notes/a b.txt")
    source.log_text(runs[3], "of the last", "model.bin")

    def exported(name: str, *arguments: str) -> dict[str, object]:
        uri = ("--tracking-uri", shared_server.tracking_uri, "--json")
        return json.loads(run_export(str(tmp_path / name), *uri, *arguments))

    assert exported("one", "--experiment-name", names[0])["runs"] == 2
    assert exported("filtered", "-x", ids[0], "-x", ids[1], "--filter", "metrics.loss > 1.5")["runs"] == 2
    assert exported("nothing", "-x", ids[0], "--filter", "metrics.loss > 99")["points"] == 0
    assert not (tmp_path / "one" / "artifacts").exists()
    whole = exported("both", "-x", ids[0], "-n", names[1], "--with-artifacts")
    assert whole == {
        "runs": 4, "series": 4, "points": 4, "artifacts": 2, "data_sets": 0, "models": 0, "model_versions": 0,
        "histograms": 0, "alerts": 0,
        "rejected": 0, "reasons": [],
        "folder": str(tmp_path / "both"),
    }  # fmt: skip
    listed = parquet.read_table(tmp_path / "both" / "artifacts.parquet").to_pylist()
    assert {(row["run_id"], row["path"], row["size"]) for row in listed} == {
        (runs[0], "notes/a b.txt", 12),
        (runs[3], "model.bin", 11),
    }

    report = json.loads(run_import("export", str(tmp_path / "both"), "--json"))
    assert (report["runs"], report["points"], report["artifacts"], report["rejected"]) == (4, 4, 2, 0)
    assert "4 runs, 0 new points, 0 new artifacts" in run_import("export", str(tmp_path / "both"))
    assert artifacts_of(client, runs[0], tmp_path / "back") == {"notes/a b.txt": "of the first"}
    assert artifacts_of(client, runs[3], tmp_path / "back") == {"model.bin": "of the last"}
    found = client.get_experiment_by_name(names[1])
    assert found is not None
    assert found.tags == {"team": "blue"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Give --run-id, or one of"),
        (["--run-id", "0" * 32, "--all-experiments"], "Give --run-id, or one of"),
        (["--run-id", "0" * 32, "--filter", "metrics.a > 1"], "--filter chooses among"),
        (["--all-experiments", "-x", "1"], "leaves nothing to choose"),
        (["--experiment-name", "no such"], "There is no experiment 'no such'"),
        (["--run-id", "0" * 32], "there is no run"),
        (["-x", "0", "--filter", "metrics.a >"], "metrics.a >"),
    ],
)
def test_an_export_says_what_it_cannot_choose(
    shared_server: ServerProcess,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.setenv("STEPWELL_TRACKING_URI", shared_server.tracking_uri)
    result = CliRunner().invoke(export, [str(tmp_path / "out"), *arguments])
    assert result.exit_code != 0
    assert message in result.output
    assert not (tmp_path / "out").exists()


def test_data_sets_travel(client: StepwellClient, shared_server: ServerProcess, tmp_path: Path) -> None:
    source = StepwellClient(shared_server.tracking_uri)
    run_id = source.create_run("0").info.run_id
    toy = stepwell.data.from_numpy(np.ones((3, 2)), source="toy.csv", name="toy")
    bare = Dataset("bare", "d1", "local", "{}")
    inputs = [DatasetInput(bare), DatasetInput(toy, [InputTag("mlflow.data.context", "training")])]
    source.log_inputs(run_id, inputs)
    uri = ("--tracking-uri", shared_server.tracking_uri)
    for number, which in enumerate((("--run-id", run_id), ("-x", "0", "--filter", f"run_id = '{run_id}'"))):
        assert "2 data sets" in run_export(str(tmp_path / f"out {number}"), *which, *uri)
    assert "2 new data sets" in run_import("export", str(tmp_path / "out 1"))
    assert "0 new data sets" in run_import("export", str(tmp_path / "out 0"))
    assert client.get_run(run_id).inputs == source.get_run(run_id).inputs
    (tmp_path / "out 0" / "inputs.parquet").unlink()  # as of earlier versions
    assert "0 new data sets; 0 left out" in run_import("export", str(tmp_path / "out 0"))


def exported_run(client: StepwellClient, folder: Path) -> str:
    run_id = client.create_run("0").info.run_id
    client.log_metric(run_id, "loss", 1.0, step=1)
    client.log_param(run_id, "lr", 0.1)
    client.log_text(run_id, "words", "notes.txt")
    client.flush()
    run_export(str(folder), "--run-id", run_id, "--with-artifacts")
    return run_id


def rewritten(path: Path, **columns: str) -> None:
    """Change columns of all rows of a file."""
    rows = [{**row, **columns} for row in parquet.read_table(path).to_pylist()]
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)


def test_an_export_that_names_what_lies_elsewhere_publishes_nothing(
    client: StepwellClient, tmp_path: Path
) -> None:
    secret = tmp_path / "home"
    secret.mkdir()
    (secret / "key").write_text("secret")
    run_id = exported_run(client, tmp_path / "out")
    (tmp_path / "out" / "artifacts" / run_id / "key").symlink_to(secret / "key")
    (tmp_path / "out" / "artifacts" / run_id / "same").symlink_to("notes.txt")
    report = imported("export", str(tmp_path / "out"))
    assert f"--allow-outside {secret / 'key'}" in report["reasons"][0]
    assert (report["rejected"], report["artifacts"]) == (1, 1)
    assert set(artifacts_of(client, run_id, tmp_path / "back")) == {"notes.txt", "same"}
    allowed = ("export", str(tmp_path / "out"), "--allow-outside", str(secret))
    assert "1 new artifacts" in run_import(*allowed)
    assert artifacts_of(client, run_id, tmp_path / "again")["key"] == "secret"

    for number, bad in enumerate((str(secret), "../../home", "a", "")):
        folder = tmp_path / f"bad {number}"
        exported_run(client, folder)
        rewritten(folder / "runs.parquet", run_id=bad, experiment="hostile")
        report = imported("export", str(folder))
        assert (report["runs"], report["artifacts"], report["rejected"]) == (0, 0, 1)
        assert "its id is none of Stepwell's" in report["reasons"][0]
    (tmp_path / "out" / "params.parquet").rename(secret / "params.parquet")
    (tmp_path / "out" / "params.parquet").symlink_to(secret / "params.parquet")
    assert any(
        "params.parquet leads to" in reason for reason in imported("export", str(tmp_path / "out"))["reasons"]
    )


def test_what_is_damaged_of_an_export_is_named_and_the_rest_comes(
    client: StepwellClient, shared_server: ServerProcess, tmp_path: Path
) -> None:
    source = StepwellClient(shared_server.tracking_uri)
    run_id = source.create_run("0").info.run_id
    source.log_metric(run_id, "loss", 1.0, step=1)
    source.log_param(run_id, "lr", 0.1)
    source.set_terminated(run_id, "FAILED")
    source.flush()
    run_export(str(tmp_path / "out"), "--run-id", run_id, "--tracking-uri", shared_server.tracking_uri)
    for name in ("tags.parquet", "points/part-00000.parquet"):
        (tmp_path / "out" / name).write_bytes(b"PAR1 no more")
    report = imported("export", str(tmp_path / "out"))
    assert (report["runs"], report["points"], report["rejected"]) == (1, 0, 2)
    assert [("tags.parquet" in it, "part-00000" in it) for it in report["reasons"]] == [
        (True, False),
        (False, True),
    ]
    run = client.get_run(run_id)
    assert (run.data.params, run.info.status) == ({"lr": "0.1"}, "FAILED")


def test_runs_and_experiments_that_are_deleted_here_keep_nobody_back(
    client: StepwellClient, tmp_path: Path
) -> None:
    experiments = [client.create_experiment(name) for name in ("first", "second")]
    runs = [client.create_run(one).info.run_id for one in (*experiments, experiments[1], experiments[0])]
    for run_id in runs:
        client.log_metric(run_id, "loss", 1.0, step=1)
        client.set_terminated(run_id)
    client.flush()
    run_export(str(tmp_path / "out"), "--all-experiments")
    client.delete_experiment(experiments[0])
    client.delete_run(runs[1])
    report = imported("export", str(tmp_path / "out"))
    assert (report["runs"], report["rejected"]) == (1, 3)
    assert [reason for reason in report["reasons"] if f"run {runs[1]}: it is deleted here" in reason]
    assert [
        reason
        for reason in report["reasons"]
        if "experiment 'first' with 2 runs: it is deleted here" in reason
    ]
    client.restore_run(runs[1])
    assert imported("export", str(tmp_path / "out"))["runs"] == 2


def test_an_artifact_that_is_lost_keeps_no_export_back(
    client: StepwellClient, server_process: ServerProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = client.create_run("0").info.run_id
    for name in ("a", "b", "c"):
        client.log_text(run_id, f"text {name}", f"{name}.txt")
    client.log_metric(run_id, "loss", 1.0, step=1)
    client.flush()
    lost = [
        path for path in (tmp_path / "data").rglob("*") if path.is_file() and path.read_bytes() == b"text b"
    ]
    assert len(lost) == 1
    lost[0].unlink()
    monkeypatch.setattr("stepwell.files.uploads.BACKOFF_FIRST_S", 0.0)
    monkeypatch.setattr("stepwell.files.uploads.BACKOFF_MAX_S", 0.0)
    out = run_export(str(tmp_path / "out"), "--run-id", run_id, "--with-artifacts", left=True)
    assert "1 runs, 1 series, 1 points, 3 artifacts" in out
    assert f"left out: run {run_id}, artifact 'b.txt'" in out
    found = {path.name: path.read_text() for path in (tmp_path / "out" / "artifacts" / run_id).iterdir()}
    assert found == {"a.txt": "text a", "c.txt": "text c"}


@pytest.mark.parametrize("with_artifacts", [True, False])
def test_logged_models_come_back_with_their_runs(
    client: StepwellClient, shared_server: ServerProcess, tmp_path: Path, with_artifacts: bool
) -> None:
    source = StepwellClient(shared_server.tracking_uri)
    experiment_id = source.create_experiment(f"exported {uuid.uuid4().hex}")
    run_id = source.create_run(experiment_id).info.run_id
    made = tmp_path / "model"
    (made / "data").mkdir(parents=True)
    ids = []
    for number in range(2):
        (made / "MLmodel").write_text(f"number: {number}")
        model = saving.save_folder(
            source.tracking_uri,
            made,
            name="m",
            run_id=run_id,
            params={"n": number},
            tags={"t": "x"},
            step=number,
        )
        ids.append(model.model_id)
    source.log_metric(run_id, "acc", math.nan, timestamp=5, step=1, model_id=ids[0], dataset_name="d")
    arguments = [str(tmp_path / "out"), "--tracking-uri", shared_server.tracking_uri, "--run-id", run_id]
    run_export(*arguments, *(["--with-artifacts"] if with_artifacts else []))
    report = imported("export", str(tmp_path / "out"))
    assert (report["models"], report["rejected"]) == (2, 0 if with_artifacts else 2)
    if not with_artifacts:
        assert "its files were not exported" in report["reasons"][0]
        assert {client.get_logged_model(model_id).status for model_id in ids} == {"PENDING"}
        return
    for number, model_id in enumerate(ids):
        model = client.get_logged_model(model_id)
        assert (model.status, model.source_run_id, model.params, model.tags) == (
            "READY",
            run_id,
            {"n": str(number)},
            {"t": "x"},
        )
        file = client.download_logged_model_artifacts(model_id, "MLmodel", str(tmp_path / model_id))
        assert Path(file).read_text() == f"number: {number}"
    (point,) = client.get_logged_model(ids[0]).metrics
    assert (point.key, point.step, point.dataset_name, math.isnan(point.value)) == ("acc", 1, "d", True)
    made_by = client.get_run(run_id).outputs.model_outputs
    assert [(it.model_id, it.step) for it in made_by] == [(ids[0], 0), (ids[1], 1)]
    assert artifacts_of(client, run_id, tmp_path / "back") == {"m/MLmodel": "number: 1"}
    assert imported("export", str(tmp_path / "out"))["artifacts"] == 0
