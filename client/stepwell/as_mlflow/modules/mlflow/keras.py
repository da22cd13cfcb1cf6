"""What scripts import as mlflow.keras."""

from stepwell.as_mlflow.standing_in import stand_in

stand_in(globals(), "stepwell.keras", later={"MlflowCallback": "stepwell.integrations.keras"})
