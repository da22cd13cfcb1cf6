"""Imports of MLflow's database and of its folders."""

import contextlib
import math
import sqlite3
import uuid
from pathlib import Path

import pytest

import stepwell
from stepwell import StepwellClient
from stepwell.entities import Dataset, DatasetInput, InputTag
from tests.harness.mlflow_stores import MLFLOW_TABLES, Store, database_of, in_meta
from tests.harness.transfers import artifacts_of, imported, points_of, run_import, same


def test_a_database_of_mlflow_and_what_it_gets_later(client: StepwellClient, tmp_path: Path) -> None:
    run_id, deleted = uuid.uuid4().hex, uuid.uuid4().hex
    database = sqlite3.connect(tmp_path / "mlflow.db")
    database.executescript(MLFLOW_TABLES)
    database.execute("INSERT INTO experiments (experiment_id, name) VALUES (3, 'cats'), (4, 'no runs')")
    database.execute("INSERT INTO experiment_tags VALUES ('owner', 'ada', 4)")
    artifacts = tmp_path / "files" / "3" / run_id / "artifacts"
    (artifacts / "model").mkdir(parents=True)
    (artifacts / "model" / "weights.txt").write_text("1 2 3")
    for name, stage in ((run_id, "active"), (deleted, "deleted")):
        database.execute(
            "INSERT INTO runs VALUES (?, 'a run', 'FINISHED', 10, 20, 'ada', 3, ?, ?)",
            (name, stage, f"mlflow-artifacts:/3/{name}/artifacts"),
        )
    database.execute("INSERT INTO params VALUES ('lr', '0.1', ?)", (run_id,))
    database.execute("INSERT INTO tags VALUES ('mlflow.runName', 'a run', ?)", (run_id,))
    points = [("loss", step, 100 + step, step / 3) for step in range(30)] + [
        ("acc", 0, 100, 0.5),
        ("zeta", 0, 101, 0.5),
    ]
    special = [("loss", 30, 130, 0.0, 1), ("loss", 31, 131, 1.7976931348623157e308, 0)]
    rows = [(key, value, time, run_id, step, 0) for key, step, time, value in points]
    rows += [(key, value, time, run_id, step, nan) for key, step, time, value, nan in special]
    database.executemany("INSERT INTO metrics VALUES (?, ?, ?, ?, ?, ?)", rows)
    database.commit()
    location = f"sqlite:///{tmp_path / 'mlflow.db'}"
    first = run_import("mlflow", location, left=True)
    assert "1 runs, 34 new points, 0 new artifacts, 0 new data sets; 1 left out" in first
    assert f"the artifacts are at mlflow-artifacts:/3/{run_id}/artifacts" in first
    served = ("--artifacts", str(tmp_path / "files"))
    assert "1 runs, 0 new points, 1 new artifacts, 0 new data sets; 0 left" in run_import(
        "mlflow", location, *served
    )
    assert "1 runs, 0 new points, 0 new artifacts, 0 new data sets; 0 left" in run_import(
        "mlflow", location, *served
    )
    assert artifacts_of(client, run_id, tmp_path / "back") == {"model/weights.txt": "1 2 3"}
    without_runs = client.get_experiment_by_name("no runs")
    assert without_runs is not None
    assert without_runs.tags == {"owner": "ada"}
    database.execute("INSERT INTO metrics VALUES ('loss', 9, 200, ?, 40, 0)", (run_id,))
    database.execute("INSERT INTO metrics VALUES ('loss', 8, 50, ?, 5, 0)", (run_id,))  # in the past
    database.execute("INSERT INTO tags VALUES ('later', 'x', ?)", (run_id,))
    database.commit()
    database.close()
    assert "1 runs, 2 new points" in run_import("mlflow", location, *served)
    expected = [(step, 100 + step, step / 3) for step in range(30)] + [(5, 50, 8.0)]
    expected += [(30, 130, math.nan), (31, 131, math.inf), (40, 200, 9.0)]
    assert same(points_of(run_id, "loss"), expected)
    run = client.get_run(run_id)
    assert client.get_experiment(run.info.experiment_id).name == "cats"
    assert (run.info.status, run.info.end_time, run.data.tags["later"]) == ("FINISHED", 20, "x")


