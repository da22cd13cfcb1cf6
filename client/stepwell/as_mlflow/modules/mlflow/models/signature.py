"""What scripts import as mlflow.models.signature."""

from stepwell.as_mlflow.standing_in import stand_in

stand_in(globals(), "stepwell.models.signature")
