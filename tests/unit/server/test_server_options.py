"""Options of MLflow's server mean the same here, or say what to use instead."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stepwell_server import cli
from stepwell_server.config import Config

POSTGRESQL = "postgresql://me:secret@db/runs"


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """With which configurations servers were started, without starting them."""
    found: list[Config] = []

    async def serve(config: Config) -> None:
        found.append(config)

    monkeypatch.setattr(cli, "serve", serve)
    monkeypatch.setattr(cli, "set_up_logs", lambda *_: None)
    return found


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli.server, arguments)


@pytest.mark.parametrize("url", [POSTGRESQL, POSTGRESQL.replace("://", "+psycopg2://")])
def test_a_store_by_mlflows_name(started: list[Config], url: str) -> None:
    assert run("--backend-store-uri", url).exit_code == 0
    assert started[0].store == POSTGRESQL


@pytest.mark.parametrize("option", ["--artifacts-destination", "--default-artifact-root"])
def test_artifacts_by_mlflows_names(started: list[Config], tmp_path: Path, option: str) -> None:
    assert run(option, str(tmp_path)).exit_code == 0
    assert run(option, "mlflow-artifacts:/").exit_code == 0
    assert [config.artifacts for config in started] == [str(tmp_path), None]


def test_a_root_beside_a_destination(started: list[Config], tmp_path: Path) -> None:
    """New experiments have the root, and may name the destination, as in MLflow."""
    destination, root = "s3://bucket/served", "gs://bucket/direct"
    assert run("--artifacts-destination", destination, "--default-artifact-root", root).exit_code == 0
    assert run("--artifacts", str(tmp_path), "--default-artifact-root", root).exit_code == 0
    assert run("--artifacts", destination, "--default-artifact-root", "mlflow-artifacts:/").exit_code == 0
    assert [config.artifacts for config in started] == [root, root, destination]
    assert [config.artifact_buckets for config in started] == [(destination,), (), ()]
    assert [config.artifact_folders for config in started] == [(), (str(tmp_path),), ()]


def test_a_usual_start_of_mlflows_server(started: list[Config]) -> None:
    done = run(
        "-p", "8080", "-w", "2", "--serve-artifacts", "--static-prefix", "/mlflow/", "--allowed-hosts", "a,b"
    )
    assert done.exit_code == 0, done.output
    (config,) = started
    assert (config.http_port, config.workers, config.static_prefix) == (8080, 2, "/mlflow")
    assert config.allowed_hosts == ("a", "b")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--backend-store-uri", "sqlite:///mlflow.db"], "'sqlite' is no PostgreSQL"),
        (["--backend-store-uri", "./mlruns"], "stepwell import mlflow"),
        (["--backend-store-uri", "mysql://me:secret@db/runs"], "'mysql' is no PostgreSQL"),
        (["--registry-store-uri", POSTGRESQL], "same database"),
        (["--gunicorn-opts", "--timeout 600"], "--workers"),
        (["--expose-prometheus", "/tmp/x"], "/metrics"),
        (["--no-serve-artifacts"], "by themselves"),
        (["--disable-security-middleware"], "--allowed-hosts"),
        (["--static-prefix", "mlflow"], "a path like /stepwell"),
        (["--static-prefix", "/a b"], "a path like /stepwell"),
        (["--static-prefix", "/../x"], "a path like /stepwell"),
        (["--static-prefix", "/a/./x"], "a path like /stepwell"),
        (["--advertise-grpc", "tracker:0"], "HOST:PORT"),
        (["--advertise-grpc", "tracker:65536"], "HOST:PORT"),
        (["--allowed-hosts", "a,http://tracker"], "'http://tracker' has to be HOST"),
        (["--allowed-hosts", "tracker/path"], "has to be HOST"),
        (["--allowed-hosts", "a b"], "'a b' has to be HOST"),
        (["--allowed-hosts", "tracker.*"], "has to be HOST"),
        (["--webhook-hosts", "https://ci.example.org/hook"], "has to be HOST"),
        (["--allowed-origins", "notebooks.example.org"], "like https://notebooks.example.org"),
        (["--allowed-origins", "https://a.example.org/x"], "without a path"),
        (["--advertise-grpc", "tracker"], "HOST:PORT"),
        (["--advertise-grpc", "http://tracker:1"], "HOST:PORT"),
        (["--host", "0.0.0.0"], "at 0.0.0.0. --auth lets"),
        (["--host", "tracker.example.org", "--no-http"], "at tracker.example.org. --auth lets"),
        (["--http-host", "::"], "at ::. --auth lets"),
        (["--tls-cert", "server.pem"], "--tls-cert and --tls-key, both"),
        (["--tls-client-ca", "ca.pem"], "stepwell certificates make"),
        (["--no-http", "--http-port", "8080"], "leave out --http-port"),
    ],
)
def test_what_cannot_be_taken(started: list[Config], arguments: list[str], text: str) -> None:
    done = run(*arguments)
    assert (done.exit_code, started) == (2, [])
    assert text in done.output
    assert "secret" not in done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    "given",
    [
        "--allowed-hosts *",
        "--allowed-hosts tracker.example.org:8080,*.example.org,[::1],10.0.0.7,gpu_box",
        "--allowed-hosts [2001:db8::1]:5000,localhost:*,192.168.*",
        "--webhook-hosts ci.example.org:8443,*.hooks.example.org",
        "--allowed-origins *",
        "--allowed-origins https://a.example.org/,http://localhost:8888",
        "--advertise-grpc grpcs://[::1]:443",
        "--static-prefix /a.b/~c/..d",
        "--host 0.0.0.0 --insecure",
        "--host 0.0.0.0 --auth",
        "--host localhost --http-host ::1",
        "--http-host 10.0.0.7 --no-http",
        "--tls-cert server.pem --tls-key key.pem --tls-client-ca ca.pem",
    ],
)
def test_what_can_be_taken(started: list[Config], given: str) -> None:
    done = run(*given.split())
    assert done.exit_code == 0, done.output


def test_hidden_options_are_not_listed() -> None:
    told = run("--help").output
    assert "--backend-store-uri" in told
    assert "--gunicorn-opts" not in told


@pytest.mark.parametrize(
    ("given", "grpc", "http"),
    [
        ("", 50051, 5000),
        ("--port 8080", 50051, 8080),
        ("-p 8080 --grpc-port 9090", 9090, 8080),
        ("--port 9090 --http-port 8080", 9090, 8080),
        ("--http-port 0", 50051, 0),
        ("--port 9090 --no-http", 9090, None),
        ("--grpc-port 0 --no-http", 0, None),
    ],
)
def test_which_port_is_whose(started: list[Config], given: str, grpc: int, http: int | None) -> None:
    assert run(*given.split()).exit_code == 0
    assert (started[0].port, started[0].http_port) == (grpc, http)
