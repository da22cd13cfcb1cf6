"""`stepwell ui` and `stepwell.show()`: the page from a terminal and from a notebook."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import pytest

import stepwell
from stepwell import settings
from stepwell.runs import active
from tests.harness.servers.processes import ServerProcess

WAIT_S = 60
HEX_ID = "0123456789abcdef" * 2


@pytest.fixture
def browser(tmp_path: Path) -> tuple[dict[str, str], Callable[[], str]]:
    """The environment of a terminal with a browser that notes what it is to open, and what it noted."""
    noted = tmp_path / "opened"
    program = tmp_path / "browser"
    program.write_text(f'#!/bin/sh\necho "$1" > {noted}\n')
    program.chmod(0o755)
    hidden = ("DISPLAY", "WAYLAND_DISPLAY", "STEPWELL_TRACKING_URI", "MLFLOW_TRACKING_URI")
    around = {name: value for name, value in os.environ.items() if name not in hidden}
    return {**around, "BROWSER": f"{program} %s"}, lambda: noted.read_text().strip()


def ui(*words: str) -> list[str]:
    return [sys.executable, "-c", "from stepwell.cli import main; main()", "ui", *words]


def said(command: list[str], environment: dict[str, str], code: int = 0) -> str:
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=WAIT_S, check=False
    )
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def test_the_page_of_a_server_is_opened(
    shared_server: ServerProcess, browser: tuple[dict[str, str], Callable[[], str]]
) -> None:
    environment, opened = browser
    assert "was opened" in said(ui("--tracking-uri", shared_server.url), environment)
    assert opened() == shared_server.url
    without = {name: value for name, value in environment.items() if name != "BROWSER"}
    told = said(ui("--tracking-uri", shared_server.url), without)
    assert f"The page is at {shared_server.url}. There is no display here" in told
    assert said(ui("--tracking-uri", shared_server.url, "--no-open"), without).strip() == shared_server.url
    assert "HTTP address" in said(ui("--tracking-uri", "grpc://127.0.0.1:1"), without, 1)
    assert "no Stepwell server at http://127.0.0.1:9" in said(
        ui("--tracking-uri", "http://127.0.0.1:9"), without, 1
    )


def test_a_server_is_started_where_none_runs(
    tmp_path: Path, browser: tuple[dict[str, str], Callable[[], str]]
) -> None:
    environment, opened = browser
    options = ("--grpc-port", "0", "--http-port", "0", "--data", str(tmp_path / "data"))
    with subprocess.Popen(
        ui(*options), env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as command:
        assert command.stdout is not None
        lines = iter(command.stdout)
        page = next(line for line in lines if "was opened" in line)
        assert opened() in page
        os.killpg(command.pid, signal.SIGINT)  # as Ctrl-C does
        assert command.wait(WAIT_S) == 0


def test_a_notebook_shows_the_page_in_a_frame(shared_server: ServerProcess) -> None:
    stepwell.set_tracking_uri(shared_server.url)
    active._last_run_id.set(None)  # of other tests
    page = shared_server.url
    assert repr(stepwell.show()) == f"{page}/#/"
    with stepwell.start_run() as run:
        place = f"{page}/#/experiments/0/runs/{run.info.run_id}"
        assert repr(stepwell.show()) == place
    assert [repr(it) for it in (stepwell.show(), stepwell.show(run), stepwell.show(run.info.run_id))] == [
        place
    ] * 3
    assert repr(stepwell.show(stepwell.get_experiment("0"))) == f"{page}/#/experiments/0"
    compared = stepwell.show([run, run.info.run_id], height=300)
    assert unquote(compared.url) == f'{page}/#/compare?runs=["{run.info.run_id}","{run.info.run_id}"]'
    markup = compared._repr_html_()
    assert 'height="300"' in markup
    assert "allow-top-navigation" not in markup
    assert f'src="{compared.url}"' in markup
    for wrong, reason in (([], "0 runs"), (["x"] * 101, "101 runs"), ("f" * 32, "no run")):
        with pytest.raises(stepwell.StepwellException, match=reason):
            stepwell.show(wrong)
    with pytest.raises(stepwell.StepwellException, match="pixels"):
        stepwell.show(height=0)
    settings.set_tracking_uri("grpc://127.0.0.1:1")
    with pytest.raises(stepwell.StepwellException, match="HTTP address"):
        stepwell.show()


def test_what_stands_in_an_address_is_no_markup() -> None:
    settings.set_tracking_uri('http://127.0.0.1:5000/"><script>alert(1)</script>')
    markup = stepwell.show([HEX_ID])._repr_html_()
    assert "<script" not in markup
