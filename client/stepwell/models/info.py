"""What log_model returns and get_model_info knows of a model."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stepwell.models.mlmodel import Model
from stepwell.models.signature import ModelSignature


@dataclass(frozen=True)
class ModelInfo:
    """A model: where it is, what it is, and what it takes and gives."""

    artifact_path: str | None
    flavors: dict[str, Any]
    model_uri: str
    model_uuid: str | None
    run_id: str | None
    saved_input_example_info: dict[str, Any] | None
    signature: ModelSignature | None
    utc_time_created: str
    mlflow_version: str | None
    metadata: dict[str, Any] | None = None
    model_id: str | None = None
    name: str | None = None
    params: Mapping[str, str] | None = None
    metrics: Any = None
    tags: Mapping[str, str] | None = None
    creation_timestamp: int | None = None
    registered_model_version: int | None = field(default=None, compare=False)

    @property
    def signature_dict(self) -> dict[str, Any] | None:
        """The signature as MLmodel has it."""
        return self.signature.to_dict() if self.signature else None


def info_of(model: Model, model_uri: str, **more: Any) -> ModelInfo:
    """Return what a description says; `more` are further fields."""
    return ModelInfo(
        artifact_path=model.artifact_path,
        flavors=model.flavors,
        model_uri=model_uri,
        model_uuid=model.model_uuid,
        run_id=model.run_id,
        saved_input_example_info=model.saved_input_example_info,
        signature=model.signature,
        utc_time_created=model.utc_time_created,
        mlflow_version=model.mlflow_version,
        metadata=model.metadata,
        model_id=model.model_id,
        **more,
    )
