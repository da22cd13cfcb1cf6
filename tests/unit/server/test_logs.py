"""What a line of the log has, as JSON and as text."""

import json
import logging
import sys
from asyncio import create_task
from collections.abc import Iterator

import pytest

from stepwell_server.process.logger import bind_fields, get_logger
from stepwell_server.process.logs import set_up_logs

log = get_logger("stepwell_server.tried")


@pytest.fixture(autouse=True)
def root() -> Iterator[None]:
    """What `set_up_logs` changes of the whole process is put back."""
    roots, ours = logging.getLogger(), logging.getLogger("stepwell_server")
    before = roots.handlers[:], roots.level, ours.level
    ours.setLevel(logging.NOTSET)
    yield
    roots.handlers[:] = before[0]
    roots.setLevel(before[1])
    ours.setLevel(before[2])


def failed() -> ValueError:
    secret = "never told"  # noqa: F841 - a local variable, which no traceback may show
    try:
        raise ValueError("seven")
    except ValueError as error:
        return error


async def test_a_line_of_json_has_the_fields_and_those_of_its_context(
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_up_logs("json", "info")

    async def call() -> None:
        bind_fields(trace_id="7")
        log.info("100 % done", count=3, path="ä\n", of=object)

    await create_task(call())
    log.debug("left out", count=4)
    logging.getLogger("grpc").warning("a call of %s", "theirs")
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert first.pop("timestamp").endswith("Z")
    assert first == {
        "event": "100 % done",
        "level": "info",
        "logger": "stepwell_server.tried",
        "trace_id": "7",
        "count": 3,
        "path": "ä\n",
        "of": "<class 'object'>",
    }
    assert (second["event"], second["level"], "trace_id" in second) == ("a call of theirs", "warning", False)


def test_an_error_comes_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("json", "info")
    log.error("it broke", exc_info=failed())
    line = capsys.readouterr().err
    assert json.loads(line)["exception"].endswith("ValueError: seven")
    assert "never told" not in line


def test_text_is_one_line_whatever_a_caller_sends(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("text", "info")
    log.warning("refused", path="/a\n2026 [error] forged", key="plain", count=3, empty="", quoted="a b")
    [line] = capsys.readouterr().err.splitlines()
    assert "[warning ] refused " in line
    assert line.endswith(r"path='/a\n2026 [error] forged' key=plain count=3 empty='' quoted='a b'")
    assert "\033" not in line


def test_a_terminal_gets_colours(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    set_up_logs(None, "info")
    log.info("ready")
    assert "[\033[32minfo    \033[0m] \033[1mready" in capsys.readouterr().err
