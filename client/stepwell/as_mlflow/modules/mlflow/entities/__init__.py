"""What scripts import as mlflow.entities."""

from stepwell.as_mlflow.standing_in import stand_in


class SourceType:
    """What started a run, by number; a run says it by name in the tag mlflow.source.type."""

    NOTEBOOK, JOB, PROJECT, LOCAL, UNKNOWN = 1, 2, 3, 4, 5


stand_in(globals(), "stepwell.entities")
