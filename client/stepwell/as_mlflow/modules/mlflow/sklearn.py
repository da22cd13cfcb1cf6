"""What scripts import as mlflow.sklearn."""

from stepwell.as_mlflow.standing_in import stand_in

SERIALIZATION_FORMAT_CLOUDPICKLE = "cloudpickle"
SERIALIZATION_FORMAT_PICKLE = "pickle"

stand_in(globals(), "stepwell.sklearn")
