"""What scripts import as mlflow.exceptions."""

from stepwell.as_mlflow.standing_in import stand_in
from stepwell.exceptions import MlflowException

# What a server answers is an MlflowException like any other.
RestException = MlflowException

stand_in(globals(), "stepwell.exceptions", later={"ExecutionException": "stepwell.projects"})
