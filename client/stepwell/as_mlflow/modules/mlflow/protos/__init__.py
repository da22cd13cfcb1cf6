"""What scripts import as mlflow.protos."""

from stepwell.as_mlflow.standing_in import stand_in

stand_in(globals())
