"""`stepwell login --browser`: a program that shows an address, and somebody who says yes there."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from stepwell.commands.access.by_browser import code_of
from stepwell_server.services.access import logins
from tests.harness.servers.processes import ANSWER_TIMEOUT_S, ServerProcess, command_line, neutral_environment
from tests.harness.servers.shared import server_of_many

PASSWORD = "correct horse"
OWN = {"x-stepwell-page": "1"}
ADDRESS = re.compile(r"http\S+/#/login/((?:\w{4}-){3}\w{4})\?name=\S+")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    environment = {"STEPWELL_ADMIN_PASSWORD": PASSWORD}
    with server_of_many(tmp_path_factory, "--auth", environment=environment) as running:
        yield running


def test_both_sides_make_the_same_code() -> None:
    assert code_of("a secret") == logins.code_of("a secret")


def test_a_program_is_let_in(server: ServerProcess, tmp_path: Path) -> None:
    environment = {**neutral_environment(), "XDG_CONFIG_HOME": str(tmp_path), "HOME": str(tmp_path)}
    command = command_line("login", "--browser", "--tracking-uri", server.url)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env={**environment, "DISPLAY": ""}, **pipes) as program:
        shown = next(found for line in program.stdout if (found := ADDRESS.search(line)))
        with httpx2.Client(timeout=ANSWER_TIMEOUT_S, base_url=server.url, headers=OWN) as browser:
            session = "/api/stepwell/v1/session"
            assert browser.post(session, json={"name": "admin", "password": PASSWORD}).status_code == 204
            confirmed = browser.post("/api/stepwell/v1/logins", json={"code": shown[1], "name": "my shell"})
            assert confirmed.status_code == 204
        said, complaints = program.communicate()
        assert program.returncode == 0, complaints
    assert "You are 'admin'" in said
    kept = (tmp_path / "stepwell" / "credentials").read_text()
    token = kept.split()[-1]
    assert token.startswith("stepwell_")
    assert token not in said + complaints
    whoami = command_line("whoami", "--tracking-uri", server.url)
    known = subprocess.run(whoami, env=environment, capture_output=True, text=True, check=True)
    assert known.stdout.startswith("admin")
