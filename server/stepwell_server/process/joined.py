"""Coroutines that belong together: all, or what the first one raised; many, some at once; in turn; one for many."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterable, Sequence
from typing import Any, Generic, TypeVar

T = TypeVar("T")


async def all_of(coroutines: Sequence[Coroutine[Any, Any, T]]) -> Sequence[T]:
    """Run coroutines at the same time and return their results in order; the first that fails ends the others."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(coroutine) for coroutine in coroutines]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]


async def watched(
    works: AsyncIterator[Coroutine[Any, Any, None]], at_once: int, every_s: float
) -> AsyncGenerator[None]:
    """Run coroutines, so many at once, each asked for when there is room, and yield now and then meanwhile.

    The first that fails ends the others, and so does leaving the loop.
    """
    alone = asyncio.Lock()

    async def work() -> None:
        while True:
            async with alone:
                following = await anext(works, None)
            if following is None:
                return
            await following

    workers = [asyncio.create_task(work()) for _ in range(at_once)]
    try:
        waiting = set(workers)
        while waiting:
            done, waiting = await asyncio.wait(waiting, timeout=every_s, return_when=asyncio.FIRST_EXCEPTION)
            for worker in done:
                worker.result()
            yield
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


async def one_ahead(coroutines: Iterable[Coroutine[Any, Any, T]]) -> AsyncGenerator[T]:
    """Yield what coroutines return, which run in turn; while the caller works on a result, the next is under way."""
    following = iter(coroutines)
    first = next(following, None)
    if first is None:
        return
    under_way = asyncio.create_task(first)
    try:
        for coroutine in following:
            found = await under_way
            under_way = asyncio.create_task(coroutine)
            await asyncio.sleep(0)  # it begins before this thread is busy
            yield found
        yield await under_way
    finally:
        under_way.cancel()
        await asyncio.gather(under_way, return_exceptions=True)


class OneForAll(Generic[T]):
    """Something that is looked up now and then, once for all who ask before it begins."""

    def __init__(self, look_up: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._look_up = look_up
        self._alone = asyncio.Lock()
        self._next: asyncio.Task[T] | None = None

    async def next(self) -> T:
        """Return what a look-up finds that begins after this call did."""
        if self._next is None:
            self._next = asyncio.create_task(self._begin())
        return await asyncio.shield(self._next)

    async def _begin(self) -> T:
        async with self._alone:
            self._next = None
            return await self._look_up()
