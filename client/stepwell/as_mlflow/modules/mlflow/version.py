"""What scripts import as mlflow.version."""

from stepwell.as_mlflow.standing_in import stand_in

# The release whose names and arguments Stepwell has; that of the distribution beside it.
VERSION = "3.17.2"

stand_in(globals())
