"""MLflow's model registry on a Stepwell server: it keeps no models yet, and says so."""

from typing import Any

from mlflow.store.model_registry.abstract_store import AbstractStore

from stepwell.integrations.mlflow_plugin import addresses, entities
from stepwell.integrations.mlflow_plugin.errors import in_mlflows_words, not_kept_yet

_INSTEAD = (
    "Name a registry of MLflow's beside it, with mlflow.set_registry_uri() or MLFLOW_REGISTRY_URI, for example "
    "sqlite:///registry.db."
)


class RegistryStore(AbstractStore):
    """Has no models: searches find none, everything else raises NOT_IMPLEMENTED with what to do instead."""

    def __init__(self, store_uri: str, tracking_uri: str | None = None) -> None:
        super().__init__(store_uri, tracking_uri)
        in_mlflows_words(addresses.client_uri)(store_uri)

    def search_registered_models(self, *arguments: Any, **keywords: Any) -> Any:
        """Find none."""
        return entities.page([], None)

    def search_model_versions(self, *arguments: Any, **keywords: Any) -> Any:
        """Find none."""
        return entities.page([], None)

    def create_registered_model(self, *arguments: Any, **keywords: Any) -> Any:
        """Say what is missing; the same for everything else."""
        raise not_kept_yet("registered models", _INSTEAD)

    update_registered_model = create_registered_model
    rename_registered_model = create_registered_model
    delete_registered_model = create_registered_model
    get_registered_model = create_registered_model
    get_latest_versions = create_registered_model
    set_registered_model_tag = create_registered_model
    delete_registered_model_tag = create_registered_model
    set_registered_model_alias = create_registered_model
    delete_registered_model_alias = create_registered_model
    get_model_version_by_alias = create_registered_model
    create_model_version = create_registered_model
    update_model_version = create_registered_model
    transition_model_version_stage = create_registered_model
    delete_model_version = create_registered_model
    get_model_version = create_registered_model
    get_model_version_download_uri = create_registered_model
    set_model_version_tag = create_registered_model
    delete_model_version_tag = create_registered_model