def test_a_folder_of_mlflow(client: StepwellClient, tmp_path: Path) -> None:
    run_id = uuid.uuid4().hex
    folder = tmp_path / "mlruns" / "7" / run_id
    (folder / "metrics" / "eval").mkdir(parents=True)
    (folder / "params").mkdir()
    (folder.parent / "meta.yaml").write_text("name: dogs\nexperiment_id: '7'\n")
    (folder / "meta.yaml").write_text(
        f"run_id: {run_id}\nrun_name: second\nstatus: 4\nstart_time: 10\nend_time: null\nlifecycle_stage: active\n"
    )
    (folder / "metrics" / "loss").write_text("100 0.5 1\n101 nan 2\n")
    (folder / "metrics" / "eval" / "acc").write_text("90 0.75 0\n")
    (folder / "params" / "lr").write_text("0.1")
    (folder / "artifacts").mkdir()
    (folder / "artifacts" / "notes.txt").write_text("old")
    assert "1 runs, 3 new points" in run_import("mlflow", str(tmp_path / "mlruns"))
    (folder / "metrics" / "late").write_text("200 1.0 5\n")
    (folder / "metrics" / "loss").write_text("100 0.5 1\n101 nan 2\n201 0.25 3\n")
    (folder / "artifacts" / "notes.txt").write_text("new")  # as long as before
    assert "1 runs, 2 new points, 0 new artifacts" in run_import("mlflow", str(tmp_path / "mlruns"))
    assert artifacts_of(client, run_id, tmp_path / "back") == {"notes.txt": "new"}
    assert same(points_of(run_id, "loss"), [(1, 100, 0.5), (2, 101, math.nan), (3, 201, 0.25)])
    assert points_of(run_id, "eval/acc") == [(0, 90, 0.75)]
    assert client.get_run(run_id).info.status == "FAILED"


def test_texts_come_as_they_were_written(client: StepwellClient, store: Store) -> None:
    (store.runs[0] / "params" / "text").write_bytes(b"one\r\ntwo\rthree\n")
    (store.runs[0] / "tags" / "a").mkdir()
    (store.runs[0] / "tags" / "a" / "b").write_bytes(b"\r")
    (store.runs[0] / "params" / ".hidden").write_text("a param")
    run_import("mlflow", f"file://{store.folder}")
    run = client.get_run(store.runs[0].name)
    assert run.data.params == {"text": "one\r\ntwo\rthree\n", ".hidden": "a param", "lr": "0.1"}
    assert run.data.tags["a/b"] == "\r"


def test_addresses_with_spaces(client: StepwellClient, tmp_path: Path) -> None:
    store = Store(tmp_path / "a b")
    assert "3 runs, 15 new points" in run_import("mlflow", f"file://{tmp_path}/a%20b/mlruns")
    assert "3 runs, 0 new points" in run_import("mlflow", str(store.folder))
    database_of(tmp_path / "a b" / "m 1.db", [])
    assert "0 runs" in run_import("mlflow", f"sqlite:///{tmp_path}/a%20b/m%201.db")
    assert "0 runs" in run_import("mlflow", f"sqlite:///{tmp_path}/a b/m 1.db?timeout=9")


