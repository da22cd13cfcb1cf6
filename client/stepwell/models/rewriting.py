"""What is known of a model that was saved or logged, and giving it another signature."""

import tempfile
from pathlib import Path
from typing import Any

from stepwell.client import StepwellClient
from stepwell.errors import invalid, short
from stepwell.logged_models import uris
from stepwell.logged_models.uris import Place
from stepwell.models import mlmodel, places
from stepwell.models.info import ModelInfo, info_of
from stepwell.models.mlmodel import FILE
from stepwell.models.signature import ModelSignature


@short
def get_model_info(model_uri: Any) -> ModelInfo:
    """Return what a model's description says; no other file of it is fetched.

    Raises:
        StepwellException: RESOURCE_DOES_NOT_EXIST when there is no such model.
    """
    model = mlmodel.read(_description(model_uri))
    return info_of(model, str(model_uri), name=model.artifact_path)


def set_signature(model_uri: Any, signature: ModelSignature) -> None:
    """Give a model another signature; raises as `signature.set_signature`."""
    here = uris.local_path_of(model_uri)
    if here is not None:
        model = mlmodel.read(here)
        model.signature = signature
        fresh = here / f".{FILE}.new"
        model.save(fresh)
        fresh.replace(here / FILE)
        return
    client = StepwellClient()
    place = uris.resolve(model_uri, client)
    if place.registered is not None or place.remote is None:
        raise invalid(
            f"Failed to set signature on {str(model_uri)!r}: versions of registered models do not change. Set it on "
            "the logged model, and register that anew."
        )
    model = mlmodel.read(_description(model_uri))
    model.signature = signature
    with tempfile.TemporaryDirectory(prefix="stepwell-") as folder:
        file = Path(folder, FILE)
        model.save(file)
        _log(client, file, place)


def _log(client: StepwellClient, file: Path, place: Place) -> None:
    """Log a file to a model, also where it was named as what its run shows."""
    remote = place.remote
    assert remote is not None
    if place.logged_model_id is None:
        of_run = uris.newest_of_run(client, remote.run_id, remote.path)
        if of_run is None or of_run.remote is None:
            client.log_artifact(remote.run_id, file, remote.path)
            return
        remote = of_run.remote
    client.log_model_artifact(remote.run_id, file, remote.path)


def _description(model_uri: Any) -> Path:
    """Return the description alone, of models that are elsewhere."""
    here = uris.local_path_of(model_uri)
    return places.local_path(f"{str(model_uri).removesuffix('/')}/{FILE}") if here is None else here
