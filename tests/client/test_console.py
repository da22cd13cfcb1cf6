"""Consoles of processes: captured whole and in order, beside what they show, and nothing is broken or held up by it."""

import io
import os
import subprocess
import sys
import threading
from dataclasses import dataclass

import grpc
import pytest

import stepwell
from stepwell.errors import StepwellException
from stepwell.runs import console
from stepwell_api.v1 import ingest_pb2, series_pb2, writers_pb2
from stepwell_api.v1.writers_pb2_grpc import WriterServiceStub
from tests.harness.servers.processes import ServerProcess

ESCAPES = "\x1b[31mred\x1b[0m <script>document.title='taken'</script>"


@dataclass
class Consoles:
    """Reads the consoles of runs."""

    stub: WriterServiceStub

    def lines(self, run_id: str, stream: int = ingest_pb2.CONSOLE_STREAM_OUTPUT) -> list[str]:
        pieces = self.stub.ReadConsole(writers_pb2.ReadConsoleRequest(run_id=run_id, limit=1_000)).pieces
        return [line for it in pieces if it.lines.stream == stream for line in it.lines.text.split("\n")]


@pytest.fixture
def consoles(shared_server: ServerProcess) -> Consoles:
    stepwell.set_tracking_uri(shared_server.tracking_uri)
    with grpc.insecure_channel(f"127.0.0.1:{shared_server.port}") as channel:
        yield Consoles(WriterServiceStub(channel))


