"""Listing and fetching artifacts: what scripts import as mlflow.artifacts."""

import tempfile
from pathlib import Path
from typing import Any

from stepwell import settings, values
from stepwell.client import StepwellClient
from stepwell.entities import FileInfo
from stepwell.errors import StepwellException, invalid, short
from stepwell.files import formats
from stepwell.files.elsewhere import fetching as elsewhere
from stepwell.files.uris import ArtifactPlace
from stepwell.logged_models import fetching, uris
from stepwell.logged_models.uris import Place

__all__ = ["download_artifacts", "list_artifacts", "load_dict", "load_image", "load_text"]


@short
def download_artifacts(
    artifact_uri: str | None = None,
    run_id: str | None = None,
    artifact_path: str | None = None,
    dst_path: str | None = None,
    tracking_uri: str | None = None,
    registry_uri: str | None = None,
) -> str:
    """Fetch a file or a folder of a run or a model and return its local path.

    Args:
        artifact_uri: runs:/<run id>/<path>, models:/m-<id>, models:/<name>/<version, stage or latest>,
            models:/<name>@<alias>, or what get_artifact_uri() returned; for files elsewhere https://, s3://, gs://, az://
            or sftp:// (with the extras s3, gcs, azure, sftp); a local path is returned as it is, or copied when
            `dst_path` is given.
        run_id: the run, instead of a URI.
        artifact_path: the file or folder in the run, beside `run_id`; all of it if not given.
        dst_path: local folder, made if missing; a new temporary one if not given.
        tracking_uri: another server than the usual one.
        registry_uri: not used.

    Raises:
        StepwellException: RESOURCE_DOES_NOT_EXIST; INVALID_PARAMETER_VALUE when not exactly one of `artifact_uri`
            and `run_id` is given.
    """
    if elsewhere.is_elsewhere(artifact_uri) and run_id is None and artifact_path is None:
        chosen = None if dst_path is None else settings.local_folder(dst_path, "dst_path")
        return str(elsewhere.fetch(str(artifact_uri), chosen or Path(tempfile.mkdtemp(prefix="stepwell-"))))
    place, client = _place(artifact_uri, run_id, artifact_path, tracking_uri)
    return fetching.fetch(client, place, dst_path)


@short
def list_artifacts(
    artifact_uri: str | None = None,
    run_id: str | None = None,
    artifact_path: str | None = None,
    tracking_uri: str | None = None,
) -> list[FileInfo]:
    """Return what is directly in a folder of a run or a model; arguments as in download_artifacts."""
    if elsewhere.is_elsewhere(artifact_uri):
        raise StepwellException(
            f"{artifact_uri!r} is not of a run or a model, and is not listed; download_artifacts fetches it.",
            "NOT_IMPLEMENTED",
        )
    place, client = _place(artifact_uri, run_id, artifact_path, tracking_uri)
    return fetching.listing(client, place)


@short
def load_text(artifact_uri: str) -> str:
    """Return a file of UTF-8 text."""
    return _read(artifact_uri).decode()


@short
def load_dict(artifact_uri: str) -> Any:
    """Return what a file of JSON or YAML says."""
    return formats.parsed_dict(_read(artifact_uri).decode(), artifact_uri)


@short
def load_image(artifact_uri: str) -> Any:
    """Return a file as an image of Pillow."""
    pillow = formats.optional("PIL.Image", "Pillow", "load_image")
    with tempfile.TemporaryDirectory(prefix="stepwell-") as folder:
        image = pillow.open(download_artifacts(artifact_uri, dst_path=folder))
        image.load()  # now, because the file goes
    return image


def _read(artifact_uri: str) -> bytes:
    with tempfile.TemporaryDirectory(prefix="stepwell-") as folder:
        path = Path(download_artifacts(artifact_uri, dst_path=folder))
        if path.is_dir():
            raise invalid(f"{artifact_uri} is a folder; name a file in it.")
        return path.read_bytes()


def _place(
    artifact_uri: str | None, run_id: str | None, artifact_path: str | None, tracking_uri: str | None
) -> tuple[Place, StepwellClient]:
    """Return what is meant, and the client of the server that has it."""
    if (artifact_uri is None) == (run_id is None):
        raise invalid("Exactly one of `artifact_uri` or `run_id` must be specified.")
    client = StepwellClient(tracking_uri)
    if artifact_uri is None:
        return Place(remote=ArtifactPlace(values.to_run_id(run_id), str(artifact_path or ""))), client
    if artifact_path is not None:
        raise invalid("`artifact_path` cannot be specified if `artifact_uri` is specified.")
    place = uris.resolve(artifact_uri, client)
    other = place.remote.tracking_uri if place.remote is not None and tracking_uri is None else None
    return place, StepwellClient(other) if other else client
