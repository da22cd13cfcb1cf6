"""Exact accounting: what is in the database is what was promised, each point once, nothing else."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from itertools import chain
from typing import Any
from uuid import UUID

import asyncpg

from tests.faults.patience import PATIENCE_S, until
from tests.faults.script import PROGRESS_TAG, Ledger, Point
from tests.faults.training import Training

POLL_S = 0.1
# What asking a database raises that is killed, shut down or just starting.
AWAY = (
    OSError,
    EOFError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.OperatorInterventionError,
)
SHOWN_MAX = 3


def stored(database_url: str, run_id: str) -> Ledger:
    """Return what the database has of a run, as its users see it: plain SQL over the views and tables."""
    return asyncio.run(_stored(database_url, UUID(run_id)))


def committed(database_url: str) -> int:
    """Return how many positions of all writers' logs are committed."""
    ((positions,),) = rows(database_url, "SELECT coalesce(sum(position), 0) FROM writer")
    return int(positions)


def next_commit(database_url: str, after: int) -> int:
    """Wait until more than so many positions are committed; returns how many. The database may be away meanwhile."""
    found = after

    def has_moved() -> bool:
        nonlocal found
        with suppress(*AWAY):
            found = committed(database_url)
        return found > after

    until(has_moved, "a commit")
    return found


def rows(database_url: str, query: str, *arguments: object) -> list[tuple[Any, ...]]:
    """Ask the database; the argument of a run's id may be text."""
    return [tuple(row) for row in asyncio.run(_rows(database_url, query, arguments))]


async def _rows(database_url: str, query: str, arguments: Sequence[object]) -> list[Any]:
    connection = await asyncpg.connect(database_url)
    try:
        return await connection.fetch(query, *arguments)
    finally:
        await connection.close()


async def _stored(database_url: str, run_id: UUID) -> Ledger:
    connection = await asyncpg.connect(database_url)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            return await _read(connection, run_id)
    finally:
        await connection.close()


async def _read(connection: asyncpg.Connection, run_id: UUID) -> Ledger:
    points = await connection.fetch(
        "SELECT key, step, value, timestamp_ms FROM metric_points WHERE run_id = $1", run_id
    )
    counts = await connection.fetch(
        "SELECT name, count FROM metric_latest JOIN metric USING (metric_id) WHERE run_id = $1", run_id
    )
    ledger = Ledger(
        points=Counter((key, step, value.hex(), time_ms) for key, step, value, time_ms in points),
        params=dict(await connection.fetch("SELECT key, value FROM param WHERE run_id = $1", run_id)),
        tags=dict(await connection.fetch("SELECT key, value FROM tag WHERE run_id = $1", run_id)),
    )
    _check_summaries(ledger, dict(counts))
    return ledger


def _check_summaries(ledger: Ledger, counts: dict[str, int]) -> None:
    """The counts that the commits summed up are those of the points."""
    found: dict[str, int] = {}
    for (key, *_), count in ledger.points.items():
        found[key] = found.get(key, 0) + count
    assert found == counts


def differences(found: Ledger, trainings: Sequence[Training]) -> list[str]:
    """Say what is lost, what is there twice or was never logged; nothing when the accounts agree.

    What a killed process was about to log may be there or not.
    """
    promised, perhaps = Ledger(), Ledger()
    for training in trainings:
        promised = _merged(promised, training.promised())
        perhaps = _merged(perhaps, training.perhaps())
    lost, too_many = points_astray(found.points, promised.points, perhaps.points)
    tags = {key: value for key, value in found.tags.items() if key.startswith(("tag ", PROGRESS_TAG))}
    return [
        *_named("lost points", lost.elements()),
        *_named("points too many", too_many.elements()),
        *_named("lost params", promised.params.items() - found.params.items()),
        *_named("params too many", found.params.items() - promised.params.items() - perhaps.params.items()),
        *_named(
            "lost tags", promised.tags.items() - found.tags.items() - _overwritten(promised, perhaps, found)
        ),
        *_named("tags too many", tags.items() - promised.tags.items() - perhaps.tags.items()),
    ]


def points_astray(
    found: Counter[Point], promised: Counter[Point], perhaps: Counter[Point]
) -> tuple[Counter[Point], Counter[Point]]:
    """Return the points that are lost, and those that are too many.

    First those whose time is known are set against each other; then those of the client's clock, without their times.
    """
    timed = Counter({point: count for point, count in promised.items() if point[3] is not None})
    timed_perhaps = Counter({point: count for point, count in perhaps.items() if point[3] is not None})
    lost, rest = timed - found, found - timed - timed_perhaps
    untimed: Counter[Point] = Counter()
    for (key, step, value, _), count in rest.items():
        untimed[key, step, value, None] += count
    lost += (promised - timed) - untimed
    too_many = untimed - (promised - timed) - (perhaps - timed_perhaps)
    return lost, too_many


def _merged(one: Ledger, other: Ledger) -> Ledger:
    return Ledger(one.points + other.points, one.params | other.params, one.tags | other.tags)


def _overwritten(promised: Ledger, perhaps: Ledger, found: Ledger) -> set[tuple[str, str]]:
    """Tags whose last promised value gave way to one that the killed process was about to write."""
    return {
        (key, value)
        for key, value in promised.tags.items()
        if key in perhaps.tags and found.tags.get(key) == perhaps.tags[key]
    }


def _named(what: str, items: object) -> list[str]:
    listed = list(items)  # type: ignore[call-overload]
    return [f"{len(listed)} {what}, for example {listed[:SHOWN_MAX]}"] if listed else []


def _problems(database_url: str, trainings: Sequence[Training]) -> list[str]:
    try:
        found = stored(database_url, trainings[0].run_id)
    except AWAY as error:
        return [f"the database is away: {error!r}"]
    return differences(found, trainings)


def assert_exact(database_url: str, *trainings: Training) -> None:
    """Wait until everything that was promised has arrived, and check that nothing else did. All of one run."""
    give_up = time.monotonic() + PATIENCE_S
    while problems := _problems(database_url, trainings):
        if time.monotonic() > give_up or any("too many" in problem for problem in problems):
            logs = "\n".join(chain.from_iterable(training.log.splitlines()[-10:] for training in trainings))
            raise AssertionError(f"{'; '.join(problems)}\nLogs of the trainings:\n{logs}")
        time.sleep(POLL_S)


def assert_receipt(receipt: dict[str, object], training: Training) -> None:
    """Check that a run that went well is told so: everything committed, nothing refused, nothing waiting.

    The end of the run counts as an entry; a tag that is overwritten counts each time.
    """
    assert (receipt["rejected"], receipt["waiting"]) == (0, 0)
    assert receipt["sent"] == receipt["committed"]
    assert int(str(receipt["committed"])) >= training.promised().size + 1, (
        receipt,
        training.promised().size,
        training.log,
    )
