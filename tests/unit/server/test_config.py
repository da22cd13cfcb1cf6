import pytest

from stepwell_server.config import is_loopback, without_password


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
