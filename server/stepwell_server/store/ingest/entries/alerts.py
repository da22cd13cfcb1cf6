"""Alerts, written at the end of the commit's transaction: their numbers have the order of the commits."""

from collections.abc import Mapping
from uuid import UUID

from stepwell_server.errors import InvalidStateError
from stepwell_server.model.alerts import ALERTS_PER_RUN_MAX, AlertEntry
from stepwell_server.model.ingest import Batch, Rejection
from stepwell_server.store.postgres.pool import Connection
from stepwell_server.store.sql import by_run, load

# Held by who writes what webhooks tell of (alerts, changes of the registry), from then to the commit.
JOURNAL_LOCK_KEY = int.from_bytes(b"registry")

_SQL = load("alerts")


async def write_alerts(connection: Connection, batches: Mapping[int, Batch]) -> dict[int, list[Rejection]]:
    """Write the alerts of (numbered) batches; returns what was refused. Others wait from here to the end."""
    alerts = [
        (number, batch.run_id, entry)
        for number, batch in batches.items()
        for entry in batch.entries
        if isinstance(entry, AlertEntry)
    ]
    if not alerts:
        return {}
    await connection.executemany(_SQL["lock_runs"], by_run({run_id for _, run_id, _ in alerts}))
    last = await take_numbers(connection, len(alerts))
    rows = await connection.fetch(
        _SQL["add"],
        [run_id for _, run_id, _ in alerts],
        [entry.timestamp_ms for *_, entry in alerts],
        [int(entry.level) for *_, entry in alerts],
        [entry.title for *_, entry in alerts],
        [entry.text for *_, entry in alerts],
        [entry.imported for *_, entry in alerts],
        ALERTS_PER_RUN_MAX,
        *(() if last is None else (last,)),
    )
    added = {row["place"] for row in rows}
    refused: dict[int, list[Rejection]] = {}
    for place, (number, run_id, entry) in enumerate(alerts, start=1):
        if place not in added:
            refused.setdefault(number, []).append(_too_many(run_id, entry))
    return refused


async def take_numbers(connection: Connection, count: int) -> int | None:
    """Take the lock of the history, and so many numbers; return the last one before, None where a sequence counts."""
    last: int | None = await connection.fetchval(_SQL["take_numbers"], JOURNAL_LOCK_KEY, count)
    return last


def _too_many(run_id: UUID, entry: AlertEntry) -> Rejection:
    reason = (
        f"run {run_id.hex} has {ALERTS_PER_RUN_MAX:,} alerts, the most that a run may have; log what comes often as a "
        "metric"
    )
    return Rejection(entry.position, 1, "", InvalidStateError.error_code, reason)
