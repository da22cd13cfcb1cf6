"""Stores as MLflow writes them: its folder, and the tables of its database."""

import contextlib
import sqlite3
import uuid
from collections.abc import Callable
from pathlib import Path

MLFLOW_TABLES = """
CREATE TABLE experiments (experiment_id INTEGER PRIMARY KEY, name TEXT, lifecycle_stage TEXT DEFAULT 'active');
CREATE TABLE experiment_tags (key TEXT, value TEXT, experiment_id INTEGER);
CREATE TABLE runs (run_uuid TEXT PRIMARY KEY, name TEXT, status TEXT, start_time BIGINT, end_time BIGINT,
                   user_id TEXT, experiment_id INTEGER, lifecycle_stage TEXT, artifact_uri TEXT);
CREATE TABLE metrics (key TEXT, value DOUBLE, timestamp BIGINT, run_uuid TEXT, step BIGINT, is_nan BOOLEAN);
CREATE TABLE params (key TEXT, value TEXT, run_uuid TEXT);
CREATE TABLE tags (key TEXT, value TEXT, run_uuid TEXT);
"""


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


def in_meta(before: str, after: str) -> Callable[[Path], object]:
    def change(run: Path) -> None:
        text = (run / "meta.yaml").read_text()
        assert before in text
        (run / "meta.yaml").write_text(text.replace(before, after))

    return change
