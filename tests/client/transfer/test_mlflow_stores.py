"""Imports of MLflow's database and of its folders, whole and damaged."""

import contextlib
import math
import os
import socket
import sqlite3
import uuid
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner

import stepwell
from stepwell import StepwellClient
from stepwell.commands.imports import imports
from stepwell.entities import Dataset, DatasetInput, InputTag
from stepwell.errors import StepwellException
from stepwell.transfer.mlflow_source import mlflow_source
from tests.harness.processes import ServerProcess
from tests.harness.transfers import (
    artifacts_of,
    imported,
    points_of,
    read_all,
    run_import,
    runs_of,
    same,
)

MLFLOW_TABLES = """
CREATE TABLE experiments (experiment_id INTEGER PRIMARY KEY, name TEXT, lifecycle_stage TEXT DEFAULT 'active');
CREATE TABLE experiment_tags (key TEXT, value TEXT, experiment_id INTEGER);
CREATE TABLE runs (run_uuid TEXT PRIMARY KEY, name TEXT, status TEXT, start_time BIGINT, end_time BIGINT,
                   user_id TEXT, experiment_id INTEGER, lifecycle_stage TEXT, artifact_uri TEXT);
CREATE TABLE metrics (key TEXT, value DOUBLE, timestamp BIGINT, run_uuid TEXT, step BIGINT, is_nan BOOLEAN);
CREATE TABLE params (key TEXT, value TEXT, run_uuid TEXT);
CREATE TABLE tags (key TEXT, value TEXT, run_uuid TEXT);
"""


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


def test_what_is_no_source_is_said(tmp_path: Path) -> None:
    assert "no MLflow store" in CliRunner().invoke(imports, ["mlflow", str(tmp_path / "nothing.db")]).output
    assert "no runs.parquet" in CliRunner().invoke(imports, ["export", str(tmp_path)]).output
    assert "no event files" in CliRunner().invoke(imports, ["tensorboard", str(tmp_path)]).output
    assert "no MLflow store" in CliRunner().invoke(imports, ["mlflow", str(tmp_path)]).output
    store = Store(tmp_path / "some")
    for part in (store.experiment, store.runs[0]):
        said = CliRunner().invoke(imports, ["mlflow", str(part)]).output
        assert "name the folder of all experiments around it" in said
    with contextlib.closing(sqlite3.connect(tmp_path / "locked.db")) as locked:
        locked.execute("CREATE TABLE runs (run_uuid TEXT)")
        locked.execute("BEGIN EXCLUSIVE")
        said = CliRunner().invoke(imports, ["mlflow", str(tmp_path / "locked.db")]).output
        assert "cannot be read: database is locked" in said
    (tmp_path / "a.db").write_text("no database, however long it is")
    sqlite3.connect(tmp_path / "empty.db").execute("CREATE TABLE runs (run_uuid TEXT)").connection.close()
    for name in ("a.db", "empty.db"):
        assert "no MLflow store" in CliRunner().invoke(imports, ["mlflow", str(tmp_path / name)]).output


class Store:
    """A folder `mlruns` with one experiment of three runs, as MLflow writes it."""

    def __init__(self, folder: Path, name: str = "cats") -> None:
        self.folder = folder / "mlruns"
        self.experiment = self.folder / "100000000000000001"
        self.experiment.mkdir(parents=True)
        (self.experiment / "meta.yaml").write_text(
            f"artifact_location: {self.experiment}\nexperiment_id: '100000000000000001'\n"
            f"lifecycle_stage: active\nname: {name}\n"
        )
        self.runs = [self.add_run(number, f"{number}{uuid.uuid4().hex[1:]}") for number in range(3)]

    def add_run(self, number: int, run_id: str) -> Path:
        run = self.experiment / run_id
        for part in ("metrics", "params", "tags", "artifacts"):
            (run / part).mkdir(parents=True)
        (run / "meta.yaml").write_text(
            f"artifact_uri: {run}/artifacts\nend_time: 1700000009000\nexperiment_id: '100000000000000001'\n"
            f"lifecycle_stage: active\nrun_id: {run_id}\nrun_name: run {number}\nrun_uuid: {run_id}\n"
            "source_type: 4\nstart_time: 1700000000000\nstatus: 3\ntags: []\nuser_id: somebody\n"
        )
        (run / "metrics" / "loss").write_text("".join(f"{1700000000000 + n} {n / 4} {n}\n" for n in range(5)))
        (run / "params" / "lr").write_text("0.1")
        (run / "artifacts" / "notes.txt").write_text(f"of {number}")
        return run


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def in_meta(before: str, after: str) -> Callable[[Path], object]:
    def change(run: Path) -> None:
        text = (run / "meta.yaml").read_text()
        assert before in text
        (run / "meta.yaml").write_text(text.replace(before, after))

    return change


