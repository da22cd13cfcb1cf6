import pytest

from stepwell_server.app import told_facts
from stepwell_server.config import Config, TlsFiles, is_loopback, without_password


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:secret@db:5432/runs", "postgresql://me:***@db:5432/runs"),
        ("postgresql://me@db/runs", "postgresql://me@db/runs"),
        ("postgresql://me:a@b@db/runs", "postgresql://me:***@db/runs"),
        ("postgresql://db/runs?user=me&password=secret", "postgresql://db/runs?user=me&password=***"),
        ("postgresql://me@/runs?host=%2Ftmp%2Fx", "postgresql://me@/runs?host=/tmp/x"),
        ("postgresql://me:sec/ret@db/runs", "postgresql://me:***@db/runs"),
        ("postgresql://me:sec?ret#x@db/runs", "postgresql://me:***@db/runs"),
        ("postgresql://me:[secret@db/runs", "postgresql://me:***@db/runs"),
        ("postgresql://me:s@e:c/r@db/runs", "postgresql://me:***@db/runs"),
        ("postgresql://db/runs?user=me&PASSWORD=secret", "postgresql://db/runs?user=me&PASSWORD=***"),
        ("postgresql://db/runs?user=a@b&sslpassword=secret", "postgresql://db/runs?user=a@b&sslpassword=***"),
        ("host=db password=secret", "***"),
    ],
)
def test_a_shown_url_has_no_password(url: str, shown: str) -> None:
    assert without_password(url) == shown


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "localhost", "::1", "[::1]"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.org"])
def test_not_loopback(host: str) -> None:
    assert not is_loopback(host)


TLS = TlsFiles("server.pem", "server-key.pem")


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (Config(host="10.0.0.7"), ("10.0.0.7:7", False)),
        (
            Config(host="10.0.0.7", tls=TLS),
            ("0.0.0.0:7", True),
        ),  # a certificate is for the name that was asked for
        (Config(host="10.0.0.7", http_host="10.0.0.8", tls=TLS), ("10.0.0.7:7", True)),
        (Config(advertise_grpc="tracker:1"), ("tracker:1", False)),
        (Config(advertise_grpc="grpcs://tracker:1"), ("tracker:1", True)),
        (Config(advertise_grpc="tracker:1", tls=TLS), ("tracker:1", True)),
        (Config(advertise_grpc="grpc://tracker:1", tls=TLS), ("tracker:1", False)),
    ],
)
def test_where_clients_are_told_that_grpc_is(config: Config, told: tuple[str, bool]) -> None:
    facts = told_facts(config, 7)
    assert (facts.grpc_address, facts.grpc_tls) == told
