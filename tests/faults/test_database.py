"""PostgreSQL is killed, crashes, is shut down, and its disk fills up; every point arrives, once."""

import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.faults.accounting import assert_exact, assert_receipt, committed, next_commit, rows, stored
from tests.faults.conftest import StartTraining
from tests.faults.patience import until
from tests.faults.training import CALLS_WITHOUT_END
from tests.harness.content.disks import fill, make_room, small_disk
from tests.harness.servers.processes import ServerProcess
from tests.harness.store.replicas import running_replicas

SEED = 5
PACE = 1_500
DISK_MIB = 192

Fault = Callable[[int], None]


def postmaster(data: Path) -> int:
    """Return the id of PostgreSQL's main process."""
    return int((data / "postgres" / "postmaster.pid").read_text().splitlines()[0])


def backends(postmaster_id: int) -> list[int]:
    """Return the ids of the processes that serve connections."""
    listed = subprocess.run(
        ["/bin/ps", "-o", "pid=,args=", "--ppid", str(postmaster_id)],
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line.split(None, 1) for line in listed.stdout.splitlines()]
    return [int(process_id) for process_id, arguments in lines if "stepwell stepwell" in arguments]


def kill_main_process(postmaster_id: int) -> None:
    os.kill(postmaster_id, signal.SIGKILL)


def kill_backends(postmaster_id: int) -> None:
    until(lambda: backends(postmaster_id), "a connection")
    for process_id in backends(postmaster_id):
        with suppress(ProcessLookupError):  # it may have ended by itself meanwhile
            os.kill(process_id, signal.SIGKILL)


def kill_all(postmaster_id: int) -> None:
    os.killpg(postmaster_id, signal.SIGKILL)


def shut_down_at_once(postmaster_id: int) -> None:
    os.kill(postmaster_id, signal.SIGQUIT)


def shut_down_fast(postmaster_id: int) -> None:
    os.kill(postmaster_id, signal.SIGINT)


FAULTS = (kill_main_process, kill_backends, shut_down_at_once, kill_all, shut_down_fast)


def test_every_point_arrives_once_whatever_happens_to_postgresql(
    tmp_path: Path, start_server: Callable[..., ServerProcess], start_training: StartTraining
) -> None:
    data = tmp_path / "data"
    server = start_server("--data", str(data))
    training = start_training(
        server.tracking_uri, "--pace", str(PACE), "--wait", seed=SEED, calls=CALLS_WITHOUT_END
    )
    position = 0
    for fault in FAULTS:
        position = next_commit(server.store, position)
        fault(postmaster(data))
    next_commit(server.store, position)
    receipt = training.end()
    assert_exact(server.store, training)
    assert_receipt(receipt, training)


def test_every_point_arrives_once_when_the_disk_was_full(
    tmp_path: Path, start_training: StartTraining
) -> None:
    with (
        small_disk(tmp_path / "disk", DISK_MIB) as disk,
        ServerProcess("--data", str(disk / "data")) as server,
    ):
        training = start_training(
            server.tracking_uri, "--pace", str(PACE), "--wait", seed=SEED, calls=CALLS_WITHOUT_END
        )
        until(lambda: committed(server.store) > 0, "a commit")
        fill(disk)
        until(lambda: "No space left" in server.log(), "a full disk")
        make_room(disk)
        receipt = training.end()
        assert_exact(server.store, training)
        assert_receipt(receipt, training)


def test_what_is_logged_to_a_deleted_run_is_refused_and_counted(
    shared_server: ServerProcess, start_training: StartTraining
) -> None:
    store = shared_server.store
    training = start_training(
        shared_server.tracking_uri, "--pace", str(PACE), "--wait", seed=SEED, calls=CALLS_WITHOUT_END
    )
    training.wait_for_calls(1)
    until(lambda: stored(store, training.run_id).size > 1_000, "the first points")
    rows(store, "UPDATE run SET lifecycle_stage = 'deleted' WHERE run_id = $1", training.run_id)
    until(lambda: "is deleted" in training.log, "the refusal")
    receipt = training.end()
    promised, found = training.promised(), stored(store, training.run_id)
    assert not found.points - promised.points
    assert found.params.items() <= promised.params.items()
    lost = (promised.points - found.points).total() + len(promised.params.keys() - found.params.keys())
    # Beside them, tags.
    assert 0 < lost <= receipt["rejected"]
    assert receipt["sent"] == receipt["committed"] + receipt["rejected"]
    assert receipt["waiting"] == 0
    assert "is deleted" in receipt["rejections"][0]["reason"]


def test_every_point_arrives_once_when_a_standby_takes_over(
    start_server: Callable[..., ServerProcess], start_training: StartTraining
) -> None:
    with running_replicas() as replicas:
        server = start_server("--store", replicas.url)
        training = start_training(
            server.tracking_uri, "--pace", str(PACE), "--wait", seed=SEED, calls=CALLS_WITHOUT_END
        )
        next_commit(replicas.url, 0)
        replicas.fail_over()
        next_commit(replicas.url, committed(replicas.url))
        receipt = training.end()
        assert_exact(replicas.url, training)
        assert_receipt(receipt, training)
