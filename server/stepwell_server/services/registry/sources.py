"""Where the files of a version are: what its source may be, and what follows from it.

runs:/<run id>/<path>                      of a run
stepwell-artifacts:/…/<run id>/artifacts/… the same, as the artifact URI of a run says it
models:/<name>/<version, stage, latest>    of another version, also models:/<name>@<alias>
models:/m-<id>                             of a logged model
s3://…, https://…, …                       somewhere else; the client has to reach it

A path of one machine is refused: others would not find it, and nobody shall read the server's own files. It is let
through below the artifact location of the run that it belongs to.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from urllib.parse import unquote
from uuid import UUID

from stepwell_server.errors import InvalidArgumentError, NotFoundError
from stepwell_server.model.logged_models import model_name
from stepwell_server.model.registry import (
    MODEL_ID_CHARS_MAX,
    RUN_LINK_CHARS_MAX,
    SOURCE_CHARS_MAX,
    ModelVersion,
    VersionSpec,
)
from stepwell_server.services.validation import check_text, shown
from stepwell_server.store.ports.models import LoggedModelStore
from stepwell_server.store.ports.tracking import RunStore

_RUN_ID = re.compile(r"[0-9a-f]{32}")
_OF_RUN = re.compile(
    r"(?:^runs:/+(?:[^/]+:\d+/)?|/(?=[0-9a-f]{32}/artifacts(?:/|$)))(?P<run_id>[0-9a-f]{32})(?:/|$)"
)
# One letter is a drive.
_SCHEME = re.compile(r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]+):")
_VERSION = re.compile(r"models:/+(?:(?P<name>[^/]+)/(?P<which>[^/]+)|(?P<of>[^/]+)(?P<alias>@[^/@]+))/?")
# A logged model; it has no name before it.
_LOGGED = re.compile(r"models:/+m-(?P<model_id>[0-9a-f]{32})(?P<path>/.*)?")

# Where files are in the end: of a logged model, of a run.
_IN_MODEL = re.compile(r"(?:^models:/+|/)m-(?P<id>[0-9a-f]{32})(?:/artifacts)?(?P<path>/.*)?$")
_IN_RUN = re.compile(
    r"(?:^runs:/+(?:[^/]+:\d+/)?(?P<id>[0-9a-f]{32})|/(?P<of>[0-9a-f]{32})/artifacts)(?P<path>/.*)?$"
)


class Sources:
    """Completes what is known of a version from its source. `find` returns the version that a URI names."""

    def __init__(
        self,
        runs: RunStore,
        models: LoggedModelStore,
        find: Callable[[str, str], Awaitable[ModelVersion]],
    ) -> None:
        self._runs = runs
        self._models = models
        self._find = find

    async def resolved(self, spec: VersionSpec) -> VersionSpec:
        """Return a spec with its storage URI, whose files these are, and run and model as far as the source says them.

        Raises:
            InvalidArgumentError: the source may not be one, or there is no such run.
            NotFoundError: the source is a version or a logged model that there is not.
        """
        if spec.source.startswith("models:"):
            spec = await self._of_model(spec)
        spec = replace(spec, storage_uri=spec.storage_uri or spec.source)
        found = _OF_RUN.search(spec.storage_uri)
        named = spec.run_id or (found["run_id"] if found else "")
        artifact_uri = await self._artifact_uri(named, needed=bool(spec.run_id)) if named else ""
        if _is_local(spec.storage_uri) and not _lies_in(spec.storage_uri, artifact_uri):
            raise InvalidArgumentError(
                f"Invalid model version source: {shown(spec.source)}. A path of one machine has to lie in the"
                " artifacts of the run that made it; log the model to a run and register runs:/<run id>/<path>"
            )
        spec = replace(spec, run_id=spec.run_id or (named if artifact_uri else ""))
        return await self._with_files(spec)

    async def _with_files(self, spec: VersionSpec) -> VersionSpec:
        """Return a spec that says whose its files are, if they are here.

        What a run shows of a logged model is that model's: the version stays with it when the run shows another one.
        """
        logged = _IN_MODEL.search(spec.storage_uri)
        if logged:
            return replace(spec, files_of=UUID(hex=logged["id"]), files_path=_path(logged["path"]))
        found = _IN_RUN.search(spec.storage_uri)
        if found is None:
            return spec
        run_id, path = UUID(hex=found["id"] or found["of"]), _path(found["path"])
        shown_model = await self._models.shown_in(run_id, path)
        if shown_model is None:
            return replace(spec, files_of=run_id, files_path=path)
        below = path.removeprefix(shown_model.name)
        return replace(
            spec,
            storage_uri=f"{shown_model.artifact_uri}{below}",
            model_id=spec.model_id or model_name(shown_model.model_id),
            files_of=shown_model.model_id,
            files_path=below.removeprefix("/"),
        )

    async def _of_model(self, spec: VersionSpec) -> VersionSpec:
        logged = _LOGGED.fullmatch(spec.source)
        if logged:
            model = await self._models.get(UUID(hex=logged["model_id"]))
            return replace(
                spec,
                storage_uri=f"{model.artifact_uri}{logged['path'] or ''}".rstrip("/"),
                run_id=spec.run_id or (model.source_run_id.hex if model.source_run_id else ""),
                model_id=spec.model_id or f"m-{logged['model_id']}",
            )
        named = _VERSION.fullmatch(spec.source)
        if named is None:
            raise InvalidArgumentError(
                f"Invalid model version source: {shown(spec.source)}. Of models there are models:/<name>/<version>,"
                " models:/<name>@<alias> and models:/<model id>"
            )
        version = await self._find(named["name"] or named["of"], named["which"] or named["alias"])
        return replace(
            spec,
            storage_uri=version.storage_uri,
            run_id=spec.run_id or version.run_id,
            model_id=spec.model_id or version.model_id,
        )

    async def _artifact_uri(self, run_id: str, *, needed: bool) -> str:
        """Return where the artifacts of a run are; "" where no such run is needed."""
        if _RUN_ID.fullmatch(run_id):
            try:
                return (await self._runs.get_run_info(UUID(hex=run_id))).artifact_uri
            except NotFoundError:
                pass
        if needed:
            raise InvalidArgumentError(
                f"there is no run with the id {shown(run_id)}; the version cannot be of it"
            )
        return ""


def registered_model_of(source: str) -> str | None:
    """Return the name of the registered model whose version a source is, if it is one."""
    named = None if _LOGGED.fullmatch(source) else _VERSION.fullmatch(source)
    return named and (named["name"] or named["of"])


def check_spec(spec: VersionSpec) -> None:
    """Check the texts of a version. Raises InvalidArgumentError for the first that cannot be stored or looks wrong."""
    if not spec.source:
        raise InvalidArgumentError(
            "a version needs a source: where its files are, for example runs:/<run id>/model"
        )
    check_text("the source of a version", spec.source, SOURCE_CHARS_MAX)
    check_text("the run link of a version", spec.run_link, RUN_LINK_CHARS_MAX)
    check_text("the model id of a version", spec.model_id, MODEL_ID_CHARS_MAX)
    if ".." in re.split(r"[/\\]", unquote(unquote(spec.source))):
        raise InvalidArgumentError(
            f"Invalid model version source: {shown(spec.source)}. A source has no '..' in its path"
        )


def _path(found: str | None) -> str:
    return (found or "").strip("/")


def _is_local(uri: str) -> bool:
    found = _SCHEME.match(uri)
    return found is None or found["scheme"].lower() == "file"


def _lies_in(uri: str, artifact_uri: str) -> bool:
    plain, around = uri.removeprefix("file://"), artifact_uri.removeprefix("file://")
    return bool(around) and _is_local(artifact_uri) and (plain == around or plain.startswith(f"{around}/"))
