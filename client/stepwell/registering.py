"""Fluent functions about registered models, and how what was logged becomes a version."""

from collections.abc import Callable, Mapping
from logging import getLogger
from typing import TYPE_CHECKING, Any, TypeVar

from stepwell import settings
from stepwell.client import StepwellClient
from stepwell.entities import PagedList
from stepwell.errors import StepwellException, short
from stepwell.files import paths, uris
from stepwell.logged_models import uris as model_uris
from stepwell.registry import checks
from stepwell.registry.methods import create_if_missing

if TYPE_CHECKING:
    from stepwell.entities.model_registry import ModelVersion, RegisteredModel

MODEL_FILE = "MLmodel"
PAGE_SIZE = 1_000

_log = getLogger("stepwell")

T = TypeVar("T")


@short
def register_model(
    model_uri: str,
    name: str,
    await_registration_for: float | None = 300,
    *,
    tags: Mapping[str, Any] | None = None,
    env_pack: Any = None,
) -> "ModelVersion":
    """Make a version of a registered model, which is created if it is not there, of a model that was logged.

    Args:
        model_uri: runs:/<run id>/<path>, models:/<model id>, models:/<name>/<version> or an artifact URI.
        name: of the registered model.
        await_registration_for: not needed: a version can be used when it is there.
        tags: of the version.
        env_pack: not kept.

    Raises:
        StepwellException: RESOURCE_DOES_NOT_EXIST when no model is there, INVALID_PARAMETER_VALUE.
    """
    return make_version(StepwellClient(), str(model_uri), name, tags)


def make_version(
    client: StepwellClient, model_uri: str, name: str, tags: Mapping[str, Any] | None = None
) -> "ModelVersion":
    """Do what `register_model` does, with the servers of a client."""
    source, run_id = _source(client, model_uri)
    if create_if_missing(client, checks.name(name)):
        _log.info("Registered model %r is new.", name)
    return client.create_model_version(name, source, run_id, tags)


@short
def search_registered_models(
    max_results: int | None = None,
    filter_string: str | None = None,
    order_by: list[str] | None = None,
) -> "list[RegisteredModel]":
    """Return the registered models that a filter finds (docs/search.md), by name unless ordered; None means all."""
    client = StepwellClient()
    return _all(
        max_results,
        lambda size, token: client.search_registered_models(filter_string, size, order_by, token),
    )


@short
def search_model_versions(
    max_results: int | None = None,
    filter_string: str | None = None,
    order_by: list[str] | None = None,
) -> "list[ModelVersion]":
    """Return the versions that a filter finds (docs/search.md), the one that changed last first unless ordered."""
    client = StepwellClient()
    return _all(
        max_results,
        lambda size, token: client.search_model_versions(filter_string, size, order_by, token),
    )


@short
def set_model_version_tag(
    name: str, version: int | str | None = None, key: str | None = None, value: Any = None
) -> None:
    """Set a tag of a version."""
    StepwellClient().set_model_version_tag(name, version, key, value)


@short
def set_registry_uri(uri: str | None) -> None:
    """Name another server for registered models, here and in processes that are started from here; None: no other."""
    settings.set_registry_uri(None if uri is None else str(uri))


@short
def get_registry_uri() -> str:
    """Return the URI of the server with the registered models: that of the tracking URI, unless another is named."""
    return settings.registry_uri() or settings.tracking_uri()


def _all(max_results: int | None, ask: Callable[[int, str | None], PagedList[T]]) -> list[T]:
    found: list[T] = []
    token = None
    while True:
        size = PAGE_SIZE if max_results is None else min(PAGE_SIZE, max_results - len(found))
        page = ask(size, token)
        found += page
        token = page.token
        if token is None or (max_results is not None and len(found) >= max_results):
            return found


def _source(client: StepwellClient, model_uri: str) -> tuple[str, str | None]:
    """Return the source of a version, and its run; look first whether it is there, so that a mistake leaves nothing."""
    if model_uri.startswith("models:"):
        named = model_uris.parse_models(model_uri)
        if named.name:
            client.get_model_version(named.name, model_uris.version_of(named, client))
        else:
            model_uris.logged_model(client, named.model_id)
    if not model_uri.startswith("runs:"):
        return model_uri, None
    place = uris.parse(model_uri)
    run = client.get_run(place.run_id)
    path = paths.joined(place.path, MODEL_FILE)
    folder = client.list_artifacts(place.run_id, place.path or None)
    if not any(file.path == path for file in folder):
        raise StepwellException(
            f"There is no model at {model_uri!r}: no file {MODEL_FILE} is there. Name the folder that log_model() made"
            f"{_found(client, place.run_id)}.",
            "RESOURCE_DOES_NOT_EXIST",
        )
    return paths.joined(run.info.artifact_uri, place.path), place.run_id


def _found(client: StepwellClient, run_id: str) -> str:
    """Return which folders the run has, to choose from."""
    folders = [file.path for file in client.list_artifacts(run_id) if file.is_dir][:10]
    return f"; the run has {', '.join(folders)}" if folders else "; the run has no folders"
