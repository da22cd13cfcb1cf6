"""Which files a URI of a model or of artifacts means.

runs:/<run id>/<path>                     files of a run, and there of the newest model of that name
models:/m-<id>[/<path>]                   a logged model
models:/<name>/<version>[/<path>]         a registered model; instead of a version a stage, or `latest`, in any case
models:/<name>@<alias>[/<path>]           the version that has the alias
<artifact URI>/<path>                     as runs and logged models give it: stepwell-artifacts:/…, mlflow-artifacts:/…,
                                          s3://… or file:///…
file:///<folder>, <folder>                a local one
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from stepwell.errors import StepwellException, invalid
from stepwell.files import paths, uris
from stepwell.files.uris import ArtifactPlace

if TYPE_CHECKING:
    from stepwell.entities import LoggedModel

MODELS_SCHEME = "models"
# What a download of a registered model says of itself.
REGISTERED_META_FILE = "registered_model_meta"
# Versions of a registered model that say where their files are: at most so many steps, a copy of a copy of …
SOURCES_MAX = 20

_MODEL_ID = re.compile(r"m-[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where files are: locally, or of a run or logged model on a server.

    `registered` is name and version of the registered model that was asked for, `logged_model_id` the logged model.
    """

    local: Path | None = None
    remote: ArtifactPlace | None = None
    registered: tuple[str, str] | None = None

    @property
    def logged_model_id(self) -> str | None:
        """The logged model whose files these are, if its id was named."""
        owner = self.remote.run_id if self.remote is not None else ""
        return owner if _MODEL_ID.fullmatch(owner) else None


@dataclass(frozen=True, slots=True)
class ModelName:
    """What stands behind `models:/`: exactly one of `model_id`, `version`, `stage` (or "latest") and `alias`."""

    name: str = ""
    model_id: str = ""
    version: str = ""
    stage: str = ""
    alias: str = ""
    path: str = ""


def parse_models(uri: str) -> ModelName:
    """Take a URI of a model apart.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE for what is no such URI.
    """
    parts = urlsplit(uri)
    rest = uri.split(":", 1)[1].removeprefix(f"//{parts.netloc}").lstrip("/").removesuffix("/")
    first, _, behind = rest.partition("/")
    name, at, alias = first.partition("@")
    if at and name and alias:
        return ModelName(name=name, alias=alias, path=_path(behind))
    if at or not first:
        raise _no_models_uri(uri)
    if not behind or _MODEL_ID.fullmatch(first):
        return ModelName(model_id=first, path=_path(behind))
    word, _, path = behind.partition("/")
    if not word:
        raise _no_models_uri(uri)
    if word.isascii() and word.isdigit():
        return ModelName(name=first, version=word, path=_path(path))
    return ModelName(name=first, stage=word, path=_path(path))


def resolve(uri: object, client: Any) -> Place:
    """Return where the files of a URI are; `client` is the StepwellClient that is asked.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE for what is no such URI; RESOURCE_DOES_NOT_EXIST when there is no
            such model, version, stage or alias; INVALID_STATE when a logged model is not READY.
    """
    text = str(uri)
    scheme = urlsplit(text).scheme
    if scheme == MODELS_SCHEME:
        return _of_models(text, client)
    if len(scheme) <= 1 or (scheme == "file" and not uris.is_of_server(text)):  # a letter is a drive
        return Place(local=_local(text))
    return Place(remote=uris.parse(text))


def local_path_of(uri: object) -> Path | None:
    """Return the local file or folder that a URI means; None when it is on a server."""
    text = str(uri)
    scheme = urlsplit(text).scheme
    is_local = len(scheme) <= 1 or (scheme == "file" and not uris.is_of_server(text))
    return _local(text) if is_local else None


