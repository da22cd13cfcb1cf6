"""What is known of a model that was saved or logged, and giving it another signature."""

from pathlib import Path
from typing import Any

from stepwell.models import mlmodel, places
from stepwell.models.info import ModelInfo, info_of
from stepwell.models.mlmodel import FILE
from stepwell.models.signature import ModelSignature


def get_model_info(model_uri: Any) -> ModelInfo:
    """Return what a model's description says.

    Raises:
        StepwellException: RESOURCE_DOES_NOT_EXIST when there is no such model.
    """
    model = mlmodel.read(places.local_folder(model_uri))
    return info_of(model, str(model_uri), name=model.artifact_path)


def set_signature(model_uri: Any, signature: ModelSignature) -> None:
    """Give a model another signature."""
    folder = places.local_folder(model_uri)
    model = mlmodel.read(folder)
    model.signature = signature
    target = folder / FILE
    fresh = target.with_name(f".{FILE}.new")
    model.save(fresh)
    Path(fresh).replace(target)
