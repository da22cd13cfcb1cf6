"""What scripts import as mlflow.types.schema."""

from stepwell.as_mlflow.standing_in import stand_in

stand_in(globals(), "stepwell.types")
