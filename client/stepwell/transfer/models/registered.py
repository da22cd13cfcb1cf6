"""The registry of a source: registered models and versions, with the numbers that they have there.

A registered model that is here already stays as it is, and gets the versions that it lacks; one whose versions are
others is another one, and nothing is mixed with it. A version that cannot come keeps nothing else back.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from stepwell.client import StepwellClient
from stepwell.entities.model_registry import RegisteredModel
from stepwell.errors import StepwellException
from stepwell.registry import messages
from stepwell.registry.calls import IMPORTED, RegistryCalls
from stepwell.transfer.imported_experiments import reason_of
from stepwell.transfer.imported_runs import run_id_of
from stepwell.transfer.left import Left
from stepwell.transfer.models.imported import model_id_of
from stepwell.transfer.sources import ImportedRegistered, ImportedVersion, SourceError
from stepwell.wire.messages import to_tags
from stepwell_api.v1 import registry_pb2

_LOGGED = re.compile(r"(?:^models:/+|/)m-(?P<id>[0-9a-f]{32})(?:/artifacts)?(?P<path>/.*)?$")
_OF_RUN = re.compile(r"(?:^runs:/+|/)(?P<id>[0-9a-f]{32})(?:/artifacts)?(?P<path>/.*)?$")
_ELSEWHERE = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+://")


class RegistryImporter:
    """Brings registered models, behind the runs and logged models that they are of; counts their new versions."""

    def __init__(self, uri: str, left: Left) -> None:
        self._client = StepwellClient(uri, uri)
        self._calls = RegistryCalls(uri)
        self._left = left
        self.versions = 0

    def bring(self, model: ImportedRegistered) -> None:
        """Bring one registered model.

        Raises:
            StepwellException: the server cannot be reached, or can take nothing now.
        """
        with self._telling(f"registered model {model.name!r}"):
            here = self._begun(model)
            for version in sorted(model.versions, key=lambda it: it.version):
                if version.version not in here:
                    with self._telling(f"version {version.version} of registered model {model.name!r}"):
                        self._bring_version(model.name, version)
            self._bring_aliases(model, self._client.get_registered_model(model.name))

    def _begun(self, model: ImportedRegistered) -> Mapping[int, registry_pb2.ModelVersion]:
        """Make sure that the registered model is there; returns the versions that it has already.

        Raises:
            SourceError: there is another one of its name.
        """
        request = registry_pb2.CreateRegisteredModelRequest(
            name=model.name,
            description=model.description,
            tags=to_tags(model.tags),
            custom_stages=model.custom_stages,
            creation_time_ms=max(model.created_ms, 0),
            history=map(messages.change_back, model.history),
        )
        try:
            self._calls.import_model(request)
        except StepwellException as failure:
            if failure.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        else:
            return {}
        quoted = model.name.replace("'", "''")
        here = {it.version: it for it in self._calls.all_versions(f"name = '{quoted}'")}
        common = [(it, here[it.version]) for it in model.versions if it.version in here]
        other = next((ours for theirs, ours in common if not _is_same(theirs, ours)), None)
        if other is not None or (here and not common):
            which = f"version {other.version} is of {other.source}" if other is not None else "other versions"
            raise SourceError(
                f"there is another registered model of this name here ({which}); nothing of it was imported. Rename one"
                " of the two, and import again"
            )
        return here

    def _bring_version(self, name: str, version: ImportedVersion) -> None:
        request = registry_pb2.CreateModelVersionRequest(
            name=name,
            version=version.version,
            source=_source_here(version.source),
            run_id=self._run_here(version.run),
            run_link=version.run_link,
            description=version.description,
            tags=to_tags(version.tags),
            creation_time_ms=max(version.created_ms, 0),
            user=version.user,
        )
        self._calls.create_version(request, IMPORTED)
        self.versions += 1
        if version.stage not in ("", "None"):
            self._client.transition_model_version_stage(
                name, version.version, version.stage, comment=IMPORTED
            )

    def _bring_aliases(self, model: ImportedRegistered, here: RegisteredModel) -> None:
        for alias, version in model.aliases.items():
            if alias not in here.aliases:
                with self._telling(f"alias {alias} of registered model {model.name!r}"):
                    self._client.set_registered_model_alias(model.name, alias, version, comment=IMPORTED)

    def _run_here(self, source_run: str) -> str:
        """Return the run of a version, if it is here."""
        if source_run:
            try:
                return self._client.get_run(run_id_of(source_run)).info.run_id
            except StepwellException as failure:
                if failure.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise
        return ""

    @contextmanager
    def _telling(self, what: str) -> Iterator[None]:
        """Tell of what fails in the context and let the import go on, unless the server is in trouble."""
        try:
            yield
        except SourceError as failure:
            self._left.add(f"{what}: {failure}")
        except (StepwellException, ValueError) as failure:
            self._left.add(f"{what}: {reason_of(failure)}")


def _is_same(theirs: ImportedVersion, ours: registry_pb2.ModelVersion) -> bool:
    """Tell whether a version here is that of a source: of the same files, or imported from it."""
    try:
        wanted = _source_here(theirs.source)
    except SourceError:
        return False
    return _files(wanted) in (_files(ours.source), _files(ours.storage_uri))


def _files(uri: str) -> tuple[str, str]:
    """Return whose files a URI means, and which; what is elsewhere is its own."""
    found = _LOGGED.search(uri) or _OF_RUN.search(uri)
    return (found["id"], (found["path"] or "").strip("/")) if found else (uri, "")


def _source_here(source: str) -> str:
    """Return where the files of a version are here. Raises SourceError: they did not come."""
    logged, of_run = _LOGGED.search(source), _OF_RUN.search(source)
    if logged:
        return f"models:/{model_id_of('m-' + logged['id'])}{logged['path'] or ''}"
    if of_run:
        return f"runs:/{run_id_of(of_run['id'])}{of_run['path'] or ''}"
    if source.startswith("models:") or (_ELSEWHERE.match(source) and not source.startswith("file:")):
        return source
    raise SourceError(f"its files are at {source!r}, on a machine, and not in a run; they stay there")
