"""What scripts import as mlflow.entities.model_registry."""

from stepwell.as_mlflow.standing_in import stand_in

stand_in(globals(), "stepwell.entities.model_registry")
