"""What goes wrong with TLS is said in one clear sentence, and logging goes on."""

import logging
import ssl
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import stepwell
from stepwell import StepwellClient, StepwellException
from stepwell.files import bucket
from stepwell.files.elsewhere import web
from stepwell.files.elsewhere.allowance import Allowance
from stepwell.transfer.mlflow import calls
from tests.client.offline.test_offline import sync
from tests.client.test_http_address import page
from tests.harness.servers.certificates import CertificateSet, make_certificates
from tests.harness.servers.processes import ServerProcess
from tests.tls.conftest import become

StartServer = Callable[..., ServerProcess]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPWELL_REACH_TIMEOUT_S", "1.5")


def why(uri: str) -> str:
    """What is said of a server that cannot be used."""
    with pytest.raises(StepwellException) as caught:
        StepwellClient(uri).get_experiment("0")
    return str(caught.value)


def swapped(uri: str, scheme: str, host: str = "127.0.0.1") -> str:
    return f"{scheme}://{host}:{urlsplit(uri).port}"


@pytest.mark.usefixtures("trusting")
def test_plain_text_to_tls(tls_server: ServerProcess) -> None:
    grpc, page = tls_server.tracking_uri, tls_server.url
    assert f"speaks TLS; the address is {grpc}" in why(swapped(grpc, "grpc"))
    assert f"speaks TLS; the address is {grpc}" in why(swapped(grpc, "http"))
    assert f"speaks TLS; the address is {page}" in why(swapped(page, "http"))
    assert f"speaks TLS; the address is {page}" in why(swapped(page, "grpc"))
    assert f"gRPC port, the address is {grpc}" in why(swapped(grpc, "https"))


def test_tls_to_plain_text(shared_server: ServerProcess) -> None:
    grpc, page = shared_server.tracking_uri, shared_server.url
    assert f"does not speak TLS; without it the address is {grpc}" in why(swapped(grpc, "grpcs"))
    assert "does not speak TLS; use http://" in why(swapped(page, "https"))


