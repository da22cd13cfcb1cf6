"""Alerts of runs, read."""

from collections.abc import Sequence
from typing import Any

from stepwell_server.model.access import EVERYWHERE, Within
from stepwell_server.model.alerts import Alert, AlertLevel, AlertsWanted
from stepwell_server.store.postgres.pool import Pool
from stepwell_server.store.sql import load

_SQL = load("alerts")


class PostgresAlertStore:
    """See `ports.AlertStore`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def list(self, wanted: AlertsWanted, within: Within = EVERYWHERE) -> Sequence[Alert]:
        """See `ports.AlertStore`."""
        chosen, hidden = within.chosen(wanted.experiment_ids or None)
        which = wanted.run_id, chosen, wanted.before_number, int(wanted.level), wanted.limit, hidden
        async with self._pool.connection() as connection:
            return [alert_of(row) for row in await connection.fetch(_SQL["list"], *which)]


def alert_of(row: Any) -> Alert:
    """Return the alert of a row."""
    return Alert(**{**row, "level": AlertLevel(row["level"])})
