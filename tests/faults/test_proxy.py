"""The proxy fails as it says, and only so. Beside it: a server that sends back what it gets."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from tests.harness.network.proxy import Proxy, Way

PATIENCE_S = 10.0
SILENCE_S = 0.2


@pytest.fixture
def echo_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def echo(connection: socket.socket) -> None:
            with contextlib.suppress(OSError), connection:
                while data := connection.recv(65_536):
                    connection.sendall(data)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=echo, args=(listener.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def proxy(echo_port: int) -> Iterator[Proxy]:
    with Proxy(echo_port) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: Proxy) -> Iterator[socket.socket]:
    with connected(proxy) as client:
        assert said(client, b"hello") == b"hello"
        yield client


def connected(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), PATIENCE_S)


def said(client: socket.socket, data: bytes) -> bytes:
    client.sendall(data)
    return heard(client, len(data))


def heard(client: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (part := client.recv(size - len(data))):
        data += part
    return data


def is_silent(client: socket.socket) -> bool:
    client.settimeout(SILENCE_S)
    try:
        client.recv(1)
    except TimeoutError:
        return True
    finally:
        client.settimeout(PATIENCE_S)
    return False


def test_it_passes_everything_both_ways(proxy: Proxy, client: socket.socket) -> None:
    data = bytes(range(256)) * 4_000
    answers: list[bytes] = []
    reader = threading.Thread(target=lambda: answers.append(heard(client, len(data))))
    reader.start()
    client.sendall(data)
    reader.join(PATIENCE_S)
    assert answers == [data]
    client.shutdown(socket.SHUT_WR)
    assert client.recv(1) == b""
    assert proxy.bytes_passed == dict.fromkeys(Way, len(data) + 5)


def test_a_cut_resets_and_new_connections_are_possible(proxy: Proxy, client: socket.socket) -> None:
    proxy.cut()
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    with connected(proxy) as again:
        assert said(again, b"back") == b"back"


def test_a_gentle_cut_ends_the_connection(proxy: Proxy, client: socket.socket) -> None:
    proxy.cut(reset=False)
    assert client.recv(1) == b""


def test_a_pause_loses_nothing(proxy: Proxy, client: socket.socket) -> None:
    proxy.pause()
    client.sendall(b"wait")
    assert is_silent(client)
    proxy.heal()
    assert heard(client, 4) == b"wait"


def test_one_way_can_be_held(proxy: Proxy, client: socket.socket) -> None:
    before = proxy.bytes_passed[Way.UP]
    proxy.hold(Way.DOWN)
    client.sendall(b"ask")
    assert is_silent(client)
    assert proxy.bytes_passed[Way.UP] == before + 3
    proxy.heal()
    assert heard(client, 3) == b"ask"


def test_dropped_bytes_end_their_connection_when_it_heals(proxy: Proxy, client: socket.socket) -> None:
    proxy.drop(Way.DOWN)
    client.sendall(b"lost")
    assert is_silent(client)
    proxy.heal()
    with pytest.raises(ConnectionResetError):
        client.recv(1)


def test_abandoned_connections_stay_silent_and_new_ones_work(proxy: Proxy, client: socket.socket) -> None:
    proxy.abandon()
    client.sendall(b"nobody is there")
    proxy.heal()
    assert is_silent(client)
    with connected(proxy) as again:
        assert said(again, b"fresh") == b"fresh"


def test_a_slow_connection_still_passes_everything_in_order(proxy: Proxy, client: socket.socket) -> None:
    proxy.slow(20_000)
    data = bytes(range(250)) * 8
    assert said(client, data) == data


def test_refusing_and_accepting_again_on_the_same_port(proxy: Proxy, client: socket.socket) -> None:
    proxy.refuse()
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    with pytest.raises(ConnectionRefusedError):
        connected(proxy)
    proxy.heal()
    with connected(proxy) as again:
        assert said(again, b"back") == b"back"


def test_a_server_that_is_away_looks_so_and_may_come_back_elsewhere(echo_port: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = taken.getsockname()[1]
    with Proxy(nobody) as proxy:
        # Refused, or taken and reset at once: the proxy learns only by trying.
        with pytest.raises(ConnectionError), connected(proxy) as client:
            client.recv(1)
        proxy.redirect(echo_port)
        with connected(proxy) as client:
            assert said(client, b"here") == b"here"
