"""What scripts import as mlflow.xgboost."""

from stepwell.as_mlflow.standing_in import stand_in

stand_in(globals(), "stepwell.xgboost")
