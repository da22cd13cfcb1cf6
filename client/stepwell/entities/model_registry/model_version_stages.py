"""The stages that every registered model has, by MLflow's names; a model may have others (`custom_stages`)."""

from stepwell.errors import invalid

STAGE_NONE = "None"
STAGE_STAGING = "Staging"
STAGE_PRODUCTION = "Production"
STAGE_ARCHIVED = "Archived"
ALL_STAGES = [STAGE_NONE, STAGE_STAGING, STAGE_PRODUCTION, STAGE_ARCHIVED]
DEFAULT_STAGES_FOR_GET_LATEST_VERSIONS = [STAGE_STAGING, STAGE_PRODUCTION]


def get_canonical_stage(stage: str) -> str:
    """Return one of these stages as it is written. Raises StepwellException INVALID_PARAMETER_VALUE for another."""
    for known in ALL_STAGES:
        if known.lower() == str(stage).lower():
            return known
    raise invalid(f"Invalid Model Version stage: {stage}. Value must be one of {', '.join(ALL_STAGES)}.")
