"""Signing in, accounts, tokens, grants and the audit by command, and what a client does whose token is refused."""

import json
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click import Command
from click.testing import CliRunner

import stepwell
from stepwell import StepwellClient, settings
from stepwell.commands.access.audit import audit
from stepwell.commands.access.grants import access
from stepwell.commands.access.login import login, logout, whoami
from stepwell.commands.access.tokens import tokens
from stepwell.commands.access.users import groups, users
from stepwell.wire import credentials
from tests.harness.client_errors import refused
from tests.harness.servers.access import ADMIN_PASSWORD
from tests.harness.servers.processes import ServerProcess

COMMANDS: dict[str, Command] = {
    "audit": audit,
    "access": access,
    "login": login,
    "logout": logout,
    "whoami": whoami,
    "tokens": tokens,
    "users": users,
    "groups": groups,
}


@pytest.fixture
def tracking_uri(
    start_server: Callable[..., ServerProcess],
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[str]:
    """A server with accounts, whom nobody has signed in to."""
    server = start_server(
        "--store",
        database_url,
        "--data",
        str(tmp_path),
        "--auth",
        environment={"STEPWELL_ADMIN_PASSWORD": ADMIN_PASSWORD},
    )
    monkeypatch.setenv("STEPWELL_TRACKING_URI", server.tracking_uri)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    yield server.tracking_uri
    assert not re.search(r"stepwell_[\w-]{40}", server.log())


def call(*words: str, typed: str = "", code: int = 0) -> str:
    result = CliRunner().invoke(COMMANDS[words[0]], words[1:], input=typed)
    assert result.exit_code == code, (result.output, result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.output


def call_json(*words: str, typed: str = "") -> Any:
    return json.loads(call(*words, "--json", typed=typed).splitlines()[-1])


def test_people_sign_in_and_are_given_rights(tracking_uri: str) -> None:
    assert "stepwell login" in call("whoami", code=1)
    assert "the name or the password is wrong" in call("login", "--user", "admin", typed="wrong\n", code=1)
    assert not credentials.path().exists()
    assert "You are 'admin'" in call(
        "login", "--user", "admin", "--scope", "admin", typed=f"{ADMIN_PASSWORD}\n"
    )
    assert stat.S_IMODE(credentials.path().stat().st_mode) == 0o600
    assert "an admin; by a token" in call("whoami")
    who = call_json("whoami")
    assert (who["name"], who["admin"], who["scope"]) == ("admin", True, "admin")

    call("users", "add", "ann", typed="a long password\n")
    assert "has 3" not in call("users", "add", "ben", typed="abc\n", code=1)
    call("users", "add", "robot", "--service")
    assert "no account 'zoe'" in call("groups", "add", "vision", "ann", "zoe", code=1)
    assert call_json("groups", "list") == []
    assert call_json("groups", "add", "vision", "ann")["members"] == ["ann"]
    experiment_id = StepwellClient().create_experiment("cats")
    assert call_json("access", "default", "none") == {"default": "none"}
    call("access", "grant", "write", "--group", "vision", "--experiment", "cats")
    shown = call_json("access", "show", "--experiment", experiment_id)
    assert [(it["subject"], it["name"], it["level"]) for it in shown["grants"]] == [
        ("group", "vision", "write")
    ]
    assert "vision" in call("access", "show")

    made = call_json("tokens", "create", "training", "--user", "robot", "--experiment", "cats")
    assert made["secret"].startswith("stepwell_")
    assert (made["scope"], list(map(str, made["experiments"]))) == ("write", [experiment_id])
    listed = call("tokens", "list", "--all")
    assert "training" in listed
    assert made["secret"] not in listed
    call("tokens", "revoke", str(made["id"]))

    call("login", "--user", "ann", typed="a long password\n")
    assert StepwellClient().get_experiment(experiment_id).name == "cats"
    assert "login --scope admin" in call("audit", code=1)
    assert "nothing on standard input" in call("login", code=2)
    call("logout")
    assert "stepwell login" in call("whoami", code=1)

    call("login", "--user", "admin", "--scope", "admin", typed=f"{ADMIN_PASSWORD}\n")
    entries = call_json("audit")
    assert {it["from"] for it in entries} == {"127.0.0.1"}
    done = [(it["user"], it["action"]) for it in entries]
    assert ("admin", "login.failed") in done
    assert {"user.added", "group.added", "token.created", "token.revoked", "access.changed"} <= {
        it[1] for it in done
    }
    assert (
        call("users", "remove", "admin", code=1)
        == "Error: 'admin' is the only admin; make another one first\n"
    )
    told = json.dumps(call_json("audit", "--limit", "1000"))
    assert ADMIN_PASSWORD not in told
    assert made["secret"] not in told


def test_who_is_refused_keeps_what_was_logged(
    tracking_uri: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "admin")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", ADMIN_PASSWORD)
    monkeypatch.setenv("STEPWELL_FLUSH_TIMEOUT_S", "3")
    with stepwell.start_run() as run:
        stepwell.log_metric("loss", 0.5, step=1)
    token = call_json("tokens", "create", "short")
    monkeypatch.delenv("MLFLOW_TRACKING_USERNAME")
    monkeypatch.setenv("STEPWELL_TRACKING_TOKEN", token["secret"])
    with stepwell.start_run(run_id=run.info.run_id):
        stepwell.log_metric("loss", 0.4, step=2)
        stepwell.flush()
        monkeypatch.setenv("STEPWELL_TRACKING_TOKEN", "stepwell_made_up")
        with refused("UNAUTHENTICATED", "not known"):
            StepwellClient().get_run(run.info.run_id)
    with refused("UNAUTHENTICATED", "stepwell login"), stepwell.start_run():
        pass
    monkeypatch.setenv("STEPWELL_TRACKING_TOKEN", token["secret"])
    assert [it.step for it in StepwellClient().get_metric_history(run.info.run_id, "loss")] == [1, 2]


def test_a_file_that_others_may_read_is_refused(tracking_uri: str) -> None:
    call("login", "--user", "admin", typed=f"{ADMIN_PASSWORD}\n")
    credentials.path().chmod(0o644)
    with refused("UNAUTHENTICATED", "chmod 600"):
        StepwellClient().get_experiment("0")
    assert settings.credentials() == ("", "", "")
