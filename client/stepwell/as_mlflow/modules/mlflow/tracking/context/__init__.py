"""What scripts import as mlflow.tracking.context."""

from stepwell.as_mlflow.standing_in import stand_in

stand_in(globals())