def append(path: str, content: bytes) -> Callable[[Path], object]:
    def change(run: Path) -> None:
        with (run / path).open("ab") as file:
            file.write(content)

    return change


def linked(path: str, target: str) -> Callable[[Path], object]:
    return lambda run: (run / path).symlink_to(target)


def socket_at(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made, contextlib.chdir(path.parent):
        made.bind(path.name)


# What is wrong with the second run, and what is said of it; nothing where it is no loss.
BAD = {
    "half a line": (append("metrics/loss", b"17000000"), "line 6 has no end"),
    "half a number": (append("metrics/loss", b"1700000000005 0.5 1"), "line 6 has no end"),
    "an empty line": (append("metrics/loss", b"\n\n"), ""),
    "zeros": (append("metrics/loss", bytes(64)), "line 6 has 64 zeros"),
    "no numbers": (append("metrics/loss", b"a b c\n"), "line 6 is no point"),
    "more than 64 bits": (append("metrics/loss", b"1 2 99999999999999999999\n"), "line 6 is no point"),
    "macOS was here": (append("params/.DS_Store", b"\0\0\0\1Bud1\xff\xfe"), ""),
    "and here": (append("metrics/._loss", b"\0\5\26\7\0"), ""),
    "latin-1": (append("params/name", "Müller".encode("latin-1")), "params/name is no UTF-8"),
    "NUL": (append("params/name", b"a\0b"), "NUL"),
    "a name that is no UTF-8": (append("params/caf\udce9", b"x"), r"param 'caf\udce9' is no Unicode text"),
    "a metric like it": (append("metrics/caf\udce9", b"1 2 3\n"), r"caf\\udce9"),
    "a param that is endless": (append("params/long", b"x" * 2_000_000), "has more than 1,048,576 bytes"),
    "a param that is a FIFO": (lambda run: os.mkfifo(run / "params/fifo"), "params/fifo is no file"),
    "a metric that is a FIFO": (lambda run: os.mkfifo(run / "metrics/fifo"), "metrics/fifo is no file"),
    "a param elsewhere": (linked("params/secret", "/etc/hostname"), "--allow-outside /etc/hostname"),
    "tags elsewhere": (linked("tags/all", "/etc"), "--allow-outside /etc"),
    "a metric of nothing": (linked("metrics/gone", "/nowhere"), "is a link that leads nowhere"),
    "no YAML": (lambda run: (run / "meta.yaml").write_text("run_id: [abc\n foo: bar: baz"), "is no YAML"),
    "an endless YAML": (
        lambda run: (run / "meta.yaml").write_text(
            "a: &a0 [x, x]\n" + "".join(f"b{n}: &a{n} [{f'*a{n - 1}, ' * 9}]\n" for n in range(1, 30))
        ),
        "it has no status",
    ),
    "an empty description": (lambda run: (run / "meta.yaml").write_text(""), "meta.yaml is empty"),
    "a description that is a list": (
        lambda run: (run / "meta.yaml").write_text("- 1"),
        "no names with values",
    ),
    "no description": (lambda run: (run / "meta.yaml").unlink(), "meta.yaml is not there"),
    "half a description": (
        lambda run: (run / "meta.yaml").write_text(
            f"end_time: 5\nlifecycle_stage: active\nrun_id: {run.name}\n"
        ),
        "it has no status; it is taken for FINISHED",
    ),
    "an unknown status": (
        in_meta("status: 3", "status: 9"),
        "there is no status 9; it is taken for FINISHED",
    ),
    "a status in words": (in_meta("status: 3", "status: DONE"), "there is no status 'DONE'"),
    "a time that is none": (
        in_meta("start_time: 1700000000000", "start_time: yesterday"),
        "start_time is no time",
    ),
    "a copy": (in_meta("run_id: ", "run_id: a"), "its meta.yaml is that of run a"),
    "MLflow before 1.0": (in_meta("run_id: ", "entry_point_name: "), ""),
    "a drive": (append("artifacts/c:d.txt", b"x"), "'c:d.txt' begins with a drive letter"),
    "a backslash": (append("artifacts/plots\\roc.png", b"x"), "has a backslash"),
    "an artifact's name that is no UTF-8": (append("artifacts/caf\udce9.txt", b"x"), "is no Unicode text"),
    "an artifact elsewhere": (linked("artifacts/data.csv", "/etc/hostname"), "--allow-outside /etc/hostname"),
    "an artifact of nothing": (linked("artifacts/gone.csv", "/nowhere"), "leads nowhere"),
    "a circle": (linked("artifacts/circle", "."), "leads back"),
    "a FIFO": (lambda run: os.mkfifo(run / "artifacts/fifo"), "is neither a file nor a folder"),
    "a socket": (lambda run: socket_at(run / "artifacts/socket"), "is neither a file nor a folder"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_is_wrong_with_one_run_keeps_nothing_else_back(
    shared_server: ServerProcess, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, what: str
) -> None:
    monkeypatch.setenv("STEPWELL_TRACKING_URI", shared_server.tracking_uri)
    name = f"cats {uuid.uuid4().hex}"
    store = Store(tmp_path, name)
    damage, said = BAD[what]
    damage(store.runs[1])
    report = imported("mlflow", str(store.folder))
    assert (report["runs"], report["points"], report["artifacts"]) == (3, 15, 3)
    assert any(said in reason for reason in report["reasons"]) if said else report["rejected"] == 0, report
    assert not any("Traceback" in reason for reason in report["reasons"])
    runs = stepwell.search_runs(experiment_names=[name], output_format="list")
    assert len(runs) == 3
    assert all(run.info.status in ("FINISHED", "FAILED") for run in runs)
    assert [run.data.params["lr"] for run in runs] == ["0.1"] * 3
    again = imported("mlflow", str(store.folder))
    assert (again["runs"], again["points"], again["artifacts"]) == (3, 0, 0)


def test_experiments_without_a_sound_description(
    client: StepwellClient, store: Store, tmp_path: Path
) -> None:
    other = Store(tmp_path / "other", "dogs")
    other.experiment.rename(store.folder / "2")
    (store.experiment / "meta.yaml").write_text("name: [")
    report = imported("mlflow", str(store.folder))
    assert (report["runs"], report["rejected"]) == (6, 2)
    assert len(runs_of(store.experiment.name)) == 3
    assert len(runs_of("dogs")) == 3


def test_folders_that_are_links(client: StepwellClient, store: Store, tmp_path: Path) -> None:
    other = Store(tmp_path / "other", "dogs")
    (store.experiment / "gone").symlink_to("/nowhere")
    (store.experiment / "itself").symlink_to("itself")
    (store.folder / "elsewhere").symlink_to(other.experiment)
    (store.folder / "same").symlink_to(store.experiment)
    report = imported("mlflow", str(store.folder))
    assert report["runs"] == 3
    said = "\n".join(report["reasons"])
    for part in (
        "gone is a link that leads nowhere",
        "itself is a link that leads nowhere",
        "--allow-outside",
    ):
        assert part in said
    assert said.count("it comes twice in this source") == 3
    assert client.get_experiment_by_name("dogs") is None
    assert imported("mlflow", str(store.folder), "--allow-outside", str(other.folder))["runs"] == 6


def test_artifacts_of_a_database_are_no_runs(client: StepwellClient, store: Store) -> None:
    for run in ("1/" + uuid.uuid4().hex, f"{store.experiment.name}/{uuid.uuid4().hex}"):
        (store.folder / run / "artifacts").mkdir(parents=True)
    report = imported("mlflow", str(store.folder))
    assert (report["runs"], report["rejected"]) == (3, 2)
    assert "import the database or server of these runs" in report["reasons"][0]
    assert client.get_experiment_by_name("1") is None


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


def test_artifacts_elsewhere_need_to_be_allowed(client: StepwellClient, store: Store, tmp_path: Path) -> None:
    outside = tmp_path / "elsewhere"
    outside.mkdir()
    (outside / "key").write_text("secret")
    places = [str(outside), f"file://{outside}", f"file://{store.folder}/../elsewhere"]
    for run, place in zip(store.runs, places, strict=True):
        (run / "artifacts" / "notes.txt").unlink()
        in_meta(f"artifact_uri: {run}/artifacts", f"artifact_uri: {place}")(run)
    report = imported("mlflow", str(store.folder))
    assert (report["runs"], report["artifacts"], report["rejected"]) == (3, 0, 3)
    assert all(f"--allow-outside {outside}" in reason for reason in report["reasons"])
    assert "3 new artifacts" in run_import("mlflow", str(store.folder), "--allow-outside", str(outside))


def test_artifacts_that_are_not_beside_their_run(
    client: StepwellClient, store: Store, tmp_path: Path
) -> None:
    """MLflow makes the folder `artifacts` also when they go elsewhere; and whole stores are moved."""
    places = [
        f"s3://bucket/{store.experiment.name}/{{}}/artifacts",
        f"{tmp_path}/art/{store.experiment.name}/{{}}/artifacts",
        f"/where/it/was/mlruns/{store.experiment.name}/{{}}/artifacts",
    ]
    for run, place in zip(store.runs, places, strict=True):
        (run / "artifacts" / "notes.txt").unlink()
        in_meta(f"artifact_uri: {run}/artifacts", f"artifact_uri: {place.format(run.name)}")(run)
    elsewhere = Path(places[1].format(store.runs[1].name))
    elsewhere.mkdir(parents=True)
    (elsewhere / "model.txt").write_text("weights")
    report = imported("mlflow", str(store.folder))
    assert (report["artifacts"], report["rejected"]) == (0, 2)
    assert "s3://bucket" in report["reasons"][0]
    assert f"--allow-outside {elsewhere}" in report["reasons"][1]
    served = [
        f"artifact_uri: {places[0].format(store.runs[0].name)}",
        "artifact_uri: mlflow-artifacts:/0/a/artifacts",
    ]
    in_meta(*served)(store.runs[0])
    (tmp_path / "art" / "0" / "a" / "artifacts").mkdir(parents=True)
    (tmp_path / "art" / "0" / "a" / "artifacts" / "a.txt").write_text("words")
    assert "2 new artifacts" in run_import("mlflow", str(store.folder), "--artifacts", str(tmp_path / "art"))


def test_links_within_the_store_are_followed(client: StepwellClient, store: Store, tmp_path: Path) -> None:
    (store.runs[0] / "artifacts" / "other.txt").symlink_to(store.runs[1] / "artifacts" / "notes.txt")
    (store.runs[0] / "artifacts" / "latest").symlink_to("../../../100000000000000001")
    run_import("mlflow", str(store.folder), left=True)  # the folder around it
    found = artifacts_of(client, store.runs[0].name, tmp_path / "back")
    assert found["other.txt"] == "of 1"
    assert (
        len([path for path in found if path.startswith("latest/") and path.endswith("artifacts/notes.txt")])
        >= 2
    )


def database_of(path: Path, runs: list[tuple[str, str]]) -> None:
    """A database with runs: their ids and where their artifacts are."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.executescript(MLFLOW_TABLES)
        database.execute("INSERT INTO experiments (experiment_id, name) VALUES (3, 'cats')")
        for run_id, place in runs:
            row = (run_id, f"run {run_id}", "FINISHED", 10, 20, "ada", 3, "active", place)
            database.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
            database.execute("INSERT INTO metrics VALUES ('loss', 0.5, 11, ?, 1, 0)", (run_id,))
        database.commit()


def test_artifacts_of_a_database_that_are_out_of_reach_are_named(
    client: StepwellClient, tmp_path: Path
) -> None:
    beside = tmp_path / "mlruns" / "1" / "a" / "artifacts"
    beside.mkdir(parents=True)
    (beside / "a.txt").write_text("words")
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "key").write_text("secret")
    places = {
        "./mlruns/1/a/artifacts": "",
        f"file://{tmp_path}/mlruns/1/gone/artifacts": "",  # nothing was ever logged there
        "": "",
        f"{tmp_path}/private": "--allow-outside",
        "./mlruns/../private": "--allow-outside",
        "mlflow-artifacts:/../../private": "import from MLflow's server",
        "file:///C:/Users/ada/mlruns/1/x/artifacts": "there is no folder",
        "/home/nobody at all/mlruns/1/x/artifacts": "there is no folder",
        "s3://bucket/1/x/artifacts": "s3://bucket/1/x/artifacts",
    }
    ids = [uuid.uuid4().hex for _ in places]
    database_of(tmp_path / "mlflow.db", list(zip(ids, places, strict=True)))
    report = imported("mlflow", str(tmp_path / "mlflow.db"))
    assert (report["runs"], report["artifacts"], report["rejected"]) == (9, 1, 6)
    for run_id, said in zip(ids, places.values(), strict=True):
        told = [reason for reason in report["reasons"] if run_id in reason]
        assert len(told) == bool(said)
        assert not said or said in told[0]
    served = tmp_path / "mlruns" / "1"
    report = imported("mlflow", str(tmp_path / "mlflow.db"), "--artifacts", str(served))
    assert f"--allow-outside {tmp_path}/private" in next(it for it in report["reasons"] if ids[5] in it)


def test_odd_rows_of_a_database(client: StepwellClient, tmp_path: Path) -> None:
    ids = [uuid.uuid4().hex for _ in range(3)]
    database_of(tmp_path / "mlflow.db", [(run_id, "") for run_id in ids])
    with contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        database.execute(
            "UPDATE runs SET status = 'UNFINISHED', end_time = NULL WHERE run_uuid = ?", (ids[1],)
        )
        database.execute("UPDATE runs SET start_time = 'never', name = X'ff' WHERE run_uuid = ?", (ids[1],))
        database.execute("INSERT INTO metrics VALUES ('loss', 'abc', 11, ?, 1, 0)", (ids[1],))
        database.execute("INSERT INTO params VALUES ('bad', CAST(X'4dfc' AS TEXT), ?)", (ids[1],))
        database.execute("INSERT INTO params VALUES ('good', 'x', ?)", (ids[1],))
        database.commit()
    report = imported("mlflow", str(tmp_path / "mlflow.db"))
    assert (report["runs"], report["points"]) == (3, 3)
    said = " ".join(report["reasons"])
    for part in (
        "no status 'UNFINISHED'",
        "start time is no time",
        "a point of 'loss'",
        "param 'bad' is no Unicode",
    ):
        assert part in said
    run = client.get_run(ids[1])
    assert (run.info.status, run.data.params) == ("FAILED", {"good": "x"})


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


def test_models_that_do_not_come_are_named(client: StepwellClient, store: Store, tmp_path: Path) -> None:
    for path, text in {
        store.experiment / "models" / "m-1" / "meta.yaml": "model_id: m-1\nname: logged\n",
        store.folder / "models" / "churn" / "meta.yaml": "name: churn\n",
        store.folder / "models" / "churn" / "version-2" / "meta.yaml": "version: 2\n",
        store.folder / "models" / "churn" / "aliases" / "champion": "2",
    }.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    report = imported("mlflow", str(store.folder))
    churn = "registered model 'churn' (versions 2, alias champion is version 2): models are not imported yet"
    logged = "logged model m-1 (logged): models are not imported yet"
    assert report["reasons"] == [logged, churn]

    database_of(tmp_path / "mlflow.db", [])
    with contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        database.executescript(
            """
            CREATE TABLE logged_models (model_id TEXT, name TEXT, lifecycle_stage TEXT);
            CREATE TABLE registered_models (name TEXT);
            CREATE TABLE model_versions (name TEXT, version INTEGER);
            CREATE TABLE registered_model_aliases (name TEXT, alias TEXT, version INTEGER);
            INSERT INTO logged_models VALUES ('m-1', 'logged', 'active');
            INSERT INTO registered_models VALUES ('churn');
            INSERT INTO model_versions VALUES ('churn', 2);
            INSERT INTO registered_model_aliases VALUES ('churn', 'champion', 2);
            """
        )
    assert imported("mlflow", str(tmp_path / "mlflow.db"))["reasons"] == [logged, churn]


def test_databases_with_wrong_bytes_are_read_as_far_as_they_go(tmp_path: Path) -> None:
    random, path = Random(1), tmp_path / "mlflow.db"
    database_of(path, [(uuid.uuid4().hex, "./mlruns/a"), ("keen_frog", "s3://bucket/a")])
    sound = path.read_bytes()
    read = 0
    for _ in range(300):
        damaged = bytearray(sound)
        for _ in range(random.randrange(1, 9)):
            damaged[random.randrange(len(damaged))] = random.randrange(256)
        path.write_bytes(damaged)
        with contextlib.suppress(StepwellException):
            read += read_all(mlflow_source(str(path))) == 2
    assert read > 100


def test_folders_with_wrong_bytes_are_read_as_far_as_they_go(store: Store) -> None:
    random = Random(1)
    files = [path for path in store.folder.rglob("*") if path.is_file()]
    odd = [b"\n", b": ", b"[", b"{", b"&a *a", b"\xff", b"9" * 30, b"!!python/object:os.system", b"\0"]
    for _ in range(150):
        path = random.choice(files)
        sound = path.read_bytes()
        place = random.randrange(len(sound) + 1)
        path.write_bytes(sound[:place] + random.choice(odd) + sound[place + random.randrange(5) :])
        # Whatever it is, no run is lost but one that now seems to be deleted.
        assert read_all(mlflow_source(str(store.folder))) >= 2 or path.parent == store.experiment
        path.write_bytes(sound)
