"""Artifacts of MLflow's stores that a server serves over HTTP: only the one that the user names is asked."""

from pathlib import Path

import pytest

from stepwell import StepwellClient, StepwellException
from stepwell.transfer.mlflow.artifact_server import ArtifactServer
from tests.harness.mlflow_stores import Store, database_of, in_meta
from tests.harness.servers.processes import ServerProcess
from tests.harness.transfers import artifacts_of, imported

ODD = ("a b", "ü/ñ", "100%", "#1", "what?", "deep/er/x")


def test_artifacts_of_stores_come_from_the_server_that_is_named(
    client: StepwellClient, store: Store, server_process: ServerProcess, tmp_path: Path
) -> None:
    source = client.create_run("0").info
    for name in ODD:
        client.log_text(source.run_id, name, name)
    client.log_text(source.run_id, "", "empty")
    served = f"0/{source.run_id}/artifacts"
    below = f"{server_process.url}/api/2.0/mlflow-artifacts/artifacts"
    places = [f"mlflow-artifacts:/{served}", f"{below}/{served}", "https://else.example.org/0/a/artifacts"]
    for run, place in zip(store.runs, places, strict=True):
        (run / "artifacts" / "notes.txt").unlink()
        in_meta(f"artifact_uri: {run}/artifacts", f"artifact_uri: {place}")(run)
    for address in (server_process.url, below):
        report = imported("mlflow", str(store.folder), "--artifacts", address)
        assert report["rejected"] == 1, report
        assert "the artifacts are at https://else.example.org" in report["reasons"][0]
    for run in store.runs[:2]:
        found = artifacts_of(client, run.name, tmp_path / "back")
        assert found == {**{name: name for name in ODD}, "empty": ""}
    assert imported("mlflow", str(store.folder))["rejected"] == 3  # nobody has named the server
    database_of(tmp_path / "mlflow.db", [("c" * 31 + "1", f"mlflow-artifacts:/{served}")])
    report = imported("mlflow", f"sqlite:///{tmp_path}/mlflow.db", "--artifacts", server_process.url)
    assert (report["artifacts"], report["rejected"]) == (len(ODD) + 1, 0)


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("mlflow-artifacts:/0/a/artifacts", "0/a/artifacts"),
        ("mlflow-artifacts://host:1/0/a%20b", "0/a b"),
        ("https://host/x/api/2.0/mlflow-artifacts/artifacts/0/a", "0/a"),
        ("https://host/y/api/2.0/mlflow-artifacts/artifacts/0/a", None),
        ("https://host/x/api/2.0/mlflow-artifacts/artifacts/../../a", None),
        ("https://host/x/api/2.0/mlflow-artifacts/artifacts/%2e%2e/a", None),
        ("http://host/x/api/2.0/mlflow-artifacts/artifacts/0/a", None),
        ("s3://bucket/a", None),
    ],
)
def test_what_is_on_the_server(uri: str, path: str | None) -> None:
    assert ArtifactServer("https://me:secret@host/x/").path_of(uri) == path


@pytest.mark.parametrize("address", ["ftp://host", "https://", "https://me:secret@/x", "https://h/?a=b"])
def test_what_is_no_server(address: str) -> None:
    with pytest.raises(StepwellException, match="https://host:port") as caught:
        ArtifactServer(address)
    assert "secret" not in str(caught.value)
