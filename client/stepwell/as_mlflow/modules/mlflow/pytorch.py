"""What scripts import as mlflow.pytorch."""

from stepwell.as_mlflow.standing_in import stand_in

stand_in(globals(), "stepwell.pytorch")
