"""What scripts import as mlflow.store.artifact."""

from stepwell.as_mlflow.standing_in import stand_in

stand_in(globals())
