"""What scripts import as mlflow.tracking.fluent."""

from stepwell import settings
from stepwell.as_mlflow.standing_in import stand_in
from stepwell.client import StepwellClient


def _get_experiment_id() -> str:
    name = settings.experiment_name()
    found = StepwellClient().get_experiment_by_name(name) if name is not None else None
    return found.experiment_id if found else settings.experiment_id() or settings.DEFAULT_EXPERIMENT_ID


stand_in(globals(), "stepwell")
