"""What scripts import as mlflow.projects."""

from stepwell.as_mlflow.standing_in import stand_in

stand_in(globals(), "stepwell.projects")
