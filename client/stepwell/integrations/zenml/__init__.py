"""ZenML: an experiment tracker of the flavor `stepwell`.

    zenml experiment-tracker flavor register stepwell.integrations.zenml.StepwellExperimentTrackerFlavor
    zenml experiment-tracker register tracker --flavor=stepwell --tracking_uri=http://127.0.0.1:5000

The module that tracks is imported where steps run, and not where stacks are registered.
"""

from stepwell import extras

extras.library("zenml", "StepwellExperimentTracker", "zenml")

from stepwell.integrations.zenml.flavor import (  # noqa: E402 - which the line above asks for
    StepwellExperimentTrackerConfig,
    StepwellExperimentTrackerFlavor,
    StepwellExperimentTrackerSettings,
)

__all__ = [
    "StepwellExperimentTrackerConfig",
    "StepwellExperimentTrackerFlavor",
    "StepwellExperimentTrackerSettings",
]
