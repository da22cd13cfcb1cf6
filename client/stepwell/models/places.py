"""From a model's URI to a local folder."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from stepwell.errors import StepwellException


def local_folder(model_uri: Any, dst_path: str | None = None) -> Path:
    """Return the folder of a model: a local one as it is, others fetched.

    Args:
        model_uri: a path, file:, runs:/<run id>/<path>, or what else artifacts can be fetched by.
        dst_path: where to put what is fetched; a new temporary folder if not given.

    Raises:
        StepwellException: RESOURCE_DOES_NOT_EXIST when nothing is there.
    """
    return local_path(model_uri, dst_path)


def local_path(uri: Any, dst_path: str | None = None) -> Path:
    """Return the file or folder of a URI of artifacts, as `local_folder` does."""
    text = os.fspath(uri)
    scheme = urlsplit(text).scheme
    if scheme == "file":
        return _existing(Path(unquote(urlsplit(text).path)), text)
    if len(scheme) <= 1:
        return _existing(Path(text), text)
    from stepwell.client import StepwellClient
    from stepwell.files import uris

    place = uris.parse(text)
    client = StepwellClient(place.tracking_uri)
    return Path(client.download_artifacts(place.run_id, place.path, dst_path))


def _existing(path: Path, given: str) -> Path:
    if not path.exists():
        raise StepwellException(f"There is nothing at {given!r}.", "RESOURCE_DOES_NOT_EXIST")
    return path
