"""A folder that somebody else prepared: nothing of this user's goes to them, and what is beside it is delivered."""

import grp
import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import textwrap
import uuid
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest

import stepwell
from stepwell.delivery import experiment_tags, left_delivery
from stepwell.delivery.left_delivery import deliver_left
from stepwell.delivery.left_log import LeftLog
from stepwell.files.outgoing import outbox, waiting
from stepwell.spool import folders, places, safe_files
from stepwell.spool.writer_file import read_writer, rewrite_writer
from stepwell.wire import background
from stepwell_api.v1 import artifacts_pb2, artifacts_pb2_grpc, ingest_pb2, ingest_pb2_grpc
from tests.harness.servers.processes import ServerProcess

SECRET = b"-----BEGIN PRIVATE KEY-----"
RUN = """
import sys
import stepwell
with stepwell.start_run(run_name="innocent") as run:
    for step in range(10):
        stepwell.log_metric("loss", step / 2, step=step)
    print(run.info.run_id)
"""
ARTIFACT = RUN.replace("    print", "    stepwell.log_text('mine', 'mine.txt')\n    print")


class Thief(artifacts_pb2_grpc.ArtifactServiceServicer, ingest_pb2_grpc.IngestServiceServicer):
    """A server of somebody else, which takes everything."""

    def __init__(self) -> None:
        self.taken: list[object] = []

    def BeginUploads(self, request: Any, context: object) -> Any:
        self.taken.append(request)
        plan = artifacts_pb2.UploadPlan(through_server=artifacts_pb2.ThroughServer(), upload_id="u")
        return artifacts_pb2.BeginUploadsResponse(plans=[plan] * len(request.files))

    def UploadSmall(self, request: Any, context: object) -> Any:
        self.taken.append(request)
        return artifacts_pb2.UploadSmallResponse()

    def CompleteUploads(self, request: Any, context: object) -> Any:
        return artifacts_pb2.CompleteUploadsResponse()

    def Stream(self, requests: Iterator[Any], context: object) -> Iterator[Any]:
        """Open a stream and end it: nothing is ever committed."""
        self.taken.append(next(requests))
        yield ingest_pb2.StreamResponse(opened=ingest_pb2.WriterOpened())


@pytest.fixture
def thief() -> Iterator[tuple[Thief, str]]:
    server = grpc.server(futures.ThreadPoolExecutor(4))
    service = Thief()
    artifacts_pb2_grpc.add_ArtifactServiceServicer_to_server(service, server)
    ingest_pb2_grpc.add_IngestServiceServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield service, f"grpc://127.0.0.1:{port}"
    server.stop(None)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place of the test's own for spools; so they all belong to this user."""
    folder = tmp_path / "spools"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("STEPWELL_SPOOL_DIR", str(folder))
    return folder


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "id_rsa"
    path.write_bytes(SECRET)
    path.chmod(0o600)
    return path


