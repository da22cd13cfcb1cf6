"""What scripts import as mlflow, where Stepwell stands in for it."""

from mlflow.version import VERSION
from stepwell import settings
from stepwell.as_mlflow.standing_in import name_what_is_missing, stand_in

__version__ = VERSION

name_what_is_missing()
settings.name_server_for_mlflows_clients()
stand_in(globals(), "stepwell")
