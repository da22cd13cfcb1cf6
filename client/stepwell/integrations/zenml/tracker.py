"""Tracks the steps of a pipeline: all in one run of the pipeline's run, or each in a run inside of that."""

from typing import Any, cast

from zenml.experiment_trackers.base_experiment_tracker import BaseExperimentTracker

import stepwell
from stepwell import settings
from stepwell.integrations.zenml.flavor import (
    StepwellExperimentTrackerConfig,
    StepwellExperimentTrackerSettings,
)

ZENML_TAG = "zenml"
RUN_TAG = "zenml.pipeline_run_id"


class StepwellExperimentTracker(BaseExperimentTracker):
    """Opens a run before a step, and closes it behind it; what the step logs with stepwell goes there."""

    @property
    def config(self) -> StepwellExperimentTrackerConfig:
        """What is registered."""
        return cast(StepwellExperimentTrackerConfig, self._config)

    @property
    def settings_class(self) -> type[StepwellExperimentTrackerSettings]:
        """What a step may choose."""
        return StepwellExperimentTrackerSettings

    def prepare_step_run(self, info: Any) -> None:
        """Open the run of the pipeline, and inside of it that of the step, if that is wanted."""
        chosen = cast(StepwellExperimentTrackerSettings, self.get_settings(info))
        if self.config.tracking_uri:
            stepwell.set_tracking_uri(self.config.tracking_uri)
        experiment = stepwell.set_experiment(chosen.experiment_name or info.pipeline.name)
        own = {ZENML_TAG: "true", RUN_TAG: str(info.run_id)}
        tags = {**chosen.tags, **own}
        stepwell.start_run(
            run_id=_run_of(experiment.experiment_id, str(info.run_id)),
            run_name=info.run_name,
            tags=own if chosen.nested else tags,
        )
        if chosen.nested:
            stepwell.start_run(run_name=info.pipeline_step_name, nested=True, tags=tags)

    def get_step_run_metadata(self, info: Any) -> dict[str, Any]:
        """Say in ZenML where the step was tracked."""
        run = stepwell.active_run()
        if run is None:
            return {}
        found: dict[str, Any] = {
            "stepwell_run_id": run.info.run_id,
            "stepwell_experiment_id": run.info.experiment_id,
        }
        if page := settings.parse_uri(run.writer.uri).page:
            from zenml.constants import METADATA_EXPERIMENT_TRACKER_URL
            from zenml.metadata.metadata_types import Uri

            found[METADATA_EXPERIMENT_TRACKER_URL] = Uri(
                f"{page.rstrip('/')}/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}"
            )
        return found

    def cleanup_step_run(self, info: Any, step_failed: bool) -> None:
        """Close what was opened, and what the step has left open."""
        while stepwell.active_run() is not None:
            stepwell.end_run("FAILED" if step_failed else "FINISHED")


def _run_of(experiment_id: str, pipeline_run_id: str) -> str | None:
    """Return the run that an earlier step has opened for a run of the pipeline; None if none has, or none is known."""
    if not experiment_id:  # no server answers: what is logged is delivered later
        return None
    found = stepwell.StepwellClient().search_runs(
        [experiment_id],
        f"tags.`{RUN_TAG}` = '{pipeline_run_id}' AND tags.`mlflow.parentRunId` IS NULL",
        max_results=1,
        order_by=["attributes.start_time ASC"],
    )
    return found[0].info.run_id if found else None
