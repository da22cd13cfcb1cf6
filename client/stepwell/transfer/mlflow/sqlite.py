"""Runs of MLflow's database in SQLite, read without MLflow."""

import sqlite3
import urllib.parse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from stepwell.entities import Dataset, DatasetInput, InputTag
from stepwell.errors import StepwellException
from stepwell.transfer.artifact_sources import ServedArtifacts, mlflow_uri_artifacts
from stepwell.transfer.left import Left
from stepwell.transfer.mlflow.values import point, status_of, time_of
from stepwell.transfer.models import sqlite
from stepwell.transfer.models.registered_rows import REGISTRY_TABLES, registered_of
from stepwell.transfer.reach import Reach
from stepwell.transfer.sources import (
    ArtifactFiles,
    ImportedExperiment,
    ImportedModel,
    ImportedRegistered,
    ImportedRun,
    PointColumns,
    SourceError,
    as_run_id,
    columns,
)

# Points that are read together: 20 MB as Python objects.
ROWS_AT_ONCE = 100_000
# What reading a damaged database raises: sqlite3 cannot even tell what is wrong when that is no UTF-8.
UNREADABLE = (sqlite3.Error, UnicodeError)


@contextmanager
def connected(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a database for reading, and close it at the end."""
    connection = sqlite3.connect(f"file:{urllib.parse.quote(str(path))}?mode=ro", uri=True)
    # What is no UTF-8 is told, and does not end the reading.
    connection.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
    try:
        yield connection
    finally:
        connection.close()


class MlflowSqlite:
    """The database behind `sqlite:///mlflow.db`. Points come in order of (timestamp, key, step, value)."""

    def __init__(self, path: Path, artifacts: Path | ServedArtifacts | None, reach: Reach) -> None:
        self._path = path.resolve()
        self._artifacts = artifacts
        self._reach = reach
        self.left = Left()

    def experiments(self) -> Iterator[ImportedExperiment]:
        """See `Source`."""
        with connected(self._path) as database:
            try:
                rows = database.execute(
                    "SELECT experiment_id, name FROM experiments WHERE lifecycle_stage = 'active'"
                    " ORDER BY experiment_id"
                ).fetchall()
            except UNREADABLE as failure:
                raise StepwellException(
                    f"The experiments in {self._path} cannot be read: {failure}.", "INVALID_STATE"
                ) from None
            for experiment_id, name in rows:
                tags = "SELECT key, value FROM experiment_tags WHERE experiment_id = ?"
                pairs = self._some(database, f"tags of experiment {name!r}", tags, experiment_id)
                yield ImportedExperiment(str(name), {str(key): _text(value) for key, value in pairs})

    def runs(self) -> Iterator[ImportedRun]:
        """See `Source`."""
        with connected(self._path) as database:
            rows = self._some(
                database,
                "runs",
                "SELECT run_uuid, runs.name, status, start_time, end_time, user_id, experiments.name, artifact_uri"
                " FROM runs JOIN experiments USING (experiment_id)"
                " WHERE runs.lifecycle_stage = 'active' AND experiments.lifecycle_stage = 'active'"
                " ORDER BY start_time, run_uuid",
            )
            for row in rows:
                yield self._run(database, *row)

    def _run(
        self, database: sqlite3.Connection, run_id: Any, name: Any, status: Any, start: Any, end: Any, user: Any,
        experiment: Any, artifact_uri: Any,
    ) -> ImportedRun:  # fmt: skip
        own, whose = as_run_id(str(run_id)), f"run {run_id}"

        def tell(problem: str) -> None:
            self.left.add(f"{whose}: {problem}")

        def texts(kind: str, query: str) -> dict[str, str]:
            rows = self._some(database, f"{kind} of {whose}", query, run_id)
            return {str(key): _text(value) for key, value in rows}

        end_time_ms = time_of("end time", end, tell)
        return ImportedRun(
            source_id=own or f"mlflow {self._path} {run_id}",
            known_as=() if own else (str(run_id),),
            experiment=str(experiment),
            name=_text(name),
            status=status_of(status, end_time_ms, tell),
            start_time_ms=time_of("start time", start, tell) or 0,
            end_time_ms=end_time_ms,
            points=partial(self._points, run_id, whose),
            user=_text(user),
            params=texts("params", "SELECT key, value FROM params WHERE run_uuid = ?"),
            tags=texts("tags", "SELECT key, value FROM tags WHERE run_uuid = ?"),
            inputs=self._inputs(database, run_id),
            artifacts=mlflow_uri_artifacts(
                _text(artifact_uri), self._path.parent, self._artifacts, self._reach, self.left, whose
            ),
        )

    def _inputs(self, database: sqlite3.Connection, run_id: Any) -> Sequence[DatasetInput]:
        if not _has(database, "inputs", "datasets", "input_tags"):
            return ()
        rows = self._some(
            database,
            f"data sets of run {run_id}",
            "SELECT input_uuid, name, digest, dataset_source_type, dataset_source, dataset_schema, dataset_profile"
            " FROM inputs JOIN datasets ON dataset_uuid = source_id"
            " WHERE source_type = 'DATASET' AND destination_type = 'RUN' AND destination_id = ? ORDER BY input_uuid",
            run_id,
        )
        tags = "SELECT name, value FROM input_tags WHERE input_uuid = ? ORDER BY name"
        return [
            DatasetInput(
                Dataset(*map(_text, fields[:4]), *(None if it is None else str(it) for it in fields[4:])),
                [
                    InputTag(str(key), _text(value))
                    for key, value in self._some(database, "input tags", tags, uuid)
                ],
            )
            for uuid, *fields in rows
        ]

    def _points(self, run_id: Any, whose: str) -> Iterator[PointColumns]:
        try:
            with connected(self._path) as database:
                cursor = database.execute(
                    "SELECT key, step, timestamp, CASE WHEN is_nan THEN NULL ELSE value END"
                    " FROM metrics WHERE run_uuid = ? ORDER BY timestamp, key, step, value",
                    (run_id,),
                )
                while rows := cursor.fetchmany(ROWS_AT_ONCE):
                    points = (self._point(whose, *row) for row in rows)
                    yield columns([one for one in points if one is not None])
        except UNREADABLE as failure:
            raise SourceError(f"its points cannot be read: {failure}") from None

    def _point(
        self, whose: str, key: Any, step: Any, time: Any, value: Any
    ) -> tuple[str, int, int, float] | None:
        try:
            return point(str(key), step, time, value)
        except ValueError as failure:
            self.left.add(f"{whose}: a point of {key!r} is none: {failure}")
            return None

    def _some(self, database: sqlite3.Connection, what: str, query: str, *arguments: Any) -> list[Any]:
        """Return rows; none when they cannot be read, which is told."""
        try:
            return database.execute(query, arguments).fetchall()
        except UNREADABLE as failure:
            self.left.add(f"{what} in {self._path} cannot be read: {failure}")
            return []

    def models(self) -> Iterator[ImportedModel]:
        """See `Source`."""
        with connected(self._path) as database:
            if not _has(database, "inputs", *sqlite.TABLES):
                return

            def artifacts_at(uri: str, whose: str) -> ArtifactFiles:
                return mlflow_uri_artifacts(
                    uri, self._path.parent, self._artifacts, self._reach, self.left, whose
                )

            yield from sqlite.models_of(
                partial(self._some, database),
                partial(sqlite.source_id_of, f"mlflow {self._path}"),
                artifacts_at,
                self.left.add,
            )

    def registered(self) -> Iterator[ImportedRegistered]:
        """See `Source`."""
        with connected(self._path) as database:
            if not _has(database, "registered_models", "model_versions"):
                return
            tables = {
                table: self._rows(database, table) if _has(database, table) else []
                for table in REGISTRY_TABLES
            }
        yield from registered_of(tables, self.left.add)

    def _rows(self, database: sqlite3.Connection, table: str) -> list[dict[str, Any]]:
        """Return all rows of a table by the names of its columns; none when they cannot be read, which is told."""
        try:
            found = database.execute(f"SELECT * FROM {table}")  # noqa: S608 - one of REGISTRY_TABLES
            names = [column[0] for column in found.description]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
        except UNREADABLE as failure:
            self.left.add(f"{table} in {self._path} cannot be read: {failure}")
            return []

    def not_taken(self) -> Iterator[str]:
        """See `Source`: traces, which Stepwell does not keep yet."""
        with connected(self._path) as database:
            if _has(database, "trace_info"):
                for (count,) in self._some(database, "traces", "SELECT count(*) FROM trace_info"):
                    yield from traces(count)


def traces(count: int) -> Iterator[str]:
    """Yield what is said of traces that are not taken, if there are any."""
    if count:
        yield f"{count:,} traces: they are not imported yet"


def _has(database: sqlite3.Connection, *tables: str) -> bool:
    names = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
    return names.issuperset(tables)


def _text(value: Any) -> str:
    return "" if value is None else str(value)
