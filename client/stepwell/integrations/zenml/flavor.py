"""What can be said of a tracker when it is registered, and at a step."""

from typing import Any

from pydantic import Field
from zenml.config.base_settings import BaseSettings
from zenml.experiment_trackers.base_experiment_tracker import (
    BaseExperimentTrackerConfig,
    BaseExperimentTrackerFlavor,
)

from stepwell import settings

NAME = "stepwell"


class StepwellExperimentTrackerSettings(BaseSettings):
    """What a step may choose: `@step(settings={"experiment_tracker": …})`."""

    experiment_name: str | None = Field(
        None, description="Where runs go; the name of the pipeline if not given."
    )
    nested: bool = Field(
        False, description="Each step has a run of its own, inside of the run of the pipeline."
    )
    tags: dict[str, Any] = Field(default_factory=dict, description="Tags of the run.")


class StepwellExperimentTrackerConfig(BaseExperimentTrackerConfig, StepwellExperimentTrackerSettings):
    """What is registered."""

    tracking_uri: str | None = Field(
        None,
        description="The server: http://HOST:PORT or grpc://HOST:PORT; what the environment says if not given.",
    )

    @property
    def is_remote(self) -> bool:
        """Whether other machines can reach the server."""
        host = settings.parse_uri(self.tracking_uri or settings.tracking_uri()).target.rpartition(":")[0]
        return host not in ("127.0.0.1", "localhost", "[::1]")

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the server."""
        return not self.is_remote


class StepwellExperimentTrackerFlavor(BaseExperimentTrackerFlavor):
    """The flavor `stepwell`."""

    @property
    def name(self) -> str:
        """What stacks call it."""
        return NAME

    @property
    def docs_url(self) -> str | None:
        """Not there."""
        return None

    @property
    def sdk_docs_url(self) -> str | None:
        """Not there."""
        return None

    @property
    def logo_url(self) -> str:
        """Not there."""
        return ""

    @property
    def config_class(self) -> type[StepwellExperimentTrackerConfig]:
        """What is registered."""
        return StepwellExperimentTrackerConfig

    @property
    def implementation_class(self) -> type:
        """What tracks."""
        from stepwell.integrations.zenml.tracker import StepwellExperimentTracker

        return StepwellExperimentTracker
