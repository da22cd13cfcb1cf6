"""What reading alerts asks of the store."""

from collections.abc import Sequence
from typing import Protocol

from stepwell_server.model.access import EVERYWHERE, Within
from stepwell_server.model.alerts import Alert, AlertsWanted


class AlertStore(Protocol):
    """Reading alerts. Raises `UnavailableError` when the database cannot be reached."""

    async def list(self, wanted: AlertsWanted, within: Within = EVERYWHERE) -> Sequence[Alert]:
        """Return alerts of active runs, the latest first."""
        ...
