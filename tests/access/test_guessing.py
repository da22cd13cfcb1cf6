"""Who guesses passwords: how many he gets to try, what he learns, and what he keeps others from."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from stepwell_server.errors import ExhaustedError, UnauthenticatedError
from stepwell_server.services.access import guessing, passwords
from stepwell_server.services.access.authentication import AUTHORIZATION_CHARS_MAX
from stepwell_server.services.access.guessing import (
    WRONG_PASSWORDS_MAX,
    WRONG_PASSWORDS_OF_ADDRESS_MAX,
    Guesses,
    network_of,
)
from stepwell_server.services.access.passwords import Passwords
from tests.harness.network.raw_http import Answer
from tests.harness.network.rest import Rest
from tests.harness.servers.access import ADMIN_PASSWORD, GuardedServer, basic


def wrong(guesses: Guesses, name: str, address: str) -> None:
    """Try a wrong password."""
    with pytest.raises(UnauthenticatedError), guesses.one(name, address):
        raise UnauthenticatedError("wrong")


def is_open(guesses: Guesses, name: str, address: str) -> bool:
    """Tell whether another password would be looked at."""
    try:
        guesses.check(name, address)
    except ExhaustedError:
        return False
    return True


def test_one_name_is_closed_to_who_guessed_and_to_nobody_else() -> None:
    guesses = Guesses()
    for _ in range(WRONG_PASSWORDS_MAX):
        assert is_open(guesses, "ann", "10.0.0.7")
        wrong(guesses, "ann", "10.0.0.7")
    assert not is_open(guesses, "ann", "10.0.0.7")
    assert is_open(guesses, "ann", "10.0.0.8"), "the owner is somewhere else"
    assert is_open(guesses, "ben", "10.0.0.7")


def test_many_names_from_one_address() -> None:
    guesses = Guesses()
    for number in range(WRONG_PASSWORDS_OF_ADDRESS_MAX):
        wrong(guesses, f"name {number}", "10.0.0.7")
    assert not is_open(guesses, "ann", "10.0.0.7")
    assert is_open(guesses, "ann", "10.0.0.8")


def test_right_passwords_and_those_that_nobody_looked_at_do_not_count() -> None:
    guesses = Guesses()
    for _ in range(2 * WRONG_PASSWORDS_MAX):
        with guesses.one("ann", "10.0.0.7"):
            pass
        with pytest.raises(ExhaustedError), guesses.one("ann", "10.0.0.7"):
            raise ExhaustedError("too many at once")
    assert is_open(guesses, "ann", "10.0.0.7")


def test_as_many_at_once_as_one_after_the_other() -> None:
    guesses = Guesses()
    with ExitStack() as stack:
        for _ in range(WRONG_PASSWORDS_MAX):
            stack.enter_context(guesses.one("ann", "10.0.0.7"))
        assert not is_open(guesses, "ann", "10.0.0.7")


def test_counts_are_few_and_small_whatever_the_names(monkeypatch: pytest.MonkeyPatch) -> None:
    guesses = Guesses()
    monkeypatch.setattr(guessing, "COUNTS_MAX", 100)
    for number in range(200):
        wrong(guesses, f"{number}" * 1_000, f"10.0.0.{number}")
    assert len(guesses._counts) <= 100
    assert {type(key) for key in guesses._counts} == {int}


def test_what_one_caller_has_for_sure() -> None:
    assert network_of("10.0.0.7") == network_of("::ffff:10.0.0.7") == "10.0.0.7"
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:2%eth0") != network_of("2001:db8:0:1::1")
    assert network_of("unix:") == "unix:"


async def test_passwords_of_one_do_not_hold_up_those_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "HASHES_MAX", 4)
    monkeypatch.setattr(passwords, "HASHES_OF_ONE_MAX", 3)
    looking = Passwords()

    async def tried(whose: str, count: int) -> Counter[str]:
        found = await asyncio.gather(
            *(looking.matches(None, "a password", whose) for _ in range(count)), return_exceptions=True
        )
        return Counter(type(it).__name__ for it in found)

    flood = asyncio.create_task(tried("10.0.0.7", 20))
    await asyncio.sleep(0)
    assert await tried("10.0.0.8", 1) == {"bool": 1}
    assert await flood == {"bool": 3, "ExhaustedError": 17}
    assert not await looking.matches(None, "x", "10.0.0.7")


async def test_a_password_that_nobody_waits_for_counts_until_it_is_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who hangs up at once does not have more looked at than who waits."""
    monkeypatch.setattr(passwords, "HASHES_OF_ONE_MAX", 2)
    looking = Passwords()
    for _ in range(2):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await looking.matches(None, "a password", "10.0.0.7")
    with pytest.raises(ExhaustedError):
        await looking.matches(None, "a password", "10.0.0.7")
    assert not await looking.matches(None, "a password", "10.0.0.8")


@pytest.fixture
def rest(guarded: GuardedServer) -> Iterator[Rest]:
    assert guarded.running.http_url is not None
    rest = Rest(guarded.running.http_url)
    yield rest
    rest.place.close()


async def test_guesses_at_once_and_what_they_tell(rest: Rest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guessing, "WRONG_PASSWORDS_MAX", 3)

    async def show(name: str, password: str) -> Answer:
        return await rest.send(
            "GET", "experiments/get", {"experiment_id": 0}, authorization=basic(name, password)
        )

    # Somebody is known: what he showed is believed for a while, for him and for nobody who guesses it.
    assert (await show("admin", ADMIN_PASSWORD)).status == 200
    tried = await asyncio.gather(*(show("admin", f"wrong {number}") for number in range(30)))
    assert Counter(answer.status for answer in tried)[401] <= 3
    while (answer := await show("admin", "wrong")).status != 429 or "wrong passwords" not in answer.json[
        "message"
    ]:
        pass
    assert (await show("admin", ADMIN_PASSWORD)).status == 429
    unknown = await show("nobody", "wrong")
    assert (unknown.status, unknown.json["message"]) == (401, "the name or the password is wrong")
    long = await rest.send("GET", "experiments/get", authorization=f"Bearer {'x' * AUTHORIZATION_CHARS_MAX}")
    assert (long.status, "too long" in long.json["message"]) == (401, True)


async def test_a_wrong_password_is_no_use_of_the_account(guarded: GuardedServer, rest: Rest) -> None:
    await rest.send("GET", "experiments/get", {"experiment_id": 0}, authorization=basic("admin", "wrong"))
    pool = guarded.running.pool
    assert pool is not None
    async with pool.connection() as connection:
        assert await connection.fetchval("SELECT last_used_time_ms FROM account") is None
        while not (found := await connection.fetch("SELECT action, origin FROM audit_entry")):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert [tuple(row) for row in found] == [("login.failed", "127.0.0.1")]
