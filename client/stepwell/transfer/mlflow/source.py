"""Which kind of MLflow's stores is at a place."""

import os
import sqlite3
import urllib.parse
from collections.abc import Sequence
from pathlib import Path

from stepwell.errors import invalid
from stepwell.transfer.mlflow.artifact_server import ArtifactServer
from stepwell.transfer.mlflow.calls import without_password
from stepwell.transfer.mlflow.folder import MlflowFolder
from stepwell.transfer.mlflow.server import MlflowServer
from stepwell.transfer.mlflow.sqlite import UNREADABLE, MlflowSqlite, connected
from stepwell.transfer.reach import Reach
from stepwell.transfer.sources import Source

# Where MLflow keeps artifacts unless it is told otherwise: beside its database.
FOLDERS_BESIDE = ("mlruns", "mlartifacts")


def mlflow_source(location: str, artifacts: str | None = None, outside: Sequence[Path] = ()) -> Source:
    """Return the source at a place: http(s)://server, sqlite:///file, a .db file, or a folder.

    Args:
        location: the place.
        artifacts: the folder behind a server's mlflow-artifacts:/ (its --artifacts-destination), or the address of one
            that serves them.
        outside: what may be read beside a folder and what lies below it, or beside a database and the folders mlruns
            and mlartifacts next to it.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE when there is nothing that MLflow made.
    """
    if location.startswith(("http://", "https://")):
        return MlflowServer(location.rstrip("/"))
    path = _path(location)
    served = _served(artifacts)
    allowed = [*outside, *([served] if isinstance(served, Path) else [])]
    if os.path.lexists(path / "meta.yaml"):
        raise invalid(
            f"{location!r} is a part of MLflow's folder; name the folder of all experiments around it."
        )
    if path.is_file() and _is_database(path):
        beside = [path.absolute().parent / name for name in FOLDERS_BESIDE]
        return MlflowSqlite(path, served, Reach([*beside, *allowed]))
    if path.is_dir() and any(path.glob("*/meta.yaml")):
        return MlflowFolder(path, served, Reach([path, *allowed]))
    shown = without_password(location)
    raise invalid(
        f"There is no MLflow store at {shown!r}: name a .db file, an mlruns folder or an http:// server"
        " (also for other databases)."
    )


def _served(artifacts: str | None) -> Path | ArtifactServer | None:
    if artifacts is None:
        return None
    return ArtifactServer(artifacts) if "://" in artifacts else Path(artifacts)


def _path(location: str) -> Path:
    """Return the path of an address; %20 in it is a space, unless there is a file of just this name."""
    text = location
    for start in ("sqlite:///", "file://localhost/", "file://"):
        if location.startswith(start):
            text = location.removeprefix(start)
            text = f"/{text}" if start.endswith("localhost/") else text
            break
    else:
        return Path(location)
    plain = Path(text)
    return plain if plain.exists() else Path(urllib.parse.unquote(text.partition("?")[0]))


def _is_database(path: Path) -> bool:
    """Tell whether MLflow's tables are in a file."""
    try:
        with connected(path) as database:
            tables = "SELECT count(*) FROM sqlite_master WHERE name IN ('experiments', 'runs', 'metrics')"
            return bool(database.execute(tables).fetchone() == (3,))
    except sqlite3.OperationalError as failure:  # it is locked, for example
        raise invalid(f"{path} cannot be read: {failure}.") from None
    except UNREADABLE:
        return False
