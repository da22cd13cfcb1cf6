"""`stepwell models webhooks`, run as people run it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stepwell import StepwellClient
from tests.harness.client_errors import refused
from tests.harness.servers.processes import ServerProcess

pytestmark = pytest.mark.timeout(300)  # up to a dozen processes each, one after the other, on a busy machine

STEPWELL = Path(sys.executable).with_name("stepwell")
NOBODY = "http://127.0.0.1:1/hook"
SECRET = "a secret of some length"


@pytest.fixture
def client(
    start_server: Callable[..., ServerProcess],
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> StepwellClient:
    server = start_server("--store", database_url, "--data", str(tmp_path), "--webhook-hosts", "127.0.0.1")
    monkeypatch.setenv("STEPWELL_TRACKING_URI", server.tracking_uri)
    monkeypatch.setenv("STEPWELL_WEBHOOK_SECRET", SECRET)
    return StepwellClient()


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(STEPWELL), "models", "webhooks", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def answer(*arguments: str) -> Any:
    done = run(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    assert SECRET not in done.stdout + done.stderr
    return json.loads(done.stdout)


def test_webhooks_come_change_and_go(client: StepwellClient) -> None:
    created = answer("create", "ci", NOBODY, "--event", "stage_changed", "--model", "m")
    assert (created["events"], created["model_name"], created["status"]) == (["stage_changed"], "m", "ACTIVE")
    assert answer("list") == [created]
    tried = run("test", created["webhook_id"])
    assert (tried.returncode, "not delivered" in tried.stderr) == (1, True)
    assert answer("update", created["webhook_id"], "--pause", "--name", "new")["status"] == "DISABLED"
    assert "'new' is ACTIVE" in run("update", created["webhook_id"], "--resume").stdout
    answer("delete", created["webhook_id"])
    on_call = answer("create", "on-call", NOBODY, "--event", "alert")
    assert on_call["events"] == ["alert"]
    answer("delete", on_call["webhook_id"])
    assert client.list_webhooks() == []
    refusal = run("create", "ci", "http://example.org/")
    assert (refusal.returncode, "--webhook-hosts" in refusal.stderr) == (1, True)
    with refused("INVALID_PARAMETER_VALUE", "no event 'x'"):
        client.create_webhook("ci", NOBODY, ["x"], secret=SECRET)
    with refused("RESOURCE_DOES_NOT_EXIST", "no webhook"):
        client.delete_webhook("0" * 32)
