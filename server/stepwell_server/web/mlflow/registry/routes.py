"""The routes of the registry."""

from collections.abc import Awaitable, Callable, Sequence

from starlette.responses import Response

from stepwell_server.services.together import Services
from stepwell_server.web.errors import error_response
from stepwell_server.web.mlflow.registry.models import RegisteredModels
from stepwell_server.web.mlflow.registry.versions import ModelVersions
from stepwell_server.web.mlflow.requests import Message

GET, POST, PATCH, DELETE = ("GET",), ("POST",), ("PATCH",), ("DELETE",)


def registry_table(
    services: Services,
) -> list[tuple[Sequence[str], str, Callable[[Message], Awaitable[Response]]]]:
    """Return methods, paths and who answers them."""
    models = RegisteredModels(services.registered_models, services.model_versions)
    versions = ModelVersions(services.model_versions)
    return [
        (GET, "registered-models/get", models.get),
        (GET + POST, "registered-models/get-latest-versions", models.latest_versions),
        (GET, "registered-models/search", models.search),
        (POST, "registered-models/create", models.create),
        (PATCH, "registered-models/update", models.update),
        (POST, "registered-models/rename", models.rename),
        (DELETE, "registered-models/delete", models.delete),
        (POST, "registered-models/set-tag", models.set_tag),
        (DELETE, "registered-models/delete-tag", models.delete_tag),
        (POST, "registered-models/alias", models.set_alias),
        (GET, "registered-models/alias", models.get_by_alias),
        (DELETE, "registered-models/alias", models.delete_alias),
        (GET, "model-versions/get", versions.get),
        (GET, "model-versions/get-download-uri", versions.download_uri),
        (GET, "model-versions/search", versions.search),
        (POST, "model-versions/create", versions.create),
        (PATCH, "model-versions/update", versions.update),
        (POST, "model-versions/transition-stage", versions.transition),
        (DELETE, "model-versions/delete", versions.delete),
        (POST, "model-versions/set-tag", versions.set_tag),
        (DELETE, "model-versions/delete-tag", versions.delete_tag),
        (GET + POST, "webhooks", _no_webhooks),
        (GET + PATCH + DELETE, "webhooks/{webhook_id}", _no_webhooks),
        (POST, "webhooks/{webhook_id}/test", _no_webhooks),
    ]


async def _no_webhooks(message: Message) -> Response:
    """Refuse: who receives MLflow's deliveries expects other events, in another form and signed in another way."""
    return error_response(
        "NOT_IMPLEMENTED",
        "Stepwell has webhooks of its own, which deliver in another form than MLflow's: use `stepwell models webhooks`"
        " or StepwellClient().create_webhook (docs/registry.md)",
    )
