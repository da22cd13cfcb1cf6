"""What waits on disk: training processes are killed, nobody answers, spools are copied, damaged and full."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from stepwell.spool.segment import FIRST_SEGMENT_RECORDS
from stepwell_server.model.runs import RunStatus
from tests.faults.accounting import assert_exact, assert_receipt, differences, rows, stored
from tests.faults.conftest import StartTraining
from tests.faults.patience import until
from tests.faults.syncing import copy_spools, is_empty, sync, sync_at_once
from tests.faults.training import Training
from tests.harness.content.disks import fill, make_room, small_disk
from tests.harness.network.proxy import Proxy
from tests.harness.servers.processes import ServerProcess, stepwell_command

SEED = 9
CALLS = 3_000
ROUNDS = 2
TRAININGS_AT_ONCE = 3
OFFLINE = {"STEPWELL_MODE": "offline"}


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """Where `start_training` spools."""
    return tmp_path / "spool"


@pytest.fixture
def left_behind(shared_server: ServerProcess, start_training: StartTraining) -> Training:
    """A training that ended offline."""
    training = start_training(shared_server.tracking_uri, seed=SEED, calls=CALLS, environment=OFFLINE)
    receipt = training.end()
    assert (receipt["committed"], receipt["rejected"]) == (0, 0)
    assert receipt["waiting"] >= training.promised().size + 1
    return training


def status(store: str, run_id: str) -> RunStatus:
    """How a run stands."""
    ((number,),) = rows(store, "SELECT status FROM run WHERE run_id = $1", run_id)
    return RunStatus(number)


def test_kill_9_at_random_moments_loses_nothing(
    spool: Path, shared_server: ServerProcess, start_training: StartTraining
) -> None:
    """Several at once in one place; who comes next delivers what those before left behind."""
    random = Random(SEED)
    trainings = []
    for wave in range(ROUNDS):
        wave_of = [
            start_training(shared_server.tracking_uri, seed=SEED + wave, calls=10**6, rank=number)
            for number in range(TRAININGS_AT_ONCE)
        ]
        for training in wave_of:
            training.wait_for_calls(1)
        time.sleep(random.uniform(0, 0.4))
        for training in wave_of:
            training.kill()
        trainings += wave_of
    assert sync(spool).exit_code == 0
    for training in trainings:
        assert_exact(shared_server.store, training)
    assert is_empty(spool)


def test_kill_9_without_a_server_loses_nothing(
    spool: Path, shared_server: ServerProcess, start_training: StartTraining
) -> None:
    training = start_training(shared_server.tracking_uri, seed=SEED, calls=10**6, environment=OFFLINE)
    training.wait_for_calls(5_000)
    training.kill()
    assert sync(spool).exit_code == 0
    assert_exact(shared_server.store, training)


def test_a_server_that_is_away_from_before_the_start_until_after_the_end(
    spool: Path, shared_server: ServerProcess, start_training: StartTraining
) -> None:
    with Proxy(shared_server.port) as proxy:
        proxy.refuse()
        brief = {"STEPWELL_FLUSH_TIMEOUT_S": "1", "STEPWELL_EXIT_TIMEOUT_S": "1"}
        training = start_training(proxy.tracking_uri, seed=SEED, calls=CALLS, environment=brief)
        receipt = training.end()
        assert receipt["waiting"] >= training.promised().size + 1
        refused = sync(spool)
        assert (refused.exit_code, refused.total("committed")) == (1, 0)
        proxy.heal()
        synced = sync(spool)
    assert (synced.exit_code, synced.total("committed")) == (0, receipt["waiting"])
    assert_exact(shared_server.store, training)
    assert status(shared_server.store, training.run_id) is RunStatus.FINISHED
    assert is_empty(spool)


def test_a_server_that_comes_while_the_training_runs(
    shared_server: ServerProcess, start_training: StartTraining
) -> None:
    with Proxy(shared_server.port) as proxy:
        proxy.refuse()
        training = start_training(proxy.tracking_uri, "--wait", seed=SEED, calls=30_000)
        training.wait_for_calls(30_000)
        proxy.heal()
        until(
            lambda: rows(shared_server.store, "SELECT 1 FROM run WHERE run_id = $1", training.run_id),
            "the run",
        )
        receipt = training.end()
    assert_exact(shared_server.store, training)
    assert_receipt(receipt, training)


def test_two_syncs_of_one_spool_at_once(
    spool: Path, shared_server: ServerProcess, left_behind: Training
) -> None:
    both = sync_at_once(spool, spool)
    assert 0 in [synced.exit_code for synced in both]
    assert_exact(shared_server.store, left_behind)
    assert sync(spool).receipts == []


def test_a_spool_that_was_copied_is_stored_once(
    spool: Path, tmp_path: Path, shared_server: ServerProcess, left_behind: Training
) -> None:
    copies = [tmp_path / "first copy", tmp_path / "second copy"]
    for copy in copies:
        shutil.copytree(spool, copy)
    assert [synced.exit_code for synced in sync_at_once(*copies)] == [0, 0]
    assert_exact(shared_server.store, left_behind)
    assert sync(spool).exit_code == 0
    assert_exact(shared_server.store, left_behind)


def test_a_copy_of_a_spool_that_was_half_delivered(
    spool: Path, tmp_path: Path, shared_server: ServerProcess, start_training: StartTraining
) -> None:
    """Copied while the training runs; what is copied is a prefix, whose beginning is delivered and deleted."""
    training = start_training(shared_server.tracking_uri, "--pace", "3000", "--wait", seed=SEED, calls=10**6)
    training.wait_for_calls(5_000)
    copy = tmp_path / "copy"
    copy_spools(spool, copy)
    training.wait_for_calls(8_000)
    sync(copy)
    training.end()
    assert_exact(shared_server.store, training)
    sync(copy)
    assert_exact(shared_server.store, training)


def cut_off(file: Path, random: Random) -> None:
    """A file that lost its end."""
    os.truncate(file, random.randrange(file.stat().st_size))


def zero_a_page(file: Path, random: Random) -> None:
    """A page that was never written."""
    with file.open("r+b") as opened:
        opened.seek(random.randrange(0, file.stat().st_size, 4096))
        opened.write(bytes(min(4096, file.stat().st_size - opened.tell())))


def remove(file: Path, random: Random) -> None:
    """A file that is gone."""
    file.unlink()


def flip_bits(file: Path, random: Random) -> None:
    """Bits that are the other way, where something was written."""
    data = bytearray(file.read_bytes())
    for _ in range(50):
        data[random.randrange(len(data.rstrip(b"\0")) or len(data))] ^= 1 << random.randrange(8)
    file.write_bytes(data)


@pytest.mark.parametrize("damage", [cut_off, zero_a_page, remove, flip_bits])
@pytest.mark.parametrize("pattern", ["points2-*", "log-*", "names"])
def test_of_a_damaged_spool_all_that_is_readable_arrives_and_the_rest_is_counted(
    damage: Callable[[Path, Random], None],
    pattern: str,
    spool: Path,
    shared_server: ServerProcess,
    left_behind: Training,
) -> None:
    random = Random(f"{damage.__name__} {pattern}")
    files = sorted(file for file in spool.rglob(pattern) if file.stat().st_size)
    damage(random.choice(files), random)
    synced = sync(spool)
    (receipt,) = synced.receipts
    assert synced.exit_code == bool(receipt["lost"])
    found, promised = stored(shared_server.store, left_behind.run_id), left_behind.promised()
    # A tag whose last value is lost has an earlier one.
    problems = [problem for problem in differences(found, [left_behind]) if "tags too many" not in problem]
    assert not [problem for problem in problems if "too many" in problem]
    lost = (promised.points - found.points).total() + len(promised.params.keys() - found.params.keys())
    assert receipt["damaged"] >= lost
    assert not lost or any("damaged" in problem for problem in receipt["problems"])


def test_a_full_disk_under_the_spool_makes_log_calls_wait(
    tmp_path: Path, shared_server: ServerProcess, start_training: StartTraining
) -> None:
    with small_disk(tmp_path / "disk", 8) as disk, Proxy(shared_server.port) as proxy:
        training = start_training(
            proxy.tracking_uri,
            "--wait",
            seed=SEED,
            calls=10**6,
            environment={"STEPWELL_SPOOL_DIR": str(disk)},
        )
        training.wait_for_calls(1_000)
        proxy.refuse()
        fill(disk)
        until(lambda: "At its limit" in training.log, "a full disk")
        time.sleep(0.5)
        waiting_at = training.record.calls
        time.sleep(0.5)
        assert training.record.calls == waiting_at
        make_room(disk)
        proxy.heal()
        training.wait_for_calls(waiting_at + 1_000)
        receipt = training.end()
        assert_exact(shared_server.store, training)
        assert_receipt(receipt, training)


def test_a_full_disk_may_raise_instead_and_what_was_promised_is_safe(
    tmp_path: Path, shared_server: ServerProcess, start_training: StartTraining
) -> None:
    with small_disk(tmp_path / "disk", 8) as disk:
        settings = {**OFFLINE, "STEPWELL_SPOOL_DIR": str(disk), "STEPWELL_SPOOL_FULL": "raise"}
        training = start_training(shared_server.tracking_uri, seed=SEED, calls=10**6, environment=settings)
        training.wait_for_calls(1_000)
        fill(disk)
        assert training.process.wait() == 1
        assert "RESOURCE_EXHAUSTED" in training.log or "Nothing more can be logged" in training.log
        make_room(disk)
        assert sync(disk).exit_code == 0
        assert_exact(shared_server.store, training)


def test_a_run_that_was_deleted_while_its_spool_waits(
    spool: Path, shared_server: ServerProcess, start_training: StartTraining
) -> None:
    with Proxy(shared_server.port) as proxy:
        training = start_training(proxy.tracking_uri, "--pace", "3000", "--wait", seed=SEED, calls=10**6)
        training.wait_for_calls(1)
        until(lambda: stored(shared_server.store, training.run_id).size > 500, "the first points")
        proxy.refuse()
        training.wait_for_calls(training.record.calls + 1_000)
        training.kill()
        rows(
            shared_server.store,
            "UPDATE run SET lifecycle_stage = 'deleted' WHERE run_id = $1",
            training.run_id,
        )
        proxy.heal()
        before = stored(shared_server.store, training.run_id)
        synced = sync(spool)
    assert stored(shared_server.store, training.run_id) == before
    assert synced.total("rejected") >= training.promised().size - before.size
    assert "is deleted" in str(synced.receipts[0]["problems"])
    assert is_empty(spool)


def remove_for_good(server: ServerProcess, run_id: str) -> None:
    """Delete a run and remove it, as `stepwell gc` does."""
    rows(
        server.store,
        "UPDATE run SET lifecycle_stage = 'deleted', deleted_time_ms = 0 WHERE run_id = $1",
        run_id,
    )
    stepwell_command("gc", "--store", server.store, "--run-ids", run_id)
    assert rows(server.store, "SELECT 1 FROM run WHERE run_id = $1", run_id) == []


def test_a_run_that_was_removed_for_good_while_its_spool_waits(
    spool: Path, shared_server: ServerProcess, start_training: StartTraining
) -> None:
    """It does not come back by half; what waits is kept, and goes where its owner says."""
    with Proxy(shared_server.port) as proxy:
        training = start_training(proxy.tracking_uri, "--pace", "3000", "--wait", seed=SEED, calls=10**6)
        training.wait_for_calls(1)
        until(lambda: stored(shared_server.store, training.run_id).size > FIRST_SEGMENT_RECORDS, "a segment")
        until(lambda: list(spool.rglob("committed")), "a deleted segment")
        proxy.refuse()
        training.wait_for_calls(training.record.calls + 1_000)
        training.kill()
        committed = stored(shared_server.store, training.run_id)
        remove_for_good(shared_server, training.run_id)
        proxy.heal()
        synced = sync(spool)
        assert (synced.exit_code, synced.total("committed")) == (1, 0)
        assert "was removed with `stepwell gc`" in str(synced.receipts[0]["problems"])
        assert rows(shared_server.store, "SELECT 1 FROM run WHERE run_id = $1", training.run_id) == []
    moved = sync(spool, "--to", shared_server.tracking_uri)
    assert moved.exit_code == 1, "its beginning was committed there"
    assert moved.total("damaged") >= FIRST_SEGMENT_RECORDS
    found, promised = stored(shared_server.store, training.run_id), training.promised()
    assert not found.points - promised.points - training.perhaps().points
    assert not promised.points - found.points - committed.points
    assert is_empty(spool)


def test_a_run_that_is_removed_for_good_while_it_is_logged_to(
    spool: Path, shared_server: ServerProcess, start_training: StartTraining
) -> None:
    training = start_training(shared_server.tracking_uri, "--pace", "3000", "--wait", seed=SEED, calls=10**6)
    training.wait_for_calls(1)
    until(lambda: stored(shared_server.store, training.run_id).size, "a commit")
    remove_for_good(shared_server, training.run_id)
    training.wait_for_calls(training.record.calls + 3_000)
    receipt = training.end()
    assert receipt["waiting"] > 0
    # Refused is what came between the deletion and the removal.
    assert receipt["committed"] + receipt["rejected"] + receipt["waiting"] >= training.promised().size
    assert "was removed with `stepwell gc`" in training.log
    assert rows(shared_server.store, "SELECT 1 FROM run WHERE run_id = $1", training.run_id) == []
    assert not is_empty(spool)


def test_what_a_killed_training_left_does_not_bring_its_run_back_to_life(
    spool: Path, database_url: str, start_server: Callable[..., ServerProcess], start_training: StartTraining
) -> None:
    server = start_server("--store", database_url, "--lost-after", "4")
    training = start_training(server.tracking_uri, seed=SEED, calls=10**6)
    training.wait_for_calls(3_000)
    training.kill()
    assert sync(spool).exit_code == 0
    until(lambda: status(database_url, training.run_id) is RunStatus.FAILED, "the end of the run")
    assert_exact(database_url, training)
