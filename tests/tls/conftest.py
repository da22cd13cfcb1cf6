"""Real servers with real certificates: one that anybody may reach, and one that asks clients for theirs."""

from collections.abc import Iterator

import pytest

from stepwell.delivery import offline
from stepwell.files.outgoing import outbox
from stepwell.wire import connection, tls
from tests.harness.servers.certificates import CertificateSet, make_certificates
from tests.harness.servers.processes import ServerProcess
from tests.harness.servers.shared import server_of_many


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> CertificateSet:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> CertificateSet:
    """Of an authority that nobody else knows."""
    return make_certificates(tmp_path_factory.mktemp("strangers"))


@pytest.fixture(scope="session")
def tls_server(
    tmp_path_factory: pytest.TempPathFactory, certificates: CertificateSet
) -> Iterator[ServerProcess]:
    with server_of_many(tmp_path_factory, *certificates.options) as server:
        yield server


@pytest.fixture
def trusting(monkeypatch: pytest.MonkeyPatch, certificates: CertificateSet) -> None:
    """This process believes the server."""
    become(monkeypatch, **certificates.trusting)


@pytest.fixture(autouse=True)
def _believing_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls, "_said_insecure", False)
    become(monkeypatch)


def become(monkeypatch: pytest.MonkeyPatch, **environment: str) -> None:
    """Have these variables of TLS and no others, and know no server."""
    for name in (
        "STEPWELL_TLS_CA",
        "STEPWELL_TLS_CLIENT_CERT",
        "STEPWELL_TLS_CLIENT_KEY",
        "STEPWELL_TLS_INSECURE",
        "MLFLOW_TRACKING_SERVER_CERT_PATH",
        "MLFLOW_TRACKING_CLIENT_CERT_PATH",
        "MLFLOW_TRACKING_INSECURE_TLS",
        "SSL_CERT_FILE",
    ):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(connection, "_connections", {})
    monkeypatch.setattr(offline, "_unreachable_since", {})
    monkeypatch.setattr(outbox, "_away_until", {})
