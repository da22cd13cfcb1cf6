"""The files that say what a model needs, for whoever installs it by hand."""

from typing import Any

from stepwell.errors import invalid, short
from stepwell.models import places
from stepwell.models.environment.files import CONDA_FILE, REQUIREMENTS_FILE

FILES = {"pip": REQUIREMENTS_FILE, "conda": CONDA_FILE}


@short
def get_model_dependencies(model_uri: Any, format: str = "pip") -> str:  # noqa: A002 - MLflow's name
    """Return the local path of a model's requirements.txt ("pip") or conda.yaml ("conda"): `pip install -r <path>`.

    Raises:
        StepwellException: RESOURCE_DOES_NOT_EXIST when there is no such model, or it says nothing of what it needs;
            INVALID_PARAMETER_VALUE for another format.
    """
    if format not in FILES:
        raise invalid(f"format is 'pip' or 'conda', not {format!r}.")
    return str(places.local_path(f"{str(model_uri).removesuffix('/')}/{FILES[format]}"))
