"""PostgreSQLs at one of several hosts: the one that answers and takes writes."""

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from stepwell_server.errors import StartupError
from stepwell_server.process.deadline import Deadline
from stepwell_server.store.postgres import hosts
from stepwell_server.store.postgres.hosts import Hosts
from stepwell_server.store.postgres.pool import first_connection, open_pool
from stepwell_server.store.postgres.pooler import Database
from tests.harness.network.ports import free_port
from tests.harness.store.pgbouncer import running_pgbouncer


@contextmanager
def silent() -> Iterator[int]:
    """Yield a port where connections are taken, and nothing is said."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        yield listening.getsockname()[1]


def after(others: list[tuple[str, int]], store: str) -> str:
    """Return a URL that names other hosts before that of a store."""
    parts = urlsplit(store)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    last = (query.get("host") or parts.hostname, int(query.get("port") or parts.port or hosts.PORT))
    names, ports = zip(*others, last, strict=True)
    user = parts.netloc.rpartition("@")[0]
    return f"postgresql://{user}@{parts.path}?host={quote(','.join(names))}&port={','.join(map(str, ports))}"


async def test_hosts_that_are_away_or_say_nothing_are_passed_over(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosts, "HOST_TIMEOUT_S", 0.3)
    with silent() as port:
        url = after([("127.0.0.1", free_port()), ("127.0.0.1", port)], database_url)
        async with first_connection(url) as connection:
            assert await connection.fetchval("SELECT 1") == 1
        async with open_pool(url, Deadline(5)) as pool, pool.connection() as connection:
            assert await connection.fetchval("SHOW transaction_read_only") == "off"
        asked = Hosts(url)
        await (await asked.connect()).close()
        monkeypatch.setattr(hosts, "HOST_TIMEOUT_S", 60.0)  # the one that answered goes first
        await (await asked.connect()).close()


async def test_the_system_notices_when_the_other_machine_is_gone(database_url: str) -> None:
    with running_pgbouncer(database_url) as over_tcp:
        async with (
            open_pool(Database(over_tcp.url(database_url), is_pooled=True), Deadline(5)) as pool,
            pool.connection() as connection,
        ):
            opened = connection._con._transport.get_extra_info("socket")
            assert opened.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == hosts.SILENCE_S * 1_000


async def test_one_that_takes_no_writes_is_not_meant(database_url: str) -> None:
    url = after([("127.0.0.1", free_port())], database_url)
    with pytest.raises(StartupError, match="takes writes"):
        async with first_connection(f"{url}&default_transaction_read_only=on"):
            pass
    async with first_connection(f"{url}&default_transaction_read_only=on&target_session_attrs=any") as found:
        assert await found.fetchval("SHOW transaction_read_only") == "on"


@pytest.mark.parametrize(
    ("url", "places"),
    [
        ("postgresql://me:a%2Cb@one/runs", [("one", 5432)]),
        ("postgresql://me@one,two:5433/runs", [("one", 5432), ("two", 5433)]),
        ("postgresql://[::1]:5433,[::2]/runs", [("::1", 5433), ("::2", 5432)]),
        ("postgresql://me@/runs?host=%2Fone,two&port=1,2", [("/one", 1), ("two", 2)]),
        ("postgresql://me@/runs?host=one,two&port=1", [("one", 1), ("two", 1)]),
        ("postgresql:///runs", []),
    ],
)
def test_urls_name_hosts_as_elsewhere(url: str, places: list[tuple[str, int]]) -> None:
    assert Hosts(url)._places == places
