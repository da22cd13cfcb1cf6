"""What is looked up once for all who ask before it begins."""

import asyncio

import pytest

from stepwell_server.process.joined import OneForAll


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
