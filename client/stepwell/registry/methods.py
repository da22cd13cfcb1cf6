"""The part of StepwellClient that is about the registry of models."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from stepwell import beside, settings
from stepwell.entities import PagedList
from stepwell.errors import StepwellException, invalid
from stepwell.registry import checks
from stepwell.registry.stage_methods import StageMethods
from stepwell.registry.webhook_methods import WebhookMethods

if TYPE_CHECKING:
    from stepwell.entities.model_registry import ModelVersion, RegisteredModel, RegistryChange
    from stepwell.registry.calls import RegistryCalls

MODELS_PAGE_SIZE_DEFAULT = 100
LATEST = "latest"  # stands for the version with the greatest number
VERSIONS_PAGE_SIZE_DEFAULT = 10_000


class RegistryMethods(StageMethods, WebhookMethods):
    """Registered models and their versions, by name and number. `version` may be a number or its digits."""

    def create_registered_model(
        self,
        name: str,
        tags: Mapping[str, Any] | None = None,
        description: str | None = None,
        deployment_job_id: Any = None,
        *,
        custom_stages: Sequence[str] = (),
    ) -> "RegisteredModel":
        """Create a registered model; RESOURCE_ALREADY_EXISTS when there is one of this name.

        `custom_stages` are stages beside None, Staging, Production and Archived. `deployment_job_id` is not kept.
        """
        return self._registry.create_model(
            checks.name(name), checks.tags(tags), checks.text(description), list(custom_stages)
        )

    def get_registered_model(self, name: str) -> "RegisteredModel":
        """Return a registered model; RESOURCE_DOES_NOT_EXIST when there is none."""
        return self._registry.get_model(checks.name(name))

    def rename_registered_model(self, name: str, new_name: str) -> "RegisteredModel":
        """Rename a registered model with all its versions; RESOURCE_ALREADY_EXISTS when the new name is taken."""
        return self._registry.update_model(checks.name(name), new_name=checks.name(new_name, "new name"))

    def update_registered_model(
        self,
        name: str,
        description: str | None = None,
        deployment_job_id: Any = None,
        *,
        custom_stages: Sequence[str] | None = None,
    ) -> "RegisteredModel":
        """Change the description, and the stages of its own, where they are given."""
        return self._registry.update_model(
            checks.name(name), description=description, custom_stages=custom_stages
        )

    def delete_registered_model(self, name: str) -> None:
        """Delete a registered model with all its versions, for good; the runs and their files stay."""
        self._registry.delete_model(checks.name(name))

    def search_registered_models(
        self,
        filter_string: str | None = None,
        max_results: int = MODELS_PAGE_SIZE_DEFAULT,
        order_by: list[str] | None = None,
        page_token: str | None = None,
    ) -> "PagedList[RegisteredModel]":
        """Return a page of registered models, by name unless ordered; `token` of the page asks for the next one.

        For example "name LIKE 'fraud%' AND tags.team = 'risk'" (docs/search.md).
        """
        from stepwell.reading import paging
        from stepwell_api.v1.registry_pb2 import SearchRegisteredModelsRequest

        request = SearchRegisteredModelsRequest(
            filter=filter_string or "", order_by=order_by or (), page_token=page_token or ""
        )
        return paging.page(request, max_results, self._registry.search_models)

    def set_registered_model_tag(self, name: str, key: str, value: Any) -> None:
        """Set a tag of a registered model."""
        self._registry.update_model(checks.name(name), tags={key: checks.tag_value(value)})

    def delete_registered_model_tag(self, name: str, key: str) -> None:
        """Remove a tag of a registered model; none is no error."""
        self._registry.delete_model_tag(checks.name(name), key)

    def create_model_version(
        self,
        name: str,
        source: str,
        run_id: str | None = None,
        tags: Mapping[str, Any] | None = None,
        run_link: str | None = None,
        description: str | None = None,
        await_creation_for: float | None = 300,
        local_model_path: Any = None,
        *,
        model_id: str | None = None,
    ) -> "ModelVersion":
        """Create the next version of a registered model.

        Args:
            name: of the registered model, which exists (register_model also creates it).
            source: where the files are: runs:/<run id>/<path>, models:/<name>/<version> or an artifact URI.
            run_id: the run that made it; what the source says if not given.
            tags: its first tags.
            run_link: an address of the run, for people.
            description: a text.
            await_creation_for: not needed: a version can be used when it is there.
            local_model_path: not needed.
            model_id: the logged model that it is; what the source says if not given.
        """
        from stepwell_api.v1.registry_pb2 import CreateModelVersionRequest
        from stepwell_api.v1.runs_pb2 import Tag

        request = CreateModelVersionRequest(
            name=checks.name(name),
            source=checks.text(source),
            run_id=run_id or "",
            model_id=model_id or "",
            run_link=run_link or "",
            description=description or "",
            tags=[Tag(key=key, value=value) for key, value in checks.tags(tags).items()],
        )
        return self._registry.create_version(request)

    def copy_model_version(self, src_model_uri: str, dst_name: str) -> "ModelVersion":
        """Make a version of another registered model of a version; that model is created if it is not there.

        `src_model_uri` is models:/<name>/<version>, or with a stage or @alias. Tags and aliases are not copied.
        """
        source = self._version_of(src_model_uri)
        create_if_missing(self, checks.name(dst_name, "name of the copy"))
        return self.create_model_version(
            dst_name,
            f"models:/{source.name}/{source.version}",
            source.run_id,
            run_link=source.run_link,
            description=source.description,
            model_id=source.model_id,
        )

    def get_model_version(self, name: str, version: int | str) -> "ModelVersion":
        """Return a version; RESOURCE_DOES_NOT_EXIST when there is none."""
        return self._registry.get_version(checks.name(name), checks.version(version))

    def get_model_version_download_uri(self, name: str, version: int | str) -> str:
        """Return where the files of a version are."""
        return self._registry.storage_uri(checks.name(name), checks.version(version))

    def get_model_version_stages(self, name: str, version: int | str) -> list[str]:
        """Return the stages that a version may be in."""
        from stepwell.entities.model_registry.model_version_stages import ALL_STAGES

        return [*ALL_STAGES, *self.get_registered_model(name).custom_stages]

    def update_model_version(
        self, name: str, version: int | str, description: str | None = None
    ) -> "ModelVersion":
        """Change the description of a version."""
        return self._registry.update_version(checks.name(name), checks.version(version), description)

    def delete_model_version(self, name: str, version: int | str) -> None:
        """Delete a version and the aliases that stand for it; its number is not given again."""
        self._registry.delete_version(checks.name(name), checks.version(version))

    def search_model_versions(
        self,
        filter_string: str | None = None,
        max_results: int = VERSIONS_PAGE_SIZE_DEFAULT,
        order_by: list[str] | None = None,
        page_token: str | None = None,
    ) -> "PagedList[ModelVersion]":
        """Return a page of versions, the one that changed last first unless ordered.

        For example "name = 'fraud' AND stage = 'Production'" (docs/search.md).
        """
        from stepwell.reading import paging
        from stepwell_api.v1.registry_pb2 import SearchModelVersionsRequest

        request = SearchModelVersionsRequest(
            filter=filter_string or "", order_by=order_by or (), page_token=page_token or ""
        )
        return paging.page(request, max_results, self._registry.search_versions)

    def registry_changes(
        self,
        name: str | None = None,
        version: int | str | None = None,
        max_results: int = 100,
        *,
        after: int | None = None,
    ) -> "list[RegistryChange]":
        """Return what changed: of one registered model, also of a deleted one, or of all of them.

        Args:
            name: of the registered model; None for all.
            version: only what changed of this version.
            max_results: at most this many, 1 to 1,000.
            after: the number of a change: those after it, the oldest first. Without, the latest come first.
        """
        from stepwell_api.v1.registry_pb2 import ListChangesRequest

        request = ListChangesRequest(
            name=name or "",
            version=None if version is None else checks.version(version),
            position=after or 0,
            oldest_first=after is not None,
            limit=max_results,
        )
        return self._registry.changes(request)[0]

    def _version_of(self, uri: object) -> "ModelVersion":
        """Return the version that a URI names; RESOURCE_DOES_NOT_EXIST when there is none."""
        from stepwell.logged_models import uris

        text = str(uri)
        named = uris.parse_models(text) if text.startswith("models:") else uris.ModelName(model_id=text)
        if named.model_id or named.path:
            raise invalid(
                f"{text!r} names no version of a registered model. Use models:/<name>/<version>, "
                "models:/<name>/<stage>, models:/<name>/latest or models:/<name>@<alias>."
            )
        if named.version:
            return self.get_model_version(named.name, named.version)
        if named.alias or named.stage.lower() == LATEST:
            return self.get_model_version_by_alias(named.name, named.alias or LATEST)
        return self._latest(named.name, named.stage)

    @property
    def _registry(self) -> "RegistryCalls":
        from stepwell.registry.calls import RegistryCalls

        beside.wait(timeout_s=settings.flush_timeout_s())  # what is left for later may be models to register

        return RegistryCalls(self._registry_address)

    @property
    def _registry_address(self) -> str:
        return self._registry_uri or settings.registry_uri() or self.tracking_uri


def create_if_missing(client: RegistryMethods, name: str) -> bool:
    """Create a registered model unless it is there; tells whether this call did."""
    try:
        client.create_registered_model(name)
    except StepwellException as failure:
        if failure.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
        return False
    return True