def test_what_is_written_is_shown_and_logged(consoles: Consoles, capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout, sys.stderr
    with stepwell.start_run(log_console=True) as run:
        print("hello", "wörld")
        print(ESCAPES)
        print("10%\r20%\r30%")
        print("bad \ud800 half and \0 nul", file=io.StringIO())
        sys.stderr.write("a warning\nwithout end")
        print("the last", end="")
    assert (sys.stdout, sys.stderr) == before
    assert capsys.readouterr().out == f"hello wörld\n{ESCAPES}\n10%\r20%\r30%\nthe last"
    assert consoles.lines(run.info.run_id) == ["hello wörld", ESCAPES, "30%", "the last"]
    assert consoles.lines(run.info.run_id, ingest_pb2.CONSOLE_STREAM_ERROR) == ["a warning", "without end"]


def test_it_is_off_unless_asked_for(consoles: Consoles, monkeypatch: pytest.MonkeyPatch) -> None:
    before = sys.stdout
    with stepwell.start_run() as run:
        assert sys.stdout is before
        print("nobody's business")
    assert consoles.lines(run.info.run_id) == []
    monkeypatch.setenv("STEPWELL_LOG_CONSOLE", "true")
    with stepwell.start_run() as run:
        print("by setting")
    assert consoles.lines(run.info.run_id) == ["by setting"]
    with stepwell.start_run(log_console=False) as run:
        print("not this one")
    assert consoles.lines(run.info.run_id) == []


def test_threads_nested_runs_and_forks(consoles: Consoles) -> None:
    with stepwell.start_run(log_console=True) as outer:
        with stepwell.start_run(nested=True, log_console=True) as inner:
            print("both")
        threads = [
            threading.Thread(target=lambda n=n: [print(f"{n} {i}") for i in range(200)]) for n in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if (child := os.fork()) == 0:
            print("of a fork")
            os._exit(0)
        os.waitpid(child, 0)
        print("after the fork")
    assert consoles.lines(inner.info.run_id) == ["both"]
    lines = consoles.lines(outer.info.run_id)
    assert (lines[0], lines[-1]) == ("both", "after the fork")
    assert {f"{n} {i}" for n in range(4) for i in range(200)} <= set(lines)
    assert "of a fork" not in lines


def test_whoever_has_put_something_over_the_streams_keeps_it(consoles: Consoles) -> None:
    before = sys.stdout
    run = stepwell.start_run(log_console=True)
    over = io.StringIO()
    sys.stdout, tee = over, sys.stdout
    try:
        stepwell.end_run()
        assert sys.stdout is over
        tee.write("written through to what was there before\n")
    finally:
        sys.stdout = before
    assert consoles.lines(run.info.run_id) == []


def test_what_is_too_much_is_counted(consoles: Consoles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPWELL_CONSOLE_BYTES_MAX", "100000")
    with stepwell.start_run(log_console=True) as run:
        for number in range(10_000):
            print(f"line {number:06}")
    request = writers_pb2.ReadConsoleRequest(run_id=run.info.run_id, limit=1_000)
    pieces = consoles.stub.ReadConsole(request).pieces
    kept = sum(len(it.lines.text.split("\n")) for it in pieces if it.lines.text)
    assert 0 < kept < 10_000
    assert kept + sum(it.lines.left_out for it in pieces) == 10_000
    monkeypatch.setenv("STEPWELL_CONSOLE_BYTES_MAX", "much")
    with pytest.raises(StepwellException, match="must be bytes"):
        stepwell.start_run(log_console=True)
    assert stepwell.active_run() is None


def test_consoles_are_read_backwards_and_followed(consoles: Consoles) -> None:
    capture = ["a" * 60_000, "b" * 60_000, "c" * 60_000]
    with stepwell.start_run() as run:
        for number, text in enumerate(capture):
            run.writer.log_console(console.OUTPUT, number, text, 0)
    read = consoles.stub.ReadConsole
    last = read(writers_pb2.ReadConsoleRequest(run_id=run.info.run_id, limit=2))
    assert [it.lines.text[0] for it in last.pieces] == ["b", "c"]
    assert last.has_more
    first = read(writers_pb2.ReadConsoleRequest(run_id=run.info.run_id, before=last.pieces[0].place, limit=2))
    assert ([it.lines.text[0] for it in first.pieces], first.has_more) == (["a"], False)
    known = series_pb2.WriterPosition(
        run_id=run.info.run_id,
        writer_id=first.pieces[0].place.writer_id,
        position=first.pieces[0].place.position,
    )
    after = read(writers_pb2.ReadConsoleRequest(run_id=run.info.run_id, after=[known], limit=1))
    assert ([it.lines.text[0] for it in after.pieces], after.has_more) == (["b"], True)
    with pytest.raises(grpc.RpcError, match="exclude each other"):
        read(
            writers_pb2.ReadConsoleRequest(
                run_id=run.info.run_id, after=[known], before=first.pieces[0].place
            )
        )


def test_a_script_that_dies_leaves_its_last_words(consoles: Consoles) -> None:
    script = (
        "import stepwell, sys\n"
        f"stepwell.set_tracking_uri({stepwell.get_tracking_uri()!r})\n"
        "run = stepwell.start_run(log_console=True)\n"
        "sys.__stdout__.write(run.info.run_id)\n"
        "raise ValueError('out of memory, nearly')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    errors = consoles.lines(done.stdout.split()[0], ingest_pb2.CONSOLE_STREAM_ERROR)
    assert errors[-1] == "ValueError: out of memory, nearly"


def test_writers_tell_how_they_stand(consoles: Consoles) -> None:
    with stepwell.start_run(rank=3) as run:
        stepwell.log_metric("loss", 1.0, step=7)
        stepwell.flush()
        (writer,) = consoles.stub.ListWriters(writers_pb2.ListWritersRequest(run_id=run.info.run_id)).writers
        assert (writer.rank, writer.process_id, writer.is_alive) == (3, os.getpid(), True)
        assert writer.position > 0
        assert writer.committed_time_ms >= writer.opened_time_ms
    with stepwell.start_run(run_id=run.info.run_id, resume_from_step=5):
        pass
    answer = consoles.stub.ListWriters(writers_pb2.ListWritersRequest(run_id=run.info.run_id))
    hidden = {
        it.hidden_from_step: it.hidden_points_max for it in answer.writers if it.HasField("hidden_from_step")
    }
    assert (hidden, answer.count) == ({5: 1}, 2)
    with pytest.raises(grpc.RpcError, match="does not exist"):
        consoles.stub.ListWriters(writers_pb2.ListWritersRequest(run_id="0" * 32))