def newest_of_run(client: Any, run_id: str, path: str) -> Place | None:
    """Return where the newest READY model of a run is whose name a path begins with; None if there is none.

    For what the run itself does not show: it has files of its own that do not go together with the model's.
    """
    name, _, rest = path.partition("/")
    quoted = name.replace("'", "''")
    found = client.search_logged_models(
        None, f"source_run_id = '{run_id}' AND name = '{quoted}' AND status = 'READY'", max_results=1
    )
    return Place(remote=ArtifactPlace(found[0].model_id, rest)) if name and found else None


def registered_meta(name: str, version: str) -> str:
    """Return what a download of a registered model says of itself, as YAML."""
    return f"model_name: {_quoted(name)}\nmodel_version: {_quoted(version)}\n"


def _of_models(uri: str, client: Any) -> Place:
    named = parse_models(uri)
    if named.model_id:
        return Place(remote=_of_logged(client, named.model_id, named.path))
    version = version_of(named, client)
    place = _source_of(client, named.name, version)
    if place.remote is not None:
        remote = ArtifactPlace(
            place.remote.run_id, paths.joined(place.remote.path, named.path), place.remote.tracking_uri
        )
        return Place(remote=remote, registered=(named.name, version))
    local = place.local / named.path if place.local is not None else None
    return Place(local=local, registered=(named.name, version))


def logged_model(client: Any, model_id: str) -> "LoggedModel":
    """Return the logged model that is named where a registered one would say its version, too."""
    if not _MODEL_ID.fullmatch(model_id):
        raise StepwellException(
            f"Logged model with ID '{model_id}' not found. Of a registered model, say which version:"
            f" models:/{model_id}/latest",
            "RESOURCE_DOES_NOT_EXIST",
        )
    found: LoggedModel = client.get_logged_model(model_id)
    return found


def _of_logged(client: Any, model_id: str, path: str) -> ArtifactPlace:
    model = logged_model(client, model_id)
    if str(model.status) != "READY":
        reason = f": {model.status_message}" if model.status_message else ""
        raise StepwellException(
            f"Logged model {model_id} is {model.status}{reason}; only a READY one is complete.",
            "INVALID_STATE",
        )
    return ArtifactPlace(model_id, path)


def version_of(named: ModelName, client: Any) -> str:
    """Return the version of a registered model that a URI means."""
    if named.version:
        return named.version
    if named.alias:
        return str(client.get_model_version_by_alias(named.name, named.alias).version)
    if named.stage.lower() == "latest":
        found = client.get_latest_versions(named.name)
    else:
        found = client.get_latest_versions(named.name, [named.stage])
    if not found:
        stage = "" if named.stage.lower() == "latest" else f" and stage '{named.stage}'"
        raise StepwellException(
            f"No versions of model with name '{named.name}'{stage} found", "RESOURCE_DOES_NOT_EXIST"
        )
    return str(max(int(it.version) for it in found))


def _source_of(client: Any, name: str, version: str) -> Place:
    """Return where the files of a version are; its source may be another version."""
    for _ in range(SOURCES_MAX):
        source = client.get_model_version_download_uri(name, version)
        if urlsplit(source).scheme != MODELS_SCHEME:
            return resolve(source, client)
        named = parse_models(source)
        if named.model_id:
            return Place(remote=_of_logged(client, named.model_id, named.path))
        name, version = named.name, version_of(named, client)
    raise invalid(f"The source of version {version} of model {name!r} leads in a circle.")


def _local(text: str) -> Path:
    parts = urlsplit(text)
    return Path(unquote(parts.path)) if parts.scheme == "file" else Path(text)


def _path(text: str) -> str:
    return paths.check_folder(text.removesuffix("/"))


def _quoted(text: str) -> str:
    """Return a text as YAML that is no number and no other word: in single quotes."""
    return "'" + text.replace("'", "''") + "'"


def _no_models_uri(uri: str) -> StepwellException:
    return invalid(
        f"Not a proper models:/ URI: {uri}. Models URIs must be of the form 'models:/model_name/suffix' or "
        "'models:/model_name@alias' where suffix is a model version, stage, or the string 'latest' and where alias is "
        "a registered model alias, or 'models:/m-<model id>'. Only one of suffix or alias can be defined at a time."
    )
