"""Who did what, when, from where: logins, tokens, roles, deletes, stage changes. Never a secret."""

import asyncio
from collections.abc import Mapping, Sequence

from stepwell_server.errors import InvalidArgumentError, StepwellError
from stepwell_server.model.access import AUDIT_MAX, AuditEntry, AuditWanted
from stepwell_server.process.logger import get_logger
from stepwell_server.services.access.calling import current_call
from stepwell_server.store.ports.access import AuditStore

# What is kept of the subject of an entry, and of the words about it.
SUBJECT_CHARS_MAX = 500

log = get_logger(__name__)


class Audit:
    """Writes the audit."""

    def __init__(self, store: AuditStore) -> None:
        self._store = store
        self._aside: set[asyncio.Task[None]] = set()

    def note_aside(self, action: str, subject: str, *, account: str, origin: str) -> None:
        """Add an entry for which nobody waits."""
        task = asyncio.create_task(self.note(action, subject, account=account, origin=origin))
        self._aside.add(task)
        task.add_done_callback(self._aside.discard)

    async def note(
        self,
        action: str,
        subject: str,
        details: Mapping[str, str] | None = None,
        *,
        account: str | None = None,
        origin: str | None = None,
    ) -> None:
        """Add an entry; account and origin are those of the call, unless they are given.

        What it is about has been done: when the entry cannot be written, the log has it, and nobody is refused.
        """
        if account is None or origin is None:
            call = current_call()
            account, origin = account or call.caller.name, origin or call.presented.origin
        kept = {key: value[:SUBJECT_CHARS_MAX] for key, value in (details or {}).items()}
        entry = AuditEntry(0, 0, account, action, subject[:SUBJECT_CHARS_MAX], kept, origin)
        try:
            await self._store.note([entry])
        except StepwellError as error:
            log.error("the audit could not be written", action=action, account=account, error=str(error))


class AuditService:
    """Reads the audit."""

    def __init__(self, store: AuditStore) -> None:
        self._store = store

    async def list(self, wanted: AuditWanted) -> Sequence[AuditEntry]:
        """Return entries, the latest first. Raises InvalidArgumentError."""
        if not 1 <= wanted.limit <= AUDIT_MAX:
            raise InvalidArgumentError(f"the limit is {wanted.limit}; it has to be from 1 to {AUDIT_MAX:,}")
        if wanted.before_number < 0:
            raise InvalidArgumentError(f"entries before {wanted.before_number} are asked for; use 0 for all")
        return await self._store.list(wanted)
