"""The audit."""

import json
from collections.abc import Sequence

from stepwell_server.model.access import (
    AUDIT_ENTRIES_MAX,
    AUDIT_OF_ACCOUNT_MAX,
    AUDIT_OF_SIGNING_IN_MAX,
    AuditEntry,
    AuditWanted,
)
from stepwell_server.store.postgres.pool import Pool
from stepwell_server.store.sql import load

_SQL = load("grants")
# Entries that this process adds before it looks for those that are too many.
LOOK_AFTER = 1_000


class PostgresAuditStore:
    """Implements `ports.AuditStore`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._added = LOOK_AFTER

    async def note(self, entries: Sequence[AuditEntry]) -> None:
        """See `ports.AuditStore`."""
        async with self._pool.connection() as connection:
            await connection.execute(
                _SQL["note_audit"],
                [entry.account for entry in entries],
                [entry.action for entry in entries],
                [entry.subject for entry in entries],
                [json.dumps(dict(entry.details)) for entry in entries],
                [entry.origin for entry in entries],
            )
            self._added += len(entries)
            if self._added >= LOOK_AFTER:
                self._added = 0
                await connection.execute(_SQL["forget_audit_of_signing_in"], AUDIT_OF_SIGNING_IN_MAX)
                await connection.execute(
                    _SQL["forget_audit_of_account"], entries[-1].account, AUDIT_OF_ACCOUNT_MAX
                )
                await connection.execute(_SQL["forget_audit"], AUDIT_ENTRIES_MAX)

    async def list(self, wanted: AuditWanted) -> Sequence[AuditEntry]:
        """See `ports.AuditStore`."""
        async with self._pool.connection() as connection:
            rows = await connection.fetch(
                _SQL["audit"], wanted.account, wanted.action, wanted.before_number, wanted.limit
            )
        return [
            AuditEntry(
                row["audit_number"],
                row["time_ms"],
                row["account"],
                row["action"],
                row["subject"],
                json.loads(row["details"]),
                row["origin"],
            )
            for row in rows
        ]
