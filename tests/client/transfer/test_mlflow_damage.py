"""Imports of MLflow's stores in which something is wrong: it keeps nothing else back, and is named."""

import contextlib
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
from stepwell.errors import StepwellException
from stepwell.transfer.mlflow.source import mlflow_source
from tests.harness.mlflow_stores import Store, database_of, in_meta
from tests.harness.servers.processes import ServerProcess
from tests.harness.transfers import imported, read_all, runs_of


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
