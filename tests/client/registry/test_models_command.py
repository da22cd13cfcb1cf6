"""`stepwell models`, run as people run it."""

import json
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

import stepwell
from stepwell import StepwellClient

pytestmark = [
    pytest.mark.usefixtures("tracking_uri"),
    pytest.mark.timeout(300),  # up to 20 processes each, one after the other, on a busy machine
]

STEPWELL = Path(sys.executable).with_name("stepwell")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(STEPWELL), "models", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def answer(*arguments: str) -> Any:
    """Run a command that succeeds with --json and return what it printed."""
    done = run(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def refused(*arguments: str) -> str:
    """Run a command that fails and return what it said, in one line."""
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (1, ""), done
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.fixture
def name() -> str:
    return f"it's {uuid.uuid4().hex}"


def test_from_a_run_to_production(name: str) -> None:
    with stepwell.start_run() as logged:
        stepwell.log_text("flavors: {}", "model/MLmodel")
    uri = f"runs:/{logged.info.run_id}/model"
    assert answer("register", uri, name, "--tag", "a=1=2")["tags"] == {"a": "1=2"}
    assert "Registered version 2" in run("register", uri, name).stdout
    assert answer("stage", name, "1", "production", "-m", "first")["current_stage"] == "Production"
    moved = answer("stage", name, "2", "Production", "--archive-existing", "--expect", "1")
    assert moved["version"] == 2
    assert "version 2 is in Production" in refused("stage", name, "1", "Production", "--expect", "1")
    assert answer("alias", name, "champion", "2", "--expect", "0")["aliases"] == ["champion"]
    assert f"champion of {name} is version 2" in run("alias", name, "champion").stdout
    assert "version 2, not for version 1" in refused("alias", name, "champion", "1", "--expect", "1")
    shown = run("show", name).stdout
    assert "stage Production" in shown
    assert "alias champion" in shown
    assert {it["version"]: it["current_stage"] for it in answer("versions", name)} == {
        1: "Archived",
        2: "Production",
    }
    assert [it["version"] for it in answer("versions", name, "--filter", "stage = 'Production'")] == [2]
    quoted = name.replace("'", "''")
    (model,) = answer("list", "--filter", f"name = '{quoted}'")
    assert [it["version"] for it in model["latest_versions"]] == [1, 2]
    changes = answer("history", name)
    assert (changes[0]["kind"], changes[-1]["kind"]) == ("alias_set", "model_created")
    assert "first" in run("history", name, "--version", "1").stdout


def test_descriptions_tags_and_removal(name: str) -> None:
    client = StepwellClient()
    client.create_registered_model(name)
    client.create_model_version(name, "s3://bucket/m", tags={"old": "1"})
    changed = answer("describe", name, "1", "--description", "d", "--tag", "k=v", "--remove-tag", "old")
    assert (changed["description"], changed["tags"]) == ("d", {"k": "v"})
    assert answer("describe", name, "--tag", "team=red")["tags"] == {"team": "red"}
    assert "KEY=VALUE" in run("describe", name, "--tag", "x").stderr
    assert "Give --description, --tag or --remove-tag." in run("describe", name).stderr
    answer("alias", name, "champion", "1")
    answer("alias", name, "champion", "--delete")
    assert "champion" in refused("alias", name, "champion")
    unanswered = run("delete", name, "1")
    assert (unanswered.returncode, "-y does it without asking" in unanswered.stderr) == (2, True)
    answer("delete", name, "1", "--yes")
    assert "version=1" in refused("stage", name, "1", "Staging")
    answer("delete", name, "-y")
    assert "not found" in refused("show", name)
    assert answer("history", name)[0]["kind"] == "model_deleted"


def test_what_changes_is_watched(name: str) -> None:
    client = StepwellClient()
    client.create_registered_model(name)
    number = client.registry_changes(name)[0].number
    command = [str(STEPWELL), "models", "watch", name, "--after", str(number), "--interval", "0.1"]
    command += ["--kind", "stage_changed", "--until-first", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watching:
        client.create_model_version(name, "s3://bucket/m")
        client.rename_registered_model(name, f"{name} renamed")
        client.transition_model_version_stage(f"{name} renamed", 1, "Staging", comment="go")
        seen = json.loads(watching.communicate(timeout=60)[0])
    assert watching.returncode == 0
    assert (seen["name"], seen["version"], seen["after"], seen["comment"]) == (
        f"{name} renamed",
        1,
        "Staging",
        "go",
    )
    assert "not found" in refused("watch", f"none {name}")
