"""Runs of MLflow: its SQLite database, its `mlruns` folder, or its server, read without MLflow.

MLflow keeps the infinities as plus or minus 1.7976931348623157e308, which are taken for infinities again.
"""

import json
import math
import sqlite3
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stepwell import extras
from stepwell.entities import RunStatus
from stepwell.errors import StepwellException, invalid
from stepwell.transfer.sources import ImportedRun, PointColumns, Source, columns

# Points that are read together: 20 MB as Python objects.
ROWS_AT_ONCE = 100_000
# What MLflow's server gives at once.
RUNS_PAGE = 1_000
POINTS_PAGE = 25_000
HTTP_TIMEOUT_S = 120.0

_MAX = sys.float_info.max


def mlflow_source(location: str) -> Source:
    """Return the source at a place: http(s)://server, sqlite:///file, a .db file, or a folder.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE when there is nothing that MLflow made.
    """
    if location.startswith(("http://", "https://")):
        return MlflowServer(location.rstrip("/"))
    path = Path(location.removeprefix("sqlite:///").removeprefix("file://"))
    if path.is_file():
        return MlflowSqlite(path)
    if path.is_dir():
        return MlflowFolder(path)
    raise invalid(
        f"There is no MLflow store at {location!r}: name a .db file, an mlruns folder or an http:// server."
    )


class MlflowSqlite:
    """The database behind `sqlite:///mlflow.db`. Points come in order of (timestamp, key, step, value)."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def runs(self) -> Iterator[ImportedRun]:
        """See `Source`."""
        with self._connected() as database:
            rows = database.execute(
                "SELECT run_uuid, runs.name, status, start_time, end_time, user_id, experiments.name"
                " FROM runs JOIN experiments USING (experiment_id)"
                " WHERE runs.lifecycle_stage = 'active' ORDER BY start_time, run_uuid"
            ).fetchall()
            for run_id, name, status, start, end, user, experiment in rows:
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
                )

    def _connected(self) -> "_Closing":
        return _Closing(sqlite3.connect(f"file:{urllib.parse.quote(str(self._path))}?mode=ro", uri=True))

    def _points(self, run_id: str) -> Iterator[PointColumns]:
        with self._connected() as database:
            cursor = database.execute(
                "SELECT key, step, timestamp, CASE WHEN is_nan THEN NULL ELSE value END"
                " FROM metrics WHERE run_uuid = ? ORDER BY timestamp, key, step, value",
                (run_id,),
            )
            while rows := cursor.fetchmany(ROWS_AT_ONCE):
                yield columns([(key, step, time, _restored(value)) for key, step, time, value in rows])


class _Closing:
    """Closes a connection at the end of a context; sqlite3's own context only ends transactions."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> sqlite3.Connection:
        return self._connection

    def __exit__(self, *_: object) -> None:
        self._connection.close()


def _restored(value: float | None) -> float:
    if value is None:
        return math.nan
    return math.copysign(math.inf, value) if abs(value) >= _MAX else value


class MlflowFolder:
    """The folder `mlruns`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def runs(self) -> Iterator[ImportedRun]:
        """See `Source`."""
        for experiment in sorted(self._folder.glob("*/meta.yaml")):
            name = str(_meta(experiment).get("name", experiment.parent.name))
            for meta in sorted(experiment.parent.glob("*/meta.yaml")):
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
        )

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
    return key, int(step[0]) if step else 0, int(time), _restored(float(value))


def _meta(path: Path) -> dict[str, Any]:
    yaml = extras.load("yaml", "Importing an mlruns folder", "stepwell[export]")
    found: dict[str, Any] = yaml.safe_load(path.read_text("utf-8")) or {}
    return found


def _files(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()] if folder.is_dir() else []
    return {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in sorted(files)}


class MlflowServer:
    """A tracking server, through its REST API."""

    def __init__(self, uri: str) -> None:
        self._uri = uri

    def runs(self) -> Iterator[ImportedRun]:
        """See `Source`."""
        for experiment in self._pages("experiments/search", {"max_results": RUNS_PAGE}, "experiments"):
            request = {"experiment_ids": [experiment["experiment_id"]], "max_results": RUNS_PAGE}
            for run in self._pages("runs/search", request, "runs"):
                yield self._run(run["info"], run.get("data", {}), experiment["name"])

    def _run(self, info: Mapping[str, Any], data: Mapping[str, Any], experiment: str) -> ImportedRun:
        keys = sorted(metric["key"] for metric in data.get("metrics", ()))
        return ImportedRun(
            source_id=info["run_id"],
            experiment=experiment,
            name=info.get("run_name", ""),
            status=info["status"],
            start_time_ms=int(info.get("start_time", 0)),
            end_time_ms=int(info["end_time"]) if info.get("end_time") else None,
            points=lambda: self._points(info["run_id"], keys),
            user=info.get("user_id", ""),
            params={param["key"]: param["value"] for param in data.get("params", ())},
            tags={tag["key"]: tag["value"] for tag in data.get("tags", ())},
        )

    def _points(self, run_id: str, keys: list[str]) -> Iterator[PointColumns]:
        """In order of (timestamp, key, step, value), as from the database, so that new points come last."""
        rows = [
            (key, int(point.get("step", 0)), int(point["timestamp"]), _restored(float(point["value"])))
            for key in keys
            for point in self._history(run_id, key)
        ]
        rows.sort(key=lambda row: (row[2], row[0], row[1], math.isnan(row[3]), row[3]))
        for start in range(0, len(rows), ROWS_AT_ONCE):
            yield columns(rows[start : start + ROWS_AT_ONCE])

    def _history(self, run_id: str, key: str) -> Iterator[Mapping[str, Any]]:
        request = {"run_id": run_id, "metric_key": key, "max_results": POINTS_PAGE}
        token = ""
        while True:
            query = urllib.parse.urlencode({**request, **({"page_token": token} if token else {})})
            answer = self._call(f"metrics/get-history?{query}", None)
            yield from answer.get("metrics", ())
            token = answer.get("next_page_token", "")
            if not token:
                return

    def _pages(self, path: str, request: Mapping[str, Any], name: str) -> Iterator[Any]:
        token = ""
        while True:
            answer = self._call(path, {**request, **({"page_token": token} if token else {})})
            yield from answer.get(name, ())
            token = answer.get("next_page_token", "")
            if not token:
                return

    def _call(self, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        request = urllib.request.Request(  # noqa: S310 - the scheme was checked
            f"{self._uri}/api/2.0/mlflow/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=HTTP_TIMEOUT_S) as answer:  # noqa: S310
                found: dict[str, Any] = json.load(answer)
                return found
        except OSError as failure:
            raise StepwellException(
                f"MLflow's server {self._uri} did not answer {path.partition('?')[0]}: {failure}.",
                "TEMPORARILY_UNAVAILABLE",
            ) from None