def test_an_unknown_authority(
    tls_server: ServerProcess, strangers: CertificateSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    for uri in (tls_server.url, tls_server.tracking_uri):
        become(monkeypatch)
        assert "authority that is not trusted here" in (said := why(uri))
        assert "STEPWELL_TLS_CA names the PEM file" in said
        become(monkeypatch, **strangers.trusting)
        assert "ca.pem', which STEPWELL_TLS_CA names, has another" in why(uri)
        become(monkeypatch, SSL_CERT_FILE=strangers.trusting["STEPWELL_TLS_CA"])
        assert "SSL_CERT_FILE names, has another; STEPWELL_TLS_CA names the PEM file" in why(uri)


@pytest.fixture
def start_with(
    database_url: str, start_server: StartServer, tmp_path: Path
) -> Callable[..., tuple[ServerProcess, CertificateSet]]:
    def start(*hosts: str) -> tuple[ServerProcess, CertificateSet]:
        made = make_certificates(tmp_path / "of-names", *hosts)
        return start_server("--store", database_url, *made.options), made

    return start


def test_another_name(
    start_with: Callable[..., tuple[ServerProcess, CertificateSet]], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, made = start_with("localhost", "tracker.example.org")
    become(monkeypatch, **made.trusting)
    assert server.url == swapped(server.url, "https", "localhost"), "a name that the certificate has"
    for uri in (swapped(server.url, "https"), swapped(server.tracking_uri, "grpcs")):
        assert "not for '127.0.0.1' but for localhost, tracker.example.org" in why(uri)
    assert StepwellClient(server.url).get_experiment("0").name == "Default"


@pytest.mark.parametrize("scheme", ["grpcs", "https"])
def test_one_that_has_expired(scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_certificates(tmp_path / "expired", days=-0.01)
    become(monkeypatch, **made.trusting)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.files.certificate, made.files.key)
    with page({}, tls=context) as url:
        assert "its certificate has expired" in why(swapped(url, scheme))


def test_other_servers_are_checked_too(
    certificates: CertificateSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Buckets, files of the web, and servers of MLflow that are imported from."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.files.certificate, certificates.files.key)
    asked = "/api/2.0/mlflow/experiments/get"
    file = (200, {"content-length": "5"}, b"bytes")
    answers = {"/file.bin": file, "/file.bin?": file, asked: (200, {"content-length": "2"}, b"{}")}
    monkeypatch.setattr(calls, "ATTEMPTS", 1)
    with page(answers, tls=context) as plain, (tmp_path / "part").open("w+b") as part:
        url = plain.replace("http://", "https://")

        def fetched() -> list[object]:
            (tmp_path / "web").mkdir(exist_ok=True)
            with bucket.Session(url) as session:
                session.get(f"{url}/file.bin", part.fileno(), 0, 5, lambda count: None)
            file = web.fetch(f"{url}/file.bin", tmp_path / "web", Allowance(url, tmp_path / "web"))
            answer = calls.MlflowCalls(url).ask("experiments/get")
            return [part.read(), file.read_bytes(), answer]

        with pytest.raises(bucket.UnreachableError, match="CERTIFICATE_VERIFY_FAILED"):
            fetched()
        become(monkeypatch, **certificates.trusting)
        assert fetched() == [b"bytes", b"bytes", {}]


@pytest.mark.parametrize(
    ("variable", "content", "text"),
    [
        ("STEPWELL_TLS_CA", None, "STEPWELL_TLS_CA is .*, which cannot be read: No such file"),
        ("STEPWELL_TLS_CA", "no pem", "in which there is no certificate in PEM form"),
        ("STEPWELL_TLS_CLIENT_CERT", "no pem", "have to be in PEM form"),
        ("STEPWELL_TLS_CLIENT_CERT", None, "which cannot be read"),
        ("STEPWELL_TLS_CLIENT_KEY", "", "STEPWELL_TLS_CLIENT_CERT is not"),
    ],
)
def test_files_of_the_client(
    tls_server: ServerProcess,
    certificates: CertificateSet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    content: str | None,
    text: str,
) -> None:
    file = tmp_path / "file.pem"
    if content is not None:
        file.write_text(content)
    become(monkeypatch, **{**certificates.trusting, variable: str(file)})
    for uri in (tls_server.url, tls_server.tracking_uri):
        with pytest.raises(StepwellException, match=text) as caught:
            StepwellClient(uri).get_experiment("0")
        assert caught.value.error_code == "INVALID_PARAMETER_VALUE"


def test_logging_goes_on_and_is_delivered_later(
    tls_server: ServerProcess,
    certificates: CertificateSet,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("STEPWELL_SPOOL_DIR", str(tmp_path / "spools"))
    monkeypatch.setenv("STEPWELL_FLUSH_TIMEOUT_S", "1")
    stepwell.set_tracking_uri(tls_server.url)
    with caplog.at_level(logging.WARNING, "stepwell"), stepwell.start_run() as run:
        for step in range(100):
            stepwell.log_metric("loss", 0.5, step=step)
    assert "authority that is not trusted here" in caplog.text
    become(monkeypatch, **certificates.trusting)
    done = sync(str(tmp_path / "spools"), "--to", tls_server.url)
    assert done.returncode == 0, done.stderr
    assert len(StepwellClient(tls_server.url).get_metric_history(run.info.run_id, "loss")) == 100


def test_an_authority_that_is_mended_is_read_again(
    tls_server: ServerProcess,
    certificates: CertificateSet,
    strangers: CertificateSet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_bytes((strangers.folder / "ca.pem").read_bytes())
    become(monkeypatch, STEPWELL_TLS_CA=str(ca))
    client = StepwellClient(tls_server.tracking_uri)
    with pytest.raises(StepwellException, match="has another"):
        client.get_experiment("0")
    ca.write_bytes((certificates.folder / "ca.pem").read_bytes())
    assert client.get_experiment("0").name == "Default"
