"""What follows from grants, where a search may look, and what is believed for a while."""

import asyncio

import pytest

from stepwell_server.model.access import (
    Caller,
    Granted,
    Level,
    Rights,
    Scope,
    SubjectKind,
    ThingKind,
    Within,
    rights_of,
)
from stepwell_server.services.access.fresh import Fresh
from stepwell_server.services.access.permissions import within

NONE, READ, WRITE, MANAGE = Level
ACCOUNT, GROUP, EVERYBODY = SubjectKind
EXPERIMENT, MODEL = ThingKind


def test_the_nearest_grant_counts() -> None:
    rights = rights_of(
        READ,
        [
            Granted(EVERYBODY, EXPERIMENT, 1, NONE),
            Granted(GROUP, EXPERIMENT, 1, READ),
            Granted(GROUP, EXPERIMENT, 1, WRITE),
            Granted(GROUP, EXPERIMENT, 2, MANAGE),
            Granted(ACCOUNT, EXPERIMENT, 2, NONE),
            Granted(EVERYBODY, EXPERIMENT, 3, WRITE),
            Granted(ACCOUNT, MODEL, 1, MANAGE),
        ],
    )
    assert [rights.level(EXPERIMENT, number) for number in (1, 2, 3, 4)] == [WRITE, NONE, WRITE, READ]
    assert [rights.level(MODEL, number) for number in (1, 2)] == [MANAGE, READ]


@pytest.mark.parametrize(
    ("default", "level", "caller", "expected"),
    [
        (READ, READ, Caller(1, "ann"), ([2, 3], [1])),
        (READ, WRITE, Caller(1, "ann"), ([2], [])),
        (NONE, READ, Caller(1, "ann"), ([2], [])),
        (READ, WRITE, Caller(1, "ann", scope=Scope.READ), ([], [])),
        (READ, READ, Caller(1, "ann", experiment_ids=frozenset({1, 3})), ([3], [])),
        (NONE, READ, Caller(1, "ann", experiment_ids=frozenset({3})), ([], [])),
    ],
)
def test_searches_look_where_the_caller_may(
    default: Level, level: Level, caller: Caller, expected: tuple[list[int], list[int]]
) -> None:
    found = within(caller, Rights(default, {1: NONE, 2: WRITE}), EXPERIMENT, level)
    wanted, hidden = expected
    assert found.chosen([1, 2, 3]) == (wanted, ())
    everything, but = found.chosen(None)
    assert list(but) == hidden
    assert everything is None or set(everything) <= set(wanted)
    assert (everything is None) == bool(hidden)


def test_what_is_hidden_stays_hidden_in_what_is_named() -> None:
    assert Within(frozenset({1, 2}), frozenset({2})).chosen(None) == ([1], ())
    assert 2 not in Within(frozenset({1, 2}), frozenset({2}))


async def test_what_is_fresh_is_asked_for_once_and_what_was_forgotten_is_not_kept() -> None:
    asked, fresh, gate = 0, Fresh[str, int](60.0, 2), asyncio.Event()

    async def ask() -> int:
        nonlocal asked
        asked += 1
        await gate.wait()
        return asked

    waiting = asyncio.gather(fresh.get("a", ask), fresh.get("a", ask))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    fresh.forget()
    gate.set()
    assert await waiting == [1, 1]
    assert fresh.known("a") is None
    assert [await fresh.get(key, ask) for key in "abca"] == [2, 3, 4, 5]


async def test_errors_are_not_kept() -> None:
    fresh = Fresh[str, int](60.0, 2)

    async def fail() -> int:
        raise ValueError

    for _ in range(2):
        with pytest.raises(ValueError, match=r"^$"):
            await fresh.get("a", fail)
