"""Runs of MLflow: its SQLite database, or its `mlruns` folder, read without MLflow. Its server: `mlflow_server`."""

import sqlite3
import urllib.parse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stepwell import extras
from stepwell.entities import RunStatus
from stepwell.errors import invalid
from stepwell.transfer.artifact_sources import folder_artifacts, mlflow_uri_artifacts
from stepwell.transfer.mlflow_server import MlflowServer, restored
from stepwell.transfer.sources import (
    ArtifactFiles,
    ImportedExperiment,
    ImportedRun,
    PointColumns,
    Source,
    columns,
)

# Points that are read together: 20 MB as Python objects.
ROWS_AT_ONCE = 100_000


def mlflow_source(location: str, artifacts: Path | None = None) -> Source:
    """Return the source at a place: http(s)://server, sqlite:///file, a .db file, or a folder.

    `artifacts` is the folder behind a server's mlflow-artifacts:/ (its --artifacts-destination).

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE when there is nothing that MLflow made.
    """
    if location.startswith(("http://", "https://")):
        return MlflowServer(location.rstrip("/"))
    path = Path(location.removeprefix("sqlite:///").removeprefix("file://"))
    if path.is_file() and _is_database(path):
        return MlflowSqlite(path, artifacts)
    if any(path.glob("*/meta.yaml")):
        return MlflowFolder(path, artifacts)
    raise invalid(
        f"There is no MLflow store at {location!r}: name a .db file, an mlruns folder or an http:// server"
        " (also for other databases)."
    )


def _is_database(path: Path) -> bool:
    """Tell whether MLflow's tables are in a file."""
    with _connected(path) as database:
        try:
            tables = "SELECT count(*) FROM sqlite_master WHERE name IN ('experiments', 'runs', 'metrics')"
            return bool(database.execute(tables).fetchone() == (3,))
        except sqlite3.DatabaseError:
            return False


def _connected(path: Path) -> "_Closing":
    return _Closing(sqlite3.connect(f"file:{urllib.parse.quote(str(path))}?mode=ro", uri=True))


class MlflowSqlite:
    """The database behind `sqlite:///mlflow.db`. Points come in order of (timestamp, key, step, value)."""

    def __init__(self, path: Path, artifacts: Path | None = None) -> None:
        self._path = path
        self._artifacts = artifacts

    def experiments(self) -> Iterator[ImportedExperiment]:
        """See `Source`."""
        with _connected(self._path) as database:
            rows = database.execute(
                "SELECT experiment_id, name FROM experiments WHERE lifecycle_stage = 'active' ORDER BY experiment_id"
            ).fetchall()
            tags = "SELECT key, value FROM experiment_tags WHERE experiment_id = ?"
            for experiment_id, name in rows:
                yield ImportedExperiment(name, dict(database.execute(tags, (experiment_id,))))

    def runs(self) -> Iterator[ImportedRun]:
        """See `Source`."""
        with _connected(self._path) as database:
            rows = database.execute(
                "SELECT run_uuid, runs.name, status, start_time, end_time, user_id, experiments.name, artifact_uri"
                " FROM runs JOIN experiments USING (experiment_id)"
                " WHERE runs.lifecycle_stage = 'active' AND experiments.lifecycle_stage = 'active'"
                " ORDER BY start_time, run_uuid"
            ).fetchall()
            for run_id, name, status, start, end, user, experiment, artifact_uri in rows:
                yield ImportedRun(
                    source_id=run_id,
                    experiment=experiment,
                    name=name or "",
                    status=status,
                    start_time_ms=start or 0,
                    end_time_ms=end,
                    points=lambda run_id=run_id: self._points(run_id),  # type: ignore[misc]
                    user=user or "",
                    params=dict(
                        database.execute("SELECT key, value FROM params WHERE run_uuid = ?", (run_id,))
                    ),
                    tags=dict(database.execute("SELECT key, value FROM tags WHERE run_uuid = ?", (run_id,))),
                    artifacts=mlflow_uri_artifacts(artifact_uri or "", self._path.parent, self._artifacts),
                )

    def _points(self, run_id: str) -> Iterator[PointColumns]:
        with _connected(self._path) as database:
            cursor = database.execute(
                "SELECT key, step, timestamp, CASE WHEN is_nan THEN NULL ELSE value END"
                " FROM metrics WHERE run_uuid = ? ORDER BY timestamp, key, step, value",
                (run_id,),
            )
            while rows := cursor.fetchmany(ROWS_AT_ONCE):
                yield columns([(key, step, time, restored(value)) for key, step, time, value in rows])


