"""What scripts import as mlflow.sklearn."""

from stepwell.as_mlflow.standing_in import stand_in

stand_in(globals(), "stepwell.sklearn")
