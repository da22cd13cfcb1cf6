"""What scripts import as mlflow.tensorflow."""

from stepwell.as_mlflow.standing_in import stand_in

stand_in(globals(), "stepwell.tensorflow", later={"MlflowCallback": "stepwell.integrations.keras"})