def test_ids_that_are_no_uuids_mean_the_run_of_their_store(client: StepwellClient, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        database_of(tmp_path / name / "mlflow.db", [("keen_frog", "")])
        for first in ("1 runs, 1 new points", "1 runs, 0 new points"):
            assert first in run_import("mlflow", str(tmp_path / name / "mlflow.db"))
    found = stepwell.search_runs(experiment_names=["cats"], output_format="list")
    assert [len(points_of(run.info.run_id, "loss")) for run in found] == [1, 1]
    store = Store(tmp_path)
    in_meta("name: cats", "name: folders")(store.experiment)
    for number, run in enumerate(store.runs[:2]):
        in_meta(run.name, "keen_frog")(run)
        run.rename(run.parent / f"copy {number}")
    report = imported("mlflow", str(store.folder))
    assert (report["runs"], report["points"]) == (3, 15)


def test_data_sets_of_mlflow(client: StepwellClient, store: Store, tmp_path: Path) -> None:
    run, data = store.runs[0], store.experiment / "datasets" / "c0ffee"
    (run / "inputs" / "tie").mkdir(parents=True)
    (run / "inputs" / "model").mkdir()
    data.mkdir(parents=True)
    (run / "inputs" / "tie" / "meta.yaml").write_text(
        f"destination_id: {run.name}\ndestination_type: 1\nsource_id: c0ffee\nsource_type: 1\n"
        "tags:\n  mlflow.data.context: training\n"
    )
    (run / "inputs" / "model" / "meta.yaml").write_text("source_id: ../../../etc\nsource_type: 2\n")
    (data / "meta.yaml").write_text(
        "digest: c0ffee\nname: toy\nprofile: null\nschema: '[]'\nsource: '{}'\nsource_type: local\n"
    )
    report = imported("mlflow", str(store.folder))
    assert (report["data_sets"], report["rejected"]) == (1, 1)
    toy = DatasetInput(
        Dataset("toy", "c0ffee", "local", "{}", "[]"), [InputTag("mlflow.data.context", "training")]
    )
    assert client.get_run(run.name).inputs.dataset_inputs == [toy]

    run_id = uuid.uuid4().hex
    database_of(tmp_path / "mlflow.db", [(run_id, "")])
    with contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        database.executescript(
            f"""
            CREATE TABLE datasets (dataset_uuid TEXT, experiment_id INTEGER, name TEXT, digest TEXT,
                dataset_source_type TEXT, dataset_source TEXT, dataset_schema TEXT, dataset_profile TEXT);
            CREATE TABLE inputs (input_uuid TEXT, source_type TEXT, source_id TEXT, destination_type TEXT,
                destination_id TEXT);
            CREATE TABLE input_tags (input_uuid TEXT, name TEXT, value TEXT);
            INSERT INTO datasets VALUES ('d', 3, 'toy', 'c0ffee', 'local', '{{}}', '[]', NULL);
            INSERT INTO inputs VALUES ('i', 'DATASET', 'd', 'RUN', '{run_id}');
            INSERT INTO input_tags VALUES ('i', 'mlflow.data.context', 'training');
            """
        )
    for count in (1, 0):
        assert imported("mlflow", str(tmp_path / "mlflow.db"))["data_sets"] == count
    assert client.get_run(run_id).inputs.dataset_inputs == [toy]


@pytest.mark.parametrize("where", ["folder", "database"])
def test_registered_models(client: StepwellClient, store: Store, tmp_path: Path, where: str) -> None:
    name, run_id = f"it's {uuid.uuid4().hex}", store.runs[0].name
    source = f"{store.runs[0]}/artifacts/model"
    if where == "folder":
        model, location = store.folder / "models" / name, str(store.folder)
        of_version = f"creation_timestamp: 7\ncurrent_stage: Staging\nrun_id: {run_id}\nsource: {source}\n"
        for path, text in {
            store.experiment / "traces" / "tr-1" / "trace_info.yaml": "trace_id: tr-1\n",
            model / "meta.yaml": "description: d\n",
            model / "tags" / "team": "red",
            model / "version-2" / "meta.yaml": of_version,
            model / "version-2" / "tags" / "a": "1",
            model
            / "version-3"
            / "meta.yaml": "current_stage: Deleted_Internal\nsource: REDACTED-SOURCE-PATH\n",
            model / "version-5" / "meta.yaml": "source: /elsewhere/model\n",
            model / "aliases" / "champion": "2",
        }.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    else:
        location = str(tmp_path / "mlflow.db")
        database_of(tmp_path / "mlflow.db", [])
        with contextlib.closing(sqlite3.connect(location)) as database:
            database.executescript(
                """
                CREATE TABLE trace_info (request_id TEXT);
                INSERT INTO trace_info VALUES ('tr-1');
                CREATE TABLE registered_models (name TEXT, description TEXT);
                CREATE TABLE registered_model_tags (name TEXT, key TEXT, value TEXT);
                CREATE TABLE model_versions (
                    name TEXT, version INTEGER, creation_time INTEGER, current_stage TEXT, source TEXT, run_id TEXT
                );
                CREATE TABLE model_version_tags (name TEXT, version INTEGER, key TEXT, value TEXT);
                CREATE TABLE registered_model_aliases (name TEXT, alias TEXT, version INTEGER);
                """
            )
            versions = [(2, 7, "Staging", source, run_id), (3, 8, "Deleted_Internal", "", "")]
            versions.append((5, 9, "None", "/elsewhere/model", None))
            for values in versions:
                database.execute("INSERT INTO model_versions VALUES (?, ?, ?, ?, ?, ?)", (name, *values))
            database.execute("INSERT INTO registered_models VALUES (?, 'd')", (name,))
            database.execute("INSERT INTO registered_model_tags VALUES (?, 'team', 'red')", (name,))
            database.execute("INSERT INTO model_version_tags VALUES (?, 2, 'a', '1')", (name,))
            database.execute("INSERT INTO registered_model_aliases VALUES (?, 'champion', 2)", (name,))
            database.commit()
        imported("mlflow", str(store.folder))
    for _ in range(2):  # a repeat adds nothing
        traces, left = imported("mlflow", location)["reasons"][-2:][::-1]
        assert traces == "1 traces: they are not imported yet"
        assert left.startswith(f"version 5 of registered model {name!r}: its files are at '/elsewhere/model'")
        model = client.get_registered_model(name)
        assert (model.description, model.tags, model.aliases) == ("d", {"team": "red"}, {"champion": 2})
        (version,) = model.latest_versions
        assert (version.version, version.current_stage, version.tags) == (2, "Staging", {"a": "1"})
        assert (version.run_id, version.source) == (run_id, f"runs:/{run_id}/model")
        assert version.creation_timestamp == 7


def test_logged_models_of_a_folder(client: StepwellClient, store: Store, tmp_path: Path) -> None:
    run_id, model_id = store.runs[0].name, f"m-{uuid.uuid4().hex}"
    model = store.experiment / "models" / model_id
    for path, text in {
        model / "meta.yaml": (
            f"artifact_location: {model}/artifacts\ncreation_timestamp: 1700000000000\nmodel_id: {model_id}\n"
            f"model_type: tt\nname: forest\nsource_run_id: {run_id}\nstatus: 2\nstatus_message: null\n"
        ),
        model / "params" / "depth": "3",
        model / "tags" / "team": "a",
        model / "metrics" / "acc": f"5 0.5 3 {run_id}\n6 0.75 4 {run_id} my set d1\n6 0.75\n",
        model / "artifacts" / "MLmodel": "flavors: {}",
        model / "artifacts" / "data" / "weights": "1 2 3",
        store.runs[0] / "outputs" / model_id / "meta.yaml": f"destination_id: {model_id}\nstep: 4\n",
        store.experiment / "models" / f"m-{uuid.uuid4().hex}" / "meta.yaml": "name: a/b\nstatus: 2\n",
    }.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    report = imported("mlflow", str(store.folder))
    assert (report["models"], report["artifacts"], report["rejected"]) == (1, 5, 2)
    said = " ".join(report["reasons"])
    assert "a line of metric 'acc' is none" in said
    assert "Invalid model name" in said
    _check_model(client, run_id, model_id, tmp_path)
    again = imported("mlflow", str(store.folder))
    assert (again["models"], again["artifacts"]) == (1, 0)
    _check_model(client, run_id, model_id, tmp_path)


def test_logged_models_of_a_database(client: StepwellClient, tmp_path: Path) -> None:
    run_id, model_id = uuid.uuid4().hex, f"m-{uuid.uuid4().hex}"
    database_of(tmp_path / "mlflow.db", [(run_id, "")])
    files = tmp_path / "mlruns" / "3" / "models" / model_id / "artifacts"
    for path, text in {"MLmodel": "flavors: {}", "data/weights": "1 2 3"}.items():
        (files / path).parent.mkdir(parents=True, exist_ok=True)
        (files / path).write_text(text)
    with contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        database.executescript(LOGGED_MODEL_TABLES)
        database.execute(
            "INSERT INTO logged_models VALUES (?, 3, 'forest', ?, 1700000000000, 0, 2, 'active', 'tt', ?, NULL)",
            (model_id, str(files), run_id),
        )
        database.execute("INSERT INTO logged_model_params VALUES (?, 3, 'depth', '3')", (model_id,))
        database.execute("INSERT INTO logged_model_tags VALUES (?, 3, 'team', 'a')", (model_id,))
        for time, step, value, *dataset in ((5, 3, 0.5, None, None), (6, 4, 0.75, "my set", "d1")):
            row = (model_id, "acc", time, step, value, 3, run_id, None, *dataset)
            database.execute("INSERT INTO logged_model_metrics VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        tie = ("u", "RUN_OUTPUT", run_id, "MODEL_OUTPUT", model_id, 4)
        database.execute("INSERT INTO inputs VALUES (?, ?, ?, ?, ?, ?)", tie)
        database.commit()
    report = imported("mlflow", f"sqlite:///{tmp_path / 'mlflow.db'}")
    assert (report["models"], report["artifacts"], report["rejected"]) == (1, 2, 0), report
    _check_model(client, run_id, model_id, tmp_path)


LOGGED_MODEL_TABLES = """
CREATE TABLE logged_models (model_id TEXT, experiment_id INTEGER, name TEXT, artifact_location TEXT,
    creation_timestamp_ms BIGINT, last_updated_timestamp_ms BIGINT, status INTEGER, lifecycle_stage TEXT,
    model_type TEXT, source_run_id TEXT, status_message TEXT);
CREATE TABLE logged_model_params (model_id TEXT, experiment_id INTEGER, param_key TEXT, param_value TEXT);
CREATE TABLE logged_model_tags (model_id TEXT, experiment_id INTEGER, tag_key TEXT, tag_value TEXT);
CREATE TABLE logged_model_metrics (model_id TEXT, metric_name TEXT, metric_timestamp_ms BIGINT, metric_step BIGINT,
    metric_value DOUBLE, experiment_id INTEGER, run_id TEXT, dataset_uuid TEXT, dataset_name TEXT, dataset_digest TEXT);
CREATE TABLE inputs (input_uuid TEXT, source_type TEXT, source_id TEXT, destination_type TEXT, destination_id TEXT,
    step BIGINT);
"""


def _check_model(client: StepwellClient, run_id: str, model_id: str, folder: Path) -> None:
    """Look whether the model of these tests is here, whole."""
    model = client.get_logged_model(model_id)
    assert (model.name, model.status, model.model_type, model.source_run_id) == (
        "forest",
        "READY",
        "tt",
        run_id,
    )
    assert (model.params, model.tags, model.creation_timestamp) == (
        {"depth": "3"},
        {"team": "a"},
        1700000000000,
    )
    found = {
        (it.key, it.dataset_name, it.dataset_digest): (it.value, it.step, it.run_id) for it in model.metrics
    }
    assert found == {("acc", None, None): (0.5, 3, run_id), ("acc", "my set", "d1"): (0.75, 4, run_id)}
    assert [it.step for it in client.get_run(run_id).outputs.model_outputs] == [4]
    files = artifacts_of(client, run_id, folder / "back")
    assert {path: text for path, text in files.items() if path.startswith("forest/")} == {
        "forest/MLmodel": "flavors: {}",
        "forest/data/weights": "1 2 3",
    }
