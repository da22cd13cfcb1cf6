"""What each caller may do in a second, with a clock of the test's own."""

import asyncio

import pytest

from stepwell_server.config import CallerLimits
from stepwell_server.errors import ExhaustedError
from stepwell_server.process import rates
from stepwell_server.process.rates import BURST_S, POINTS_WAIT_S_MAX, Rates


class Clock:
    now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def made(clock: Clock, **limits: float) -> Rates:
    return Rates(CallerLimits(**limits), clock)


def test_calls_of_one_caller_are_refused_until_there_is_room(clock: Clock) -> None:
    rates = made(clock, calls_per_s=10)
    burst = int(10 * BURST_S)
    for _ in range(burst + 1):
        rates.call("ann")
    with pytest.raises(ExhaustedError, match="10 calls a second") as refused:
        rates.call("ann")
    assert refused.value.retry_after_s == pytest.approx(0.1)
    rates.call("bob")
    clock.now_s += refused.value.retry_after_s
    rates.call("ann")


def test_nothing_is_limited_that_has_no_limit(clock: Clock) -> None:
    rates = made(clock)
    for _ in range(10_000):
        rates.call("ann")
    with rates.searching("ann"):
        clock.now_s += 1_000
    with rates.searching("ann"):
        asyncio.run(rates.points("ann", 10**12))
    asyncio.run(rates.points("ann", 1))


def test_points_wait_for_their_turn_and_are_refused_when_that_is_far(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(rates.asyncio, "sleep", sleep)
    limiter = made(clock, points_per_s=100)
    asyncio.run(limiter.points("ann", 100 * int(BURST_S) + 300))  # in debt for three seconds
    asyncio.run(limiter.points("ann", 400))
    assert waited == [pytest.approx(3.0)]
    with pytest.raises(ExhaustedError, match="100 points a second") as refused:
        asyncio.run(limiter.points("ann", 1))
    assert refused.value.retry_after_s == pytest.approx(7.0)
    clock.now_s += 7.0 - POINTS_WAIT_S_MAX
    asyncio.run(limiter.points("ann", 1))


def test_searches_pay_with_their_time(clock: Clock) -> None:
    rates = made(clock, searching=0.5)
    with rates.searching("ann"):
        clock.now_s += 3.0
    with pytest.raises(ExhaustedError, match=r"0\.5 seconds of searches") as refused, rates.searching("ann"):
        pass
    # Three seconds were taken, half of one was there, and half a second comes each second.
    assert refused.value.retry_after_s == pytest.approx((3.0 - 0.5 * BURST_S - 1.5) / 0.5)


def test_callers_that_are_remembered_have_a_limit(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "CALLERS_MAX", 2)
    limiter = made(clock, calls_per_s=1)
    for who in ("ann", "bob", "cid"):
        limiter.call(who)
    assert list(limiter._callers) == ["bob", "cid"]
