"""What scripts import as mlflow.pyfunc.backend."""

from stepwell.as_mlflow.standing_in import stand_in

stand_in(globals(), "stepwell.serving.backend")