def sync(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", "from stepwell.cli import main; main()", "sync", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)


def run_left_offline(place: Path, script: Callable[..., Any], text: str = RUN) -> tuple[str, Path]:
    """The id of a run that waits, and its spool."""
    before = set(folders.spools(place))
    answer = script(text, STEPWELL_MODE="offline")
    assert answer.returncode == 0, answer.stderr
    (spool,) = set(folders.spools(place)) - before
    return answer.stdout.strip(), spool


def runs_left_offline(
    place: Path, script: Callable[..., Any], count: int, text: str = RUN
) -> list[tuple[str, Path]]:
    """Ids of runs of one process that wait, each with its spool."""
    before = set(folders.spools(place))
    answer = script(f"for _ in range({count}):{textwrap.indent(text, '    ')}", STEPWELL_MODE="offline")
    assert answer.returncode == 0, answer.stderr
    left = set(folders.spools(place)) - before
    assert len(left) == count
    return [(read_writer(spool).run_id, spool) for spool in left]


def artifact_left(place: Path, uri: str, path: str = "stolen.txt") -> Path:
    """The note of an artifact that waits for a server, as version 1 wrote it; its bytes are still missing."""
    run_id = uuid.uuid4().hex
    folder = place / "artifacts" / run_id
    folder.mkdir(mode=0o700, parents=True)
    note = folder / "00000000000000000001-aa.json"
    note.write_text(
        json.dumps({"run_id": run_id, "path": path, "tracking_uri": uri, "logged_time_ms": 1, "version": 1})
    )
    return note


def stored_steps(run_id: str) -> list[int]:
    return [point.step for point in stepwell.get_metric_history(run_id, "loss")]


def test_what_was_logged_for_another_server_goes_there_only_if_somebody_says_so(
    place: Path, script: Callable[..., Any], tracking_uri: str, thief: tuple[Thief, str], secret: Path
) -> None:
    service, its_uri = thief
    note = artifact_left(place, its_uri)
    note.with_suffix(".data").write_bytes(SECRET)
    _, spool = run_left_offline(place, script)
    rewrite_writer(spool, replace(read_writer(spool), tracking_uri=its_uri))
    answer = script(ARTIFACT + "stepwell.fluent_artifacts.flush_artifact_async_logging()\n")
    assert answer.returncode == 0, answer.stderr
    synced = sync()
    assert (synced.returncode, service.taken) == (1, [])
    assert synced.stdout.count(f"stepwell sync --to {its_uri}") == 2
    assert "Left: 2 of 2" in synced.stdout
    sync("--to", its_uri)
    assert service.taken


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_nothing_is_read_through_links_in_the_outbox(
    place: Path, tracking_uri: str, secret: Path, link: Callable[..., None]
) -> None:
    note = artifact_left(place, tracking_uri)
    link(secret, note.with_suffix(".data"))
    run = stepwell.start_run(run_name="there")
    run_id = run.info.run_id
    note = note.replace(note.with_name("1.json"))
    note.with_name("00000000000000000001-aa.data").replace(note.with_suffix(".data"))
    note.write_text(json.dumps({**json.loads(note.read_text()), "run_id": run_id}))
    stepwell.end_run()
    report = outbox.deliver_outbox()
    assert (report.delivered, report.waiting, len(report.left)) == (0, 0, 1)
    assert ("symbolic link" if link is os.symlink else "hard link") in report.left[0]
    synced = sync()
    assert synced.returncode == 1
    assert str(note.with_suffix(".data").name) in synced.stdout
    assert stepwell.artifacts.list_artifacts(f"runs:/{run_id}") == []


def test_a_folder_of_the_outbox_that_is_a_link_is_not_followed(
    place: Path, tracking_uri: str, tmp_path: Path
) -> None:
    note = artifact_left(place, tracking_uri)
    note.with_suffix(".data").write_bytes(SECRET)
    elsewhere = tmp_path / "elsewhere"
    note.parent.rename(elsewhere)
    note.parent.symlink_to(elsewhere)
    (left,) = outbox.deliver_outbox().left
    assert "symbolic link" in left
    shutil.move(place / "artifacts", tmp_path / "artifacts")
    (place / "artifacts").symlink_to(tmp_path / "artifacts")
    (left,) = outbox.deliver_outbox().left
    assert "symbolic link" in left


@pytest.mark.parametrize("suffix", [".json", ".data"])
def test_an_artifact_that_was_damaged_while_it_waited_is_not_sent(
    place: Path, monkeypatch: pytest.MonkeyPatch, tracking_uri: str, suffix: str
) -> None:
    with stepwell.start_run() as run:
        monkeypatch.setenv("STEPWELL_MODE", "offline")
        stepwell.log_text("a text", "a.txt")
        stepwell.log_text("a text", "b.txt")
        monkeypatch.delenv("STEPWELL_MODE")
    first, second = waiting.notes(place / "artifacts" / run.info.run_id)
    damaged = first.with_suffix(suffix)
    assert damaged.stat().st_mode & 0o777 == 0o600
    data = bytearray(damaged.read_bytes())
    data[data.index(b"a t" if suffix == ".data" else b"a.txt")] ^= 2
    damaged.write_bytes(data)
    report = outbox.deliver_outbox()
    assert (report.delivered, report.waiting) == (1, 0)
    assert "damaged" in report.left[0]
    assert not second.exists()
    assert [info.path for info in stepwell.artifacts.list_artifacts(f"runs:/{run.info.run_id}")] == ["b.txt"]


def test_changes_of_experiments_tags_stay_for_the_same_reasons(
    place: Path, tracking_uri: str, thief: tuple[Thief, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPWELL_MODE", "offline")
    for value in "abc":
        stepwell.set_experiment_tag("key", value)
    monkeypatch.delenv("STEPWELL_MODE")
    first, second, third = sorted((place / experiment_tags.FOLDER).glob("*.json"))
    theirs = replace(experiment_tags._read(first), tracking_uri=thief[1])
    experiment_tags._write(first, theirs)
    second.write_text("[" * 200_000)
    report = experiment_tags.deliver(place)
    assert (report.delivered, report.waiting, len(report.left)) == (1, 0, 2)
    assert f"stepwell sync --to {thief[1]}" in report.left[0]
    assert "damaged" in report.left[1]
    assert not third.exists()
    synced = sync()
    assert (synced.returncode, synced.stdout.count("damaged: ")) == (1, 1)


def as_link(path: Path) -> None:
    """Somebody put a link there."""
    moved = path.parent.parent / f".{uuid.uuid4().hex}"
    path.rename(moved)
    path.symlink_to(moved)


def as_pipe(path: Path) -> None:
    """Opening it would wait for ever."""
    path.unlink()
    os.mkfifo(path, 0o600)


def as_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def as_writable_by_others(path: Path) -> None:
    path.chmod(0o666)


FILES = ["writer.json", "points2-0000000000000000-400", "log-00000000", "names"]


@pytest.mark.parametrize("how", [as_link, as_pipe, as_folder, as_writable_by_others])
def test_only_plain_files_of_this_user_are_read(
    place: Path, script: Callable[..., Any], tracking_uri: str, how: Callable[[Path], None]
) -> None:
    text = RUN.replace("    print", "    stepwell.log_param('lr', 1)\n    print")
    (innocent, _), *others = runs_left_offline(place, script, 1 + len(FILES), text)
    spoiled = {spool: what for (_, spool), what in zip(others, FILES, strict=True)}
    for spool, what in spoiled.items():
        how(spool / what)
    synced = sync("--json")
    assert synced.returncode == 1
    assert "Traceback" not in synced.stderr
    receipts = {Path(receipt["spool"]): receipt for receipt in map(json.loads, synced.stdout.splitlines())}
    assert all(what in str(receipts[spool]["problems"]) for spool, what in spoiled.items()), receipts
    assert stored_steps(innocent) == list(range(10))
    assert set(folders.spools(place)) == spoiled.keys(), "they are left as they are"


def deep_json(spool: Path) -> None:
    (spool / "writer.json").write_text("[" * 200_000)


def other_json(spool: Path) -> None:
    (spool / "writer.json").write_text('{"format": 1, "tracking_uri": 7, "open_writer": []}')


def no_message(spool: Path) -> None:
    rewrite_writer(spool, replace(read_writer(spool), open_writer="ffffffff"))


def overlapping(spool: Path) -> None:
    shutil.copy(spool / "points2-0000000000000000-400", spool / "points2-0000000000000001-400")


def sparse(spool: Path) -> None:
    """A terabyte that takes no room on the disk."""
    (spool / "points2-0000000000000000-400").rename(spool / "points2-0000000000000000-1000000000")
    os.truncate(spool / "points2-0000000000000000-1000000000", 2**40)


def sparse_names(spool: Path) -> None:
    os.truncate(spool / "names", 2**40)


def sparse_segment_of_usual_length(spool: Path) -> None:
    os.truncate(spool / "points2-0000000000000000-400", 2**40)


def far_away(spool: Path) -> None:
    (spool / "points2-0000000000000000-400").rename(spool / "points2-7fffffffffffffff-400")


def lock_that_is_a_pipe(spool: Path) -> None:
    as_pipe(spool / "lock")


HOSTILE = [
    deep_json,
    other_json,
    no_message,
    overlapping,
    sparse,
    sparse_names,
    sparse_segment_of_usual_length,
    far_away,
    lock_that_is_a_pipe,
]


def test_each_spool_is_a_world_of_its_own(place: Path, script: Callable[..., Any], tracking_uri: str) -> None:
    (innocent, _), *others = runs_left_offline(place, script, 1 + len(HOSTILE))
    hostile = {spool: spoil for (_, spool), spoil in zip(others, HOSTILE, strict=True)}
    for spool, spoil in hostile.items():
        spoil(spool)
    synced = sync("--json")
    assert "Traceback" not in synced.stderr
    receipts = {Path(receipt["spool"]): receipt for receipt in map(json.loads, synced.stdout.splitlines())}
    assert synced.returncode == 1
    assert stored_steps(innocent) == list(range(10))
    left = {spool: receipt for spool, receipt in receipts.items() if receipt["waiting"]}
    named = {hostile[spool].__name__: receipt["problems"] for spool, receipt in left.items()}
    # What has an end that is too long is read as far as it should go.
    harmless = {sparse_names, sparse_segment_of_usual_length, lock_that_is_a_pipe}
    assert {spoil.__name__ for spoil in HOSTILE if spoil not in harmless} <= named.keys()
    assert all(named.values()), "each says why"


def test_the_next_process_delivers_what_is_beside_them(
    place: Path, script: Callable[..., Any], tracking_uri: str
) -> None:
    (innocent, spool), *others = runs_left_offline(place, script, 1 + len(HOSTILE))
    for (_, other), spoil in zip(others, HOSTILE, strict=True):
        spoil(other)
    answer = script(
        RUN + "import pathlib, time\n"
        f"while pathlib.Path({str(spool)!r}, 'writer.json').exists(): time.sleep(0.05)\n"
    )
    assert answer.returncode == 0, answer.stderr
    assert stored_steps(innocent) == list(range(10))


def test_a_server_that_never_commits_does_not_keep_others_waiting(
    place: Path, script: Callable[..., Any], thief: tuple[Thief, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(left_delivery, "STALLED_OPENINGS", 3)
    _, spool = run_left_offline(place, script)
    log = LeftLog(spool)
    background.run(lambda: deliver_left(log, thief[1], away_s=60))
    assert log.delivery.failure is not None
    assert "Nothing of it is committed" in log.delivery.failure.message
    assert folders.is_spool(spool)
    assert not folders.is_held_here(spool)


@pytest.mark.parametrize("mode", [0o777, 0o702, 0o1777])
def test_a_place_that_others_may_write_is_not_used(
    place: Path, script: Callable[..., Any], tracking_uri: str, mode: int
) -> None:
    run_left_offline(place, script)
    place.chmod(mode)
    answer = script(RUN)
    assert answer.returncode == 1
    assert "others may write" in answer.stderr
    assert "STEPWELL_SPOOL_DIR" in answer.stderr
    synced = sync()
    assert (synced.returncode, "others may write" in synced.stderr) == (1, True)
    place.chmod(0o700)
    assert sync().returncode == 0


def test_a_group_may_write_if_nobody_else_is_in_it(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place.chmod(0o770)
    own = pwd.getpwuid(os.geteuid())
    group = grp.struct_group((own.pw_name, "x", place.stat().st_gid, []))
    monkeypatch.setattr(pwd, "getpwuid", lambda _: pwd.struct_passwd((*own[:3], group.gr_gid, *own[4:])))
    for members, may in (([], True), ([own.pw_name], True), ([own.pw_name, "other"], False)):
        monkeypatch.setattr(grp, "getgrgid", lambda _, of=members: grp.struct_group((*group[:3], of)))
        safe_files._is_own_group.cache_clear()
        assert (places.to_read() == [place]) == may
    safe_files._is_own_group.cache_clear()


def test_a_place_of_somebody_else_is_not_used(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: place.stat().st_uid + 1)
    with pytest.raises(stepwell.StepwellException, match="belongs to user"):
        places.to_write()
    assert places.to_read() == []


def test_the_usual_place_that_is_a_link_is_not_used_and_training_goes_on(
    tmp_path: Path, script: Callable[..., Any], tracking_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STEPWELL_SPOOL_DIR", raising=False)
    elsewhere, temporary = tmp_path / "elsewhere", tmp_path / "temporary"
    for folder in (elsewhere, temporary):
        folder.mkdir(mode=0o700)
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".stepwell").symlink_to(elsewhere)
    answer = script(RUN, STEPWELL_MODE="offline")
    assert answer.returncode == 0, answer.stderr
    assert "symbolic link" in answer.stderr
    (used,) = temporary.iterdir()
    assert used.stat().st_mode & 0o777 == 0o700
    assert list(elsewhere.iterdir()) == []
    # The next process in this place finds it there.
    following = script(
        RUN
        + f"import pathlib, time\nwhile any(pathlib.Path({str(used)!r}).glob('*/writer.json')): time.sleep(0.05)\n"
    )
    assert following.returncode == 0, following.stderr
    assert stored_steps(answer.stdout.strip()) == list(range(10))


def test_somebody_who_was_first_in_the_temporary_folder_gets_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STEPWELL_SPOOL_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    theirs = tmp_path / "theirs"
    theirs.mkdir(mode=0o700)
    (tmp_path / ".stepwell").symlink_to(theirs)
    (tmp_path / f"stepwell-{os.getuid()}").symlink_to(theirs)
    places._of_this_process.cache_clear()
    used = places.to_write()
    places._of_this_process.cache_clear()
    assert used.name.startswith(f"stepwell-{os.getuid()}-")
    assert used.stat().st_mode & 0o777 == 0o700
    assert list(theirs.iterdir()) == []


def test_a_delivered_spool_does_not_stay_when_a_script_ends(
    place: Path, script: Callable[..., Any], shared_server: ServerProcess, tracking_uri: str
) -> None:
    """Also where the server is slow to say goodbye."""
    answer = script("import stepwell.runs.shutdown\nstepwell.runs.shutdown.FAREWELL_S = 0.0\n" + RUN)
    assert answer.returncode == 0, answer.stderr
    assert list(folders.spools(place)) == []
    assert stored_steps(answer.stdout.strip()) == list(range(10))
