"""What scripts import as mlflow.data."""

from stepwell.as_mlflow.standing_in import stand_in

stand_in(globals(), "stepwell.data")
