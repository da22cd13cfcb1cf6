"""What was logged by itself."""

from typing import Any

from stepwell import StepwellClient


def runs_of(experiment_id: str) -> list[Any]:
    """Return the runs of an experiment, in the order of their starts."""
    return list(StepwellClient().search_runs([experiment_id], order_by=["start_time ASC"]))


def run_of(experiment_id: str) -> Any:
    """Return the only run."""
    (run,) = runs_of(experiment_id)
    return run


def files_of(run_id: str, folder: str = "") -> set[str]:
    """Return what is in a folder of a run."""
    return {it.path for it in StepwellClient().list_artifacts(run_id, folder)}


def points_of(run_id: str, key: str) -> list[tuple[int, float]]:
    """Return steps and values of a metric, in the order of their steps."""
    return sorted((it.step, it.value) for it in StepwellClient().get_metric_history(run_id, key))
