"""Reading alerts."""

from collections.abc import Sequence
from dataclasses import replace

from stepwell_server.errors import InvalidArgumentError, NotFoundError
from stepwell_server.model.access import EVERYWHERE, Within
from stepwell_server.model.alerts import (
    ALERTS_READ_CHARS_MAX,
    ALERTS_READ_DEFAULT,
    ALERTS_READ_MAX,
    Alert,
    AlertsWanted,
)
from stepwell_server.store.ports.alerts import AlertStore
from stepwell_server.store.ports.series import SeriesStore

# Of one request.
EXPERIMENTS_MAX = 1_000


class AlertService:
    """Reads alerts."""

    def __init__(self, store: AlertStore, series: SeriesStore) -> None:
        self._store = store
        self._series = series

    async def list(self, wanted: AlertsWanted, within: Within = EVERYWHERE) -> tuple[Sequence[Alert], bool]:
        """Return alerts of active runs, the latest first, and whether there are more.

        Raises:
            NotFoundError: there is no such run.
            InvalidArgumentError: too much is asked for.
        """
        if not 0 <= wanted.limit <= ALERTS_READ_MAX:
            raise InvalidArgumentError(f"{wanted.limit} alerts are asked for; ask for 1 to {ALERTS_READ_MAX}")
        if len(wanted.experiment_ids) > EXPERIMENTS_MAX:
            raise InvalidArgumentError(
                f"{len(wanted.experiment_ids):,} experiments are named; at most {EXPERIMENTS_MAX:,} are allowed"
            )
        if wanted.before_number < 0:
            raise InvalidArgumentError(
                f"alerts before number {wanted.before_number} are asked for; use 0 for all"
            )
        if wanted.run_id is not None and wanted.run_id not in await self._series.start_times([wanted.run_id]):
            raise NotFoundError(f"run {wanted.run_id.hex} does not exist")
        limit = wanted.limit or ALERTS_READ_DEFAULT
        found = await self._store.list(replace(wanted, limit=limit + 1), within)
        fitting = _fitting(found[:limit])
        return fitting, len(found) > len(fitting)


def _fitting(alerts: Sequence[Alert]) -> Sequence[Alert]:
    """Return the first alerts that one answer holds."""
    room = ALERTS_READ_CHARS_MAX
    for number, alert in enumerate(alerts):
        room -= len(alert.title) + len(alert.text)
        if room < 0 and number:
            return alerts[:number]
    return alerts
