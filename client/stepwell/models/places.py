"""From a model's URI to a local folder."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from stepwell.client import StepwellClient
from stepwell.errors import StepwellException
from stepwell.logged_models import fetching, uris


def local_folder(model_uri: Any, dst_path: str | None = None) -> Path:
    """Return the folder of a model: a local one as it is, others fetched.

    Args:
        model_uri: a path, file:, runs:/<run id>/<name>, models:/<name>/<version, stage or latest>,
            models:/<name>@<alias>, models:/m-<id>.
        dst_path: where to put what is fetched; if not given, into a temporary folder that goes with the process.

    Raises:
        StepwellException: RESOURCE_DOES_NOT_EXIST when nothing is there.
    """
    return local_path(model_uri, dst_path)


def local_path(uri: Any, dst_path: str | None = None) -> Path:
    """Return the file or folder of a URI of artifacts, as `local_folder` does."""
    text = os.fspath(uri)
    here = uris.local_path_of(text)
    if here is not None:
        return _existing(here, text)
    client, place = _asked(text)
    if place.local is not None and dst_path is None:
        return _existing(place.local, text)
    return Path(fetching.fetch(client, place, dst_path or _temporary()))


def source_of(model_uri: Any) -> str:
    """Return which model a URI means at this moment: the version of a stage, of an alias or of latest; else itself."""
    text = str(os.fspath(model_uri))
    if uris.local_path_of(text) is not None:
        return text
    _, place = _asked(text)
    if place.registered is not None:
        return f"models:/{'/'.join(place.registered)}"
    return text


def _asked(uri: str) -> tuple[StepwellClient, uris.Place]:
    client = StepwellClient()
    place = uris.resolve(uri, client)
    elsewhere = place.remote.tracking_uri if place.remote is not None else None
    return (StepwellClient(elsewhere) if elsewhere else client), place


def _temporary() -> str:
    folder = tempfile.mkdtemp(prefix="stepwell-model-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _existing(path: Path, given: str) -> Path:
    if not path.exists():
        raise StepwellException(f"There is nothing at {given!r}.", "RESOURCE_DOES_NOT_EXIST")
    return path
