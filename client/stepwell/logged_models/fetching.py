"""Files of runs and models, brought here."""

import shutil
from pathlib import Path
from typing import Any

from stepwell import settings
from stepwell.entities import FileInfo
from stepwell.errors import StepwellException
from stepwell.logged_models import uris
from stepwell.logged_models.uris import Place


def fetch_uri(client: Any, uri: object, dst_path: str | None = None) -> str:
    """Fetch what a URI means and return its local path; see `uris.resolve` and `fetch`."""
    return fetch(client, uris.resolve(uri, client), dst_path)


def fetch(client: Any, place: Place, dst_path: str | None = None) -> str:
    """Fetch files and return the local path of them.

    What lies here already stays where it is, unless `dst_path` says that it is to be copied there. With the files of a
    registered model comes the file `registered_model_meta`, which says its name and version.

    Raises:
        StepwellException: RESOURCE_DOES_NOT_EXIST when there is nothing.
    """
    local = place.local
    found = Path(_fetched(client, place, dst_path)) if local is None else _copied(local, dst_path)
    if place.registered is not None and found.is_dir() and found != local:
        meta = uris.registered_meta(*place.registered)
        (found / uris.REGISTERED_META_FILE).write_text(meta, encoding="utf-8")
    return str(found)


def listing(client: Any, place: Place) -> list[FileInfo]:
    """Return what is directly in a folder, in order; nothing for a file or what is not there."""
    if place.local is not None:
        return _local_listing(place.local)
    remote = place.remote
    assert remote is not None
    found: list[FileInfo] = client._list_artifacts(remote.run_id, remote.path)
    if not found and remote.path and place.logged_model_id is None:
        other = uris.newest_of_run(client, remote.run_id, remote.path)
        if other is not None and other.remote is not None:
            inside = client._list_artifacts(other.remote.run_id, other.remote.path)
            name = remote.path.partition("/")[0]
            return [FileInfo(f"{name}/{it.path}", it.is_dir, it.file_size) for it in inside]
    return found


def _fetched(client: Any, place: Place, dst_path: str | None) -> str:
    remote = place.remote
    assert remote is not None
    try:
        found: str = client._download_artifacts(remote.run_id, remote.path, dst_path)
    except StepwellException as failure:
        if failure.error_code != "RESOURCE_DOES_NOT_EXIST" or place.logged_model_id is not None:
            raise
        other = uris.newest_of_run(client, remote.run_id, remote.path)
        if other is None or other.remote is None:
            raise
        found = client._download_artifacts(other.remote.run_id, other.remote.path, dst_path)
    return found


def _copied(source: Path, dst_path: str | None) -> Path:
    if not source.exists():
        raise StepwellException(f"No such artifact: '{source}'", "RESOURCE_DOES_NOT_EXIST")
    if dst_path is None:
        return source
    folder = settings.local_folder(dst_path, "dst_path")
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / source.resolve().name
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        shutil.copyfile(source, target)
    return target


def _local_listing(folder: Path) -> list[FileInfo]:
    if not folder.is_dir():
        return []
    found = [
        FileInfo(it.name, it.is_dir(), None if it.is_dir() else it.stat().st_size) for it in folder.iterdir()
    ]
    return sorted(found, key=lambda info: info.path)
