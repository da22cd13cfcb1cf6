"""What is looked up once for all who ask before it begins; many coroutines of which some are at work, or the next."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest

from stepwell_server.process.joined import OneForAll, one_ahead, watched


async def test_one_look_up_is_for_all_who_wait_and_later_ones_get_the_next() -> None:
    begun: list[int] = []
    started, go_on, state = asyncio.Event(), asyncio.Event(), 1

    async def look_up() -> int:
        begun.append(state)
        started.set()
        seen = state
        await go_on.wait()
        return seen

    shared = OneForAll(look_up)
    first = [asyncio.create_task(shared.next()) for _ in range(3)]
    await started.wait()
    state = 2  # what the one that has begun may have missed
    later = [asyncio.create_task(shared.next()) for _ in range(3)]
    await asyncio.sleep(0)
    later[0].cancel()  # keeps it from nobody
    go_on.set()
    assert await asyncio.gather(*first) == [1, 1, 1]
    assert await asyncio.gather(*later[1:]) == [2, 2]
    assert begun == [1, 2]
    assert await shared.next() == 2
    assert begun == [1, 2, 2]


async def test_a_look_up_that_fails_is_told_to_all_and_tried_anew() -> None:
    answers = iter((1, 0))

    async def look_up() -> float:
        return 1 / (next(answers) - 1)

    shared = OneForAll(look_up)
    for failure in await asyncio.gather(shared.next(), shared.next(), return_exceptions=True):
        assert isinstance(failure, ZeroDivisionError)
    assert await shared.next() == -1
    with pytest.raises(RuntimeError):  # no more answers
        await shared.next()


async def test_some_are_at_work_at_once_and_the_first_that_fails_ends_the_others() -> None:
    at_work, most, ended = set[int](), 0, list[int]()

    async def work(number: int) -> None:
        nonlocal most
        at_work.add(number)
        most = max(most, len(at_work))
        try:
            await asyncio.sleep(0 if number < 20 else 60)
            if number == 19:
                raise ValueError(str(number))
        finally:
            at_work.discard(number)
            ended.append(number)

    async def works(*numbers: int) -> AsyncIterator[Coroutine[Any, Any, None]]:
        for number in range(*numbers):
            yield work(number)

    async for _ in watched(works(19), 3, 60):
        pass
    assert (sorted(ended), most, at_work) == (list(range(19)), 3, set())
    with pytest.raises(ValueError, match="19"):
        async for _ in watched(works(100), 3, 60):
            pass
    assert at_work == set()
    assert max(ended) < 23
    steps = watched(works(20, 30), 3, 0)  # they take long
    while len(at_work) < 3:
        await anext(steps)
    await steps.aclose()
    assert at_work == set()


async def test_the_next_begins_before_a_result_is_worked_on_and_only_then() -> None:
    seen: list[str] = []

    async def work(number: int) -> int:
        seen.append(f"begin {number}")
        await asyncio.sleep(0)
        seen.append(f"end {number}")
        return number

    async for number in one_ahead(work(number) for number in range(3)):
        seen.append(f"work on {number}")
        await asyncio.sleep(0.01)
    in_turn = [entry for entry in seen if not entry.startswith("work")]
    assert in_turn == [f"{what} {number}" for number in range(3) for what in ("begin", "end")]
    assert [seen.index(f"begin {number + 1}") < seen.index(f"work on {number}") for number in (0, 1)] == [
        True
    ] * 2
    assert [number async for number in one_ahead(work(number) for number in range(0))] == []


async def test_who_leaves_ends_what_is_under_way() -> None:
    ended: list[int] = []

    async def work(number: int) -> int:
        try:
            await asyncio.sleep(0 if number == 0 else 60)
        finally:
            ended.append(number)
        return number

    works = one_ahead(work(number) for number in range(3))
    assert await anext(works) == 0
    await works.aclose()
    assert ended == [0, 1]
