"""Work that is left for later: in order, in the context of the call, bounded, waited for; forks have none of it."""

import os
import subprocess
import sys
import threading
from contextvars import ContextVar
from pathlib import Path

import pytest

from stepwell import beside
from stepwell.beside import Beside

place: ContextVar[str] = ContextVar("place", default="")


def test_work_is_done_in_order_in_the_context_of_its_call() -> None:
    ours, done = Beside(), []
    for name in ("first", "second"):
        token = place.set(name)
        ours.leave("run", lambda: done.append((place.get(), threading.current_thread().name)))
        place.reset(token)
    assert ours.wait() == 0
    assert done == [("first", "stepwell-beside"), ("second", "stepwell-beside")]


def test_a_run_is_waited_for_but_not_what_comes_behind() -> None:
    ours, stop, done = Beside(), threading.Event(), []
    ours.leave("a", lambda: done.append("a"))
    ours.leave("b", stop.wait)
    assert ours.wait("a") == 0
    assert done == ["a"]
    assert ours.wait("b", 0.01) == 1
    stop.set()
    assert ours.wait() == 0


def test_work_within_work_is_done_at_once_and_does_not_wait_for_itself() -> None:
    ours, done = Beside(), []

    def work() -> None:
        ours.leave("run", lambda: done.append("inner"))
        done.append(ours.wait("run"))

    ours.leave("run", work)
    ours.wait()
    assert done == ["inner", 0]


def test_a_fault_is_told_and_the_next_piece_is_done(caplog: pytest.LogCaptureFixture) -> None:
    ours, done = Beside(), []
    ours.leave("run", lambda: 1 / 0)
    ours.leave("run", lambda: done.append(1))
    ours.wait()
    assert done == [1]
    assert "ZeroDivisionError" in caplog.text


def test_the_call_waits_where_there_is_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "BYTES_MAX", 100)
    ours, stop = Beside(), threading.Event()
    ours.leave("run", stop.wait, 90)
    caller = threading.Thread(target=ours.leave, args=("run", lambda: None, 20))
    caller.start()
    caller.join(0.05)
    assert caller.is_alive()
    stop.set()
    caller.join(30)
    assert not caller.is_alive()
    ours.leave("run", lambda: None, 1_000)  # alone, it may be larger
    assert ours.wait() == 0


def test_a_fork_begins_with_nothing(tmp_path: Path) -> None:
    stop, done = threading.Event(), tmp_path / "done"
    beside.leave("run", stop.wait)
    beside.leave("run", lambda: done.write_text(f"{done.exists() and done.read_text()}{os.getpid()}"))
    child = os.fork()
    if child == 0:
        ok = beside.wait(timeout_s=30) == 0
        beside.leave("run", lambda: (tmp_path / "child").write_text("also works"))
        beside.wait(timeout_s=30)
        os._exit(0 if ok else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    stop.set()
    assert beside.wait() == 0
    assert done.read_text() == f"False{os.getpid()}"
    assert (tmp_path / "child").exists()


def test_the_end_of_the_process_waits_and_work_may_still_use_threads() -> None:
    script = (
        "import time\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from stepwell import beside\n"
        "def work():\n"
        "    time.sleep(0.3)\n"
        "    with ThreadPoolExecutor() as threads: print(threads.submit(lambda: 'done').result())\n"
        "beside.leave('run', work)\n"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout == "done\n"


def test_what_is_not_done_by_the_end_is_told() -> None:
    script = "import time\nfrom stepwell import beside\nbeside.leave('run', lambda: time.sleep(60))\n"
    found = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "STEPWELL_EXIT_TIMEOUT_S": "0.1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "1 pieces are not logged" in found.stderr
    assert "STEPWELL_EXIT_TIMEOUT_S" in found.stderr


def test_pieces_are_put_off_while_something_trains() -> None:
    ours, done = Beside(), []
    with ours.training():
        ours.leave("run", lambda: done.append("first"))
        with ours.training():
            ours.leave("run", lambda: done.append("second"))
        assert not done
    assert ours.wait() == 0
    assert done == ["first", "second"]


def test_who_waits_within_a_training_does_not_wait_for_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "PUT_OFF_S", 600.0)
    ours, done = Beside(), []

    def work() -> None:
        ours.give_way()
        done.append(1)

    with ours.training():
        ours.leave("run", work)
        assert ours.wait("run", 30) == 0
        ours.leave("run", work)
        assert ours.wait(None, 30) == 0
    assert done == [1, 1]


def test_a_long_training_puts_pieces_off_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "PUT_OFF_S", 0.01)
    ours, done = Beside(), threading.Event()
    with ours.training():
        ours.leave("run", done.set)
        assert done.wait(30)


def test_pieces_begin_by_themselves_when_nothing_trains_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "PUT_OFF_S", 600.0)
    ours, done = Beside(), threading.Event()
    with ours.training():
        ours.leave("run", done.set)
    assert done.wait(30)


def test_between_two_trainings_of_a_row_no_piece_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "PUT_OFF_S", 600.0)
    monkeypatch.setattr(beside, "BREATH_S", 600.0)
    ours, done = Beside(), threading.Event()
    with ours.training():
        ours.leave("run", done.set)
    assert not done.wait(0.2)
    assert ours.wait() == 0
    assert done.is_set()


def test_a_full_queue_is_not_put_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "PUT_OFF_S", 600.0)
    monkeypatch.setattr(beside, "PIECES_MAX", 1)
    ours, done = Beside(), []
    with ours.training():
        for number in range(3):
            ours.leave("run", lambda number=number: done.append(number))
    ours.wait()
    assert done == [0, 1, 2]
