"""MLflow's store of registered models on a Stepwell server: what `mlflow` calls when the registry URI is ours."""

import inspect
from collections.abc import Sequence
from typing import Any

from mlflow.entities import model_registry as mlflow
from mlflow.store.model_registry.abstract_store import AbstractStore

from stepwell.client import StepwellClient
from stepwell.entities.model_registry import ModelVersion, RegisteredModel
from stepwell.integrations.mlflow_plugin import addresses, entities
from stepwell.integrations.mlflow_plugin.errors import in_mlflows_words

# mlflow 2 has no logged models.
_KNOWS_MODEL_ID = "model_id" in inspect.signature(mlflow.ModelVersion.__init__).parameters


class RegistryStore(AbstractStore):
    """Registered models and versions of one server. There are no webhooks and prompts: MLflow's own errors say so."""

    def __init__(self, store_uri: str, tracking_uri: str | None = None) -> None:
        super().__init__(store_uri, tracking_uri)
        self._client = StepwellClient(in_mlflows_words(addresses.client_uri)(store_uri))

    @in_mlflows_words
    def create_registered_model(
        self, name: str, tags: Any = None, description: str | None = None, deployment_job_id: Any = None
    ) -> Any:
        """Create a registered model."""
        return _model(self._client.create_registered_model(name, entities.to_tags(tags), description))

    @in_mlflows_words
    def update_registered_model(
        self, name: str, description: str | None, deployment_job_id: Any = None
    ) -> Any:
        """Set the description."""
        return _model(self._client.update_registered_model(name, description or ""))

    @in_mlflows_words
    def rename_registered_model(self, name: str, new_name: str) -> Any:
        """Rename a registered model."""
        return _model(self._client.rename_registered_model(name, new_name))

    @in_mlflows_words
    def delete_registered_model(self, name: str) -> None:
        """Delete a registered model with its versions."""
        self._client.delete_registered_model(name)

    @in_mlflows_words
    def search_registered_models(
        self,
        filter_string: str | None = None,
        max_results: int | None = None,
        order_by: list[str] | None = None,
        page_token: str | None = None,
    ) -> Any:
        """Return a page of registered models."""
        size = {} if max_results is None else {"max_results": max_results}
        found = self._client.search_registered_models(
            filter_string, order_by=order_by, page_token=page_token, **size
        )
        return entities.page(map(_model, found), found.token)

    @in_mlflows_words
    def get_registered_model(self, name: str) -> Any:
        """Return a registered model."""
        return _model(self._client.get_registered_model(name))

    @in_mlflows_words
    def get_latest_versions(self, name: str, stages: Sequence[str] | None = None) -> list[Any]:
        """Return the latest version of each stage."""
        return list(map(_version, self._client.get_latest_versions(name, stages)))

    @in_mlflows_words
    def set_registered_model_tag(self, name: str, tag: Any) -> None:
        """Set a tag of a registered model."""
        self._client.set_registered_model_tag(name, tag.key, tag.value)

    @in_mlflows_words
    def delete_registered_model_tag(self, name: str, key: str) -> None:
        """Remove a tag of a registered model."""
        self._client.delete_registered_model_tag(name, key)

    @in_mlflows_words
    def set_registered_model_alias(self, name: str, alias: str, version: str) -> None:
        """Let an alias stand for a version."""
        self._client.set_registered_model_alias(name, alias, version)

    @in_mlflows_words
    def delete_registered_model_alias(self, name: str, alias: str) -> None:
        """Remove an alias."""
        self._client.delete_registered_model_alias(name, alias)

    @in_mlflows_words
    def get_model_version_by_alias(self, name: str, alias: str) -> Any:
        """Return what an alias stands for."""
        return _version(self._client.get_model_version_by_alias(name, alias))

    @in_mlflows_words
    def create_model_version(
        self,
        name: str,
        source: str,
        run_id: str | None = None,
        tags: Any = None,
        run_link: str | None = None,
        description: str | None = None,
        local_model_path: str | None = None,
        model_id: str | None = None,
    ) -> Any:
        """Create a version."""
        created = self._client.create_model_version(
            name, source, run_id, entities.to_tags(tags), run_link, description, model_id=model_id
        )
        return _version(created)

    @in_mlflows_words
    def update_model_version(self, name: str, version: str, description: str | None) -> Any:
        """Set the description of a version."""
        return _version(self._client.update_model_version(name, version, description or ""))

    @in_mlflows_words
    def transition_model_version_stage(
        self, name: str, version: str, stage: str, archive_existing_versions: bool
    ) -> Any:
        """Move a version to a stage."""
        moved = self._client.transition_model_version_stage(name, version, stage, archive_existing_versions)
        return _version(moved)

    @in_mlflows_words
    def delete_model_version(self, name: str, version: str) -> None:
        """Delete a version."""
        self._client.delete_model_version(name, version)

    @in_mlflows_words
    def get_model_version(self, name: str, version: str) -> Any:
        """Return a version."""
        return _version(self._client.get_model_version(name, version))

    @in_mlflows_words
    def get_model_version_download_uri(self, name: str, version: str) -> str:
        """Return where the files of a version are."""
        return self._client.get_model_version_download_uri(name, version)

    @in_mlflows_words
    def search_model_versions(
        self,
        filter_string: str | None = None,
        max_results: int | None = None,
        order_by: list[str] | None = None,
        page_token: str | None = None,
    ) -> Any:
        """Return a page of versions."""
        size = {} if max_results is None else {"max_results": max_results}
        found = self._client.search_model_versions(
            filter_string, order_by=order_by, page_token=page_token, **size
        )
        return entities.page(map(_version, found), found.token)

    @in_mlflows_words
    def set_model_version_tag(self, name: str, version: str, tag: Any) -> None:
        """Set a tag of a version."""
        self._client.set_model_version_tag(name, version, tag.key, tag.value)

    @in_mlflows_words
    def delete_model_version_tag(self, name: str, version: str, key: str) -> None:
        """Remove a tag of a version."""
        self._client.delete_model_version_tag(name, version, key)


def _version(it: ModelVersion) -> Any:
    """Return a version as MLflow's stores give it."""
    return mlflow.ModelVersion(
        name=it.name,
        version=it.version,
        creation_timestamp=it.creation_timestamp,
        last_updated_timestamp=it.last_updated_timestamp,
        description=it.description,
        user_id=it.user_id,
        current_stage=it.current_stage,
        source=it.source,
        run_id=it.run_id,
        status=it.status,
        tags=[mlflow.ModelVersionTag(key, value) for key, value in it.tags.items()],
        run_link=it.run_link,
        aliases=it.aliases,
        **({"model_id": it.model_id} if _KNOWS_MODEL_ID else {}),
    )


def _model(it: RegisteredModel) -> Any:
    """Return a registered model as MLflow's stores give it."""
    return mlflow.RegisteredModel(
        name=it.name,
        creation_timestamp=it.creation_timestamp,
        last_updated_timestamp=it.last_updated_timestamp,
        description=it.description,
        latest_versions=list(map(_version, it.latest_versions)),
        tags=[mlflow.RegisteredModelTag(key, value) for key, value in it.tags.items()],
        aliases=[mlflow.RegisteredModelAlias(alias, version) for alias, version in it.aliases.items()],
    )
