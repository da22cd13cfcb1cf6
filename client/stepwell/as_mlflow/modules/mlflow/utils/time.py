"""What scripts import as mlflow.utils.time."""

from stepwell.as_mlflow.standing_in import stand_in
from stepwell.delivery.record import now_ms as get_current_time_millis

__all__ = ["get_current_time_millis"]

stand_in(globals())
