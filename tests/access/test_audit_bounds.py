"""The audit has bounds, and nobody pushes out of it what others did."""

import pytest

from stepwell_server.model.access import AuditEntry, AuditWanted
from stepwell_server.store.access import audit
from tests.harness.servers.access import GuardedServer


async def test_what_is_too_much_goes_by_kind_and_by_account(
    guarded: GuardedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "LOOK_AFTER": 10,
        "AUDIT_OF_SIGNING_IN_MAX": 3,
        "AUDIT_OF_ACCOUNT_MAX": 4,
        "AUDIT_ENTRIES_MAX": 6,
    }.items():
        monkeypatch.setattr(audit, name, value)
    assert guarded.running.pool is not None
    store = audit.PostgresAuditStore(guarded.running.pool)

    async def note(account: str, action: str, count: int) -> None:
        await store.note([AuditEntry(0, 0, account, action, str(number), {}, "") for number in range(count)])

    async def kept(action: str) -> list[tuple[str, str]]:
        return [(it.account, it.subject) for it in await store.list(AuditWanted(action=action))]

    await note("ann", "run.deleted", 2)
    await note("eve", "login.failed", 10)
    assert await kept("login.failed") == [("eve", "9"), ("eve", "8"), ("eve", "7")]
    await note("eve", "token.created", 10)
    assert await kept("token.created") == [("eve", str(number)) for number in (9, 8, 7, 6)]
    assert await kept("run.deleted") == [("ann", "1"), ("ann", "0")]
    await note("ben", "run.deleted", 10)
    assert await kept("run.deleted") == [("ben", str(number)) for number in (9, 8, 7, 6)]
    assert len(await kept("token.created")) == 2
    assert len(await kept("login.failed")) == 3
