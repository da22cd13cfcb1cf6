"""Logging, reading, files and stock HTTP over TLS, by every address that a server has."""

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import stepwell
from stepwell import StepwellClient
from tests.harness.servers.certificates import CertificateSet
from tests.harness.servers.processes import ServerProcess
from tests.tls.conftest import become

StartServer = Callable[..., ServerProcess]

MIB = 2**20


def trained(uri: str) -> None:
    """Log a run with a large file, and read both."""
    stepwell.set_tracking_uri(uri)
    with stepwell.start_run() as run:
        for step in range(2_000):
            stepwell.log_metric("loss", 0.5, step=step)
        stepwell.log_text("x" * 3 * MIB, "long.txt")
    assert len(stepwell.get_metric_history(run.info.run_id, "loss")) == 2_000
    assert len(stepwell.artifacts.load_text(f"{run.info.artifact_uri}/long.txt")) == 3 * MIB


@pytest.mark.usefixtures("trusting")
@pytest.mark.parametrize("way", ["page", "gRPC", "gRPC at the port of HTTP"])
def test_a_training(tls_server: ServerProcess, way: str) -> None:
    assert tls_server.url.startswith("https://127.0.0.1:")
    assert tls_server.tracking_uri.startswith("grpcs://127.0.0.1:")
    carried = f"grpcs://{urlsplit(tls_server.url).netloc}"
    trained({"page": tls_server.url, "gRPC": tls_server.tracking_uri}.get(way, carried))


def test_other_programs_over_https(tls_server: ServerProcess, certificates: CertificateSet) -> None:
    trusted = ssl.create_default_context(cafile=certificates.trusting["STEPWELL_TLS_CA"])
    trusted.set_alpn_protocols(["h2", "http/1.1"])  # as browsers do

    def ask(method: str, path: str, body: bytes | None = None) -> bytes:
        request = urllib.request.Request(f"{tls_server.url}{path}", body, method=method)
        request.add_header("content-type", "application/json")
        with urllib.request.urlopen(request, context=trusted) as answer:
            return answer.read()

    said = json.loads(ask("GET", "/api/stepwell/v1/server"))
    assert said["grpc"] == {"address": f"0.0.0.0:{tls_server.port}", "tls": True}
    created = ask("POST", "/api/2.0/mlflow/runs/create", b'{"experiment_id": "0"}')
    run_id = json.loads(created)["run"]["info"]["run_id"]
    path = f"/api/2.0/mlflow-artifacts/artifacts/0/{run_id}/artifacts/large.bin"
    content = bytes(range(256)) * (9 * MIB // 256) + b"end"
    ask("PUT", path, content)
    assert ask("GET", path) == content
    assert f"{tls_server.url}/health" in ask("GET", "/").decode()


def test_other_programs_in_plain_text_are_told(tls_server: ServerProcess) -> None:
    plain = tls_server.url.replace("https://", "http://")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{plain}/api/2.0/mlflow/experiments/get?experiment_id=0")
    with caught.value as answer:
        assert answer.code == 400
        assert "this port speaks TLS: use https://" in json.load(answer)["message"]


def test_clients_with_certificates(
    database_url: str,
    start_server: StartServer,
    certificates: CertificateSet,
    strangers: CertificateSet,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ca = certificates.trusting["STEPWELL_TLS_CA"]
    server = start_server("--store", database_url, *certificates.options, "--tls-client-ca", ca)
    become(monkeypatch, **certificates.known)
    trained(server.url)
    for uri in (server.url, server.tracking_uri):
        monkeypatch.setenv("STEPWELL_REACH_TIMEOUT_S", "0.5")
        become(monkeypatch, **certificates.trusting)
        with pytest.raises(
            stepwell.StepwellException, match=r"wants a certificate of its clients.*_CLIENT_CERT"
        ):
            StepwellClient(uri).get_experiment("0")
        become(monkeypatch, **{**strangers.known, **certificates.trusting})
        with pytest.raises(
            stepwell.StepwellException,
            match=r"refuses the certificate .*client\.pem.*(does not know|wants another)",
        ):
            StepwellClient(uri).get_experiment("0")
        # One file may have both, as MLflow's client wants it.
        both = "".join(
            Path(path).read_text() for name, path in certificates.known.items() if "_CLIENT_" in name
        )
        (certificates.folder / "both.pem").write_text(both)
        become(
            monkeypatch,
            MLFLOW_TRACKING_SERVER_CERT_PATH=ca,
            MLFLOW_TRACKING_CLIENT_CERT_PATH=str(certificates.folder / "both.pem"),
            STEPWELL_REACH_TIMEOUT_S="10",
        )
        assert StepwellClient(uri).get_experiment("0").name == "Default"


@pytest.mark.parametrize("address", ["url", "tracking_uri"])
def test_any_server_is_believed_where_that_is_said(
    tls_server: ServerProcess,
    address: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    become(monkeypatch, MLFLOW_TRACKING_INSECURE_TLS="true")
    assert StepwellClient(getattr(tls_server, address)).get_experiment("0").name == "Default"
    assert caplog.text.count("Any server is believed") == 1