class _Closing:
    """Closes a connection at the end of a context; sqlite3's own context only ends transactions."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> sqlite3.Connection:
        return self._connection

    def __exit__(self, *_: object) -> None:
        self._connection.close()


class MlflowFolder:
    """The folder `mlruns`."""

    def __init__(self, folder: Path, artifacts: Path | None = None) -> None:
        self._folder = folder
        self._artifacts = artifacts

    def experiments(self) -> Iterator[ImportedExperiment]:
        """See `Source`."""
        for folder, name in self._experiments():
            yield ImportedExperiment(name, _files(folder / "tags"))

    def _experiments(self) -> Iterator[tuple[Path, str]]:
        for path in sorted(self._folder.glob("*/meta.yaml")):
            meta = _meta(path)
            if meta.get("lifecycle_stage", "active") == "active":
                yield path.parent, str(meta.get("name", path.parent.name))

    def runs(self) -> Iterator[ImportedRun]:
        """See `Source`."""
        for folder, name in self._experiments():
            for meta in sorted(folder.glob("*/meta.yaml")):
                found = _meta(meta)
                if "run_id" in found and found.get("lifecycle_stage", "active") == "active":
                    yield self._run(meta.parent, found, name)

    def _run(self, folder: Path, meta: Mapping[str, Any], experiment: str) -> ImportedRun:
        tags = _files(folder / "tags")
        status = meta.get("status", 1)
        return ImportedRun(
            source_id=str(meta["run_id"]),
            experiment=experiment,
            name=str(meta.get("run_name") or tags.get("mlflow.runName", "")),
            status=status if isinstance(status, str) else RunStatus.to_string(status),
            start_time_ms=int(meta.get("start_time") or 0),
            end_time_ms=int(meta["end_time"]) if meta.get("end_time") else None,
            points=lambda: self._points(folder / "metrics"),
            user=str(meta.get("user_id") or ""),
            params=_files(folder / "params"),
            tags=tags,
            artifacts=self._artifacts_of(folder, str(meta.get("artifact_uri") or "")),
        )

    def _artifacts_of(self, folder: Path, uri: str) -> ArtifactFiles:
        """Artifacts beside the run, also when the folder was moved; else where the run says."""
        if (folder / "artifacts").is_dir() or not uri:
            return folder_artifacts(folder / "artifacts")
        return mlflow_uri_artifacts(uri, self._folder.parent, self._artifacts)

    def _points(self, folder: Path) -> Iterator[PointColumns]:
        """Points of all files in order of their times: what a run logs later comes behind, in whatever file it is."""
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        rows = [
            _line(path.relative_to(folder).as_posix(), line)
            for path in files
            for line in path.read_text("utf-8").splitlines()
        ]
        rows.sort(key=lambda row: row[2])
        for start in range(0, len(rows), ROWS_AT_ONCE):
            yield columns(rows[start : start + ROWS_AT_ONCE])


def _line(key: str, line: str) -> tuple[str, int, int, float]:
    time, value, *step = line.split()
    return key, int(step[0]) if step else 0, int(time), restored(float(value))


def _meta(path: Path) -> dict[str, Any]:
    yaml = extras.load("yaml", "Importing an mlruns folder", "export")
    found: dict[str, Any] = yaml.safe_load(path.read_text("utf-8")) or {}
    return found


def _files(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()] if folder.is_dir() else []
    return {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in sorted(files)}
