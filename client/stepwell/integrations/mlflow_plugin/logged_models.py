"""The part of MLflow's tracking store that is about logged models, which mlflow 3 has."""

from collections.abc import Sequence
from typing import Any

from stepwell.client import StepwellClient
from stepwell.entities import LoggedModelOutput
from stepwell.integrations.mlflow_plugin import entities
from stepwell.integrations.mlflow_plugin.errors import in_mlflows_words


class LoggedModelStore:
    """Logged models of one server; files of theirs are below `_artifacts`."""

    _client: StepwellClient
    _artifacts: str

    @in_mlflows_words
    def create_logged_model(
        self,
        experiment_id: str,
        name: str | None = None,
        source_run_id: str | None = None,
        tags: Sequence[Any] | None = None,
        params: Sequence[Any] | None = None,
        model_type: str | None = None,
    ) -> Any:
        """Create a model, PENDING."""
        return self._model(
            self._client.create_logged_model(
                experiment_id,
                name,
                source_run_id,
                entities.to_tags(tags),
                entities.to_tags(params),
                model_type,
            )
        )

    @in_mlflows_words
    def get_logged_model(self, model_id: str, allow_deleted: bool = False) -> Any:
        """Return a model."""
        return self._model(self._client.get_logged_model(model_id))

    @in_mlflows_words
    def finalize_logged_model(self, model_id: str, status: Any) -> Any:
        """Say that a model is READY, or FAILED."""
        return self._model(self._client.finalize_logged_model(model_id, getattr(status, "value", status)))

    @in_mlflows_words
    def delete_logged_model(self, model_id: str) -> None:
        """Delete a model, softly."""
        self._client.delete_logged_model(model_id)

    @in_mlflows_words
    def set_logged_model_tags(self, model_id: str, tags: Sequence[Any]) -> None:
        """Set tags of a model."""
        self._client.set_logged_model_tags(model_id, entities.to_tags(tags))

    @in_mlflows_words
    def delete_logged_model_tag(self, model_id: str, key: str) -> None:
        """Remove a tag of a model."""
        self._client.delete_logged_model_tag(model_id, key)

    @in_mlflows_words
    def log_logged_model_params(self, model_id: str, params: Sequence[Any]) -> None:
        """Add params to a model."""
        self._client.log_model_params(model_id, entities.to_tags(params))

    @in_mlflows_words
    def search_logged_models(
        self,
        experiment_ids: Sequence[str],
        filter_string: str | None = None,
        datasets: Any = None,
        max_results: int | None = None,
        order_by: Any = None,
        page_token: str | None = None,
    ) -> Any:
        """Return a page of models."""
        found = self._client.search_logged_models(
            experiment_ids, filter_string, datasets, max_results, order_by, page_token
        )
        return entities.page(map(self._model, found), found.token)

    @in_mlflows_words
    def log_outputs(self, run_id: str, models: Sequence[Any]) -> None:
        """Note models that a run made."""
        self._client.log_outputs(run_id, [LoggedModelOutput(it.model_id, it.step) for it in models])

    def _model(self, model: Any) -> Any:
        return entities.logged_model(model, self._artifacts)
