"""A log is its owner's: who reads it cannot write under its name, and what cannot be committed is not believed."""

import hashlib
import json
import stat
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import grpc
import grpc.aio
import pytest

import stepwell
from stepwell.delivery import writer
from stepwell.delivery.batches import BATCH_SKIPPED_MAX
from stepwell.delivery.left_log import LeftLog
from stepwell.delivery.shipper import Shipper
from stepwell.spool import folders
from stepwell.spool.writer_file import describe_writer, read_writer, rewrite_writer
from stepwell.wire import background
from stepwell.wire.connection import connect
from stepwell_api.v1 import ingest_pb2, ingest_pb2_grpc, runs_pb2, series_pb2, series_pb2_grpc
from stepwell_server.services.ingest import POSITIONS_SKIPPED_MAX
from stepwell_server.transport.ingest.servicer import ACKNOWLEDGEMENT_BYTES_MAX
from tests.faults.accounting import rows
from tests.harness.servers.processes import ServerProcess
from tests.wire.test_ingest import Stream, batch_message, open_message, opened, steps_of

IMPOSSIBLE = 2**62
SECRET, ANOTHER = b"s" * 32, b"a" * 32


async def refusal(channel: grpc.aio.Channel, run_id: str, writer_id: str, secret: bytes) -> grpc.StatusCode:
    stream = Stream(channel)
    await stream.say(open_message(run_id, writer_id=writer_id, secret=secret))
    return (await stream.failure())[0]


async def test_only_who_has_the_secret_opens_a_writer_again(channel: grpc.aio.Channel) -> None:
    run_id, writer_id = uuid4().hex, uuid4().hex
    stream = await opened(channel, run_id, writer_id=writer_id, secret=SECRET)
    await stream.say(batch_message(0, [1, 2]))
    await stream.until(2)
    for secret in (b"", ANOTHER):
        assert await refusal(channel, run_id, writer_id, secret) is grpc.StatusCode.PERMISSION_DENIED
    again = Stream(channel)
    await again.say(open_message(run_id, writer_id=writer_id, secret=SECRET))
    answer = (await again.hear()).opened
    assert (answer.committed_position, answer.secret_checked) == (2, True)


async def test_a_writer_without_a_secret_works_until_the_first_one_binds_it(
    channel: grpc.aio.Channel,
) -> None:
    run_id, writer_id = uuid4().hex, uuid4().hex
    for _ in range(2):
        await opened(channel, run_id, writer_id=writer_id)
    binding = Stream(channel)
    await binding.say(open_message(run_id, writer_id=writer_id, secret=SECRET))
    # Who bound it may not be who began it.
    assert not (await binding.hear()).opened.secret_checked
    for secret in (b"", ANOTHER):
        assert await refusal(channel, run_id, writer_id, secret) is grpc.StatusCode.PERMISSION_DENIED
    await opened(channel, run_id, writer_id=writer_id, secret=SECRET)


async def test_a_secret_that_can_be_guessed_is_refused(channel: grpc.aio.Channel) -> None:
    assert await refusal(channel, uuid4().hex, uuid4().hex, b"short") is grpc.StatusCode.INVALID_ARGUMENT


async def test_what_can_be_read_of_a_writer_does_not_have_the_secret(channel: grpc.aio.Channel) -> None:
    run_id = uuid4().hex
    stream = await opened(channel, run_id, secret=SECRET)
    await stream.say(batch_message(0, [1]))
    await stream.until(1)
    watch = series_pb2_grpc.SeriesServiceStub(channel).Watch(series_pb2.WatchRequest(run_ids=[run_id]))
    answer = await watch.read()
    assert answer.positions[0].writer_id
    for told in (SECRET, hashlib.sha256(SECRET).digest()):
        assert told not in answer.SerializeToString()


async def test_a_batch_may_not_skip_to_where_nobody_can_follow(channel: grpc.aio.Channel) -> None:
    run_id = uuid4().hex
    stream = await opened(channel, run_id)
    await stream.say(ingest_pb2.StreamRequest(batch=ingest_pb2.Batch(end_position=POSITIONS_SKIPPED_MAX)))
    await stream.until(POSITIONS_SKIPPED_MAX)
    too_far = ingest_pb2.Batch(first_position=POSITIONS_SKIPPED_MAX, end_position=IMPOSSIBLE)
    await stream.say(ingest_pb2.StreamRequest(batch=too_far))
    code, details = await stream.failure()
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "skip" in details
    assert BATCH_SKIPPED_MAX == POSITIONS_SKIPPED_MAX


async def test_refusals_come_in_as_many_acknowledgements_as_they_need(channel: grpc.aio.Channel) -> None:
    run_id, refused = uuid4().hex, 30_000
    stream = await opened(channel, run_id)
    bad = [
        ingest_pb2.Entry(position=position, param=runs_pb2.Param(key="!", value="v"))
        for position in range(refused)
    ]
    long_key = ingest_pb2.Entry(position=refused, tag=runs_pb2.Tag(key="k" * 3_000_000, value="v"))
    good = ingest_pb2.Entry(position=refused + 1, param=runs_pb2.Param(key="lr", value="1"))
    batch = ingest_pb2.Batch(end_position=refused + 2, entries=[*bad, long_key, good])
    await stream.say(ingest_pb2.StreamRequest(batch=batch))
    answers = await stream.until(refused + 2)
    assert len(answers) > 1
    assert max(answer.ByteSize() for answer in answers) < ACKNOWLEDGEMENT_BYTES_MAX + 64 * 1024
    assert {answer.position for answer in answers[:-1]} == {0}
    assert [at.position for answer in answers for at in answer.rejected] == list(range(refused + 1))
    assert sum(answer.entries for answer in answers) == 1
    await stream.say(batch_message(refused + 2, [7], new_keys=["loss"]))
    assert [answer.position for answer in await stream.until(refused + 3)] == [refused + 3]
    assert await steps_of(channel, run_id) == [7]


def test_who_watches_a_run_cannot_move_its_writer(tracking_uri: str) -> None:
    with stepwell.start_run() as run:
        stepwell.log_metric("loss", 1.0, step=0)
        stepwell.flush()
        with grpc.insecure_channel(tracking_uri.removeprefix("grpc://")) as channel:
            watch = series_pb2_grpc.SeriesServiceStub(channel).Watch(
                series_pb2.WatchRequest(run_ids=[run.info.run_id])
            )
            seen = next(watch).positions[0]
            opening = open_message(run.info.run_id, writer_id=seen.writer_id)
            moving = ingest_pb2.Batch(first_position=seen.position, end_position=seen.position + 1_000)
            messages = iter([opening, ingest_pb2.StreamRequest(batch=moving)])
            with pytest.raises(grpc.RpcError) as failure:
                list(ingest_pb2_grpc.IngestServiceStub(channel).Stream(messages))
            assert failure.value.code() is grpc.StatusCode.PERMISSION_DENIED
        for step in range(1, 200):
            stepwell.log_metric("loss", 1.0, step=step)
        assert writer.writer_for(tracking_uri, run.info.run_id).flush().complete
    assert len(stepwell.get_metric_history(run.info.run_id, "loss")) == 200


def move_writers(server: ServerProcess, run_id: str, position: int) -> None:
    """What nobody should be able to do: say that more of the logs is committed."""
    rows(server.store, "UPDATE writer SET position = $2 WHERE run_id = $1", run_id, position)


def test_a_position_that_was_never_written_is_not_believed(
    tracking_uri: str, shared_server: ServerProcess, caplog: pytest.LogCaptureFixture
) -> None:
    with stepwell.start_run() as run:
        stepwell.log_metric("loss", 1.0, step=0)
        stepwell.flush()
        move_writers(shared_server, run.info.run_id, IMPOSSIBLE)
        for step in range(1, 3_000):
            stepwell.log_metric("loss", 1.0, step=step)
        stepwell.log_param("lr", 1)
        assert writer.writer_for(tracking_uri, run.info.run_id).flush().complete
        assert f"the first {IMPOSSIBLE} entries" in caplog.text
        # It goes on as another writer, and would also if it were killed now.
        log = writer.writer_for(tracking_uri, run.info.run_id).current_log
        assert log is not None
        written = read_writer(log.folder)
        assert written.writer_id != log.folder.name
        assert written.first_position > 0
        stepwell.log_metric("loss", 1.0, step=3_000)
    history = stepwell.get_metric_history(run.info.run_id, "loss")
    assert [point.step for point in history] == list(range(3_001))
    assert stepwell.get_run(run.info.run_id).data.params == {"lr": "1"}


def test_a_left_log_that_went_on_as_another_writer_is_delivered_once(
    tracking_uri: str, shared_server: ServerProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPWELL_SPOOL_DIR", str(tmp_path))
    run, log = left_offline_after(tracking_uri, monkeypatch)
    written = read_writer(log)
    opening = ingest_pb2.OpenWriter.FromString(written.open_message)
    opening.writer_id = uuid4().hex
    renewed = {"writer_id": opening.writer_id, "open_writer": opening.SerializeToString().hex()}
    rewrite_writer(log, replace(written, first_position=4, **renewed))
    background.run(Shipper(LeftLog(log), connect(tracking_uri)).run)
    assert [point.step for point in stepwell.get_metric_history(run, "loss")] == list(range(4, 10))
    assert not log.exists()


def left_offline_after(tracking_uri: str, monkeypatch: pytest.MonkeyPatch) -> tuple[str, Path]:
    """The id of a run that logged the steps 0 to 9 offline, and its spool."""
    with monkeypatch.context() as offline:
        offline.setenv("STEPWELL_MODE", "offline")
        with stepwell.start_run() as run:
            for step in range(10):
                stepwell.log_metric("loss", 1.0, step=step)
    (log,) = folders.spools(Path(stepwell.settings.spool_dir() or ""))
    return run.info.run_id, log


@pytest.mark.parametrize("has_secret", [True, False])
def test_a_left_log_of_which_too_much_is_committed_stays_unless_its_owner_did_it(
    tracking_uri: str,
    shared_server: ServerProcess,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    has_secret: bool,
) -> None:
    monkeypatch.setenv("STEPWELL_SPOOL_DIR", str(tmp_path))
    run, log = left_offline_after(tracking_uri, monkeypatch)
    if not has_secret:
        description = json.loads((log / folders.WRITER_FILE).read_text())
        opening = ingest_pb2.OpenWriter.FromString(bytes.fromhex(description["open_writer"]))
        opening.ClearField("secret")
        description["open_writer"] = opening.SerializeToString().hex()
        # As in spools of earlier versions.
        del description["first_position"], description["checksum"]
        description["format"] = 1
        (log / folders.WRITER_FILE).write_text(json.dumps(description))
    # A copy of it was delivered, and its log went on elsewhere.
    left = LeftLog(log)
    opening = left.open_message()
    left.abandon()
    with grpc.insecure_channel(tracking_uri.removeprefix("grpc://")) as channel:
        stream = ingest_pb2_grpc.IngestServiceStub(channel).Stream(
            iter([ingest_pb2.StreamRequest(open=opening)])
        )
        assert next(stream).opened.secret_checked == has_secret
        list(stream)
    move_writers(shared_server, run, 1_000)
    left = LeftLog(log)
    background.run(Shipper(left, connect(tracking_uri)).run)
    assert log.exists() != has_secret
    assert (left.delivery.failure is None) == has_secret


def test_only_the_owner_reads_the_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPWELL_SPOOL_DIR", str(tmp_path))
    folder = folders.create(describe_writer("grpc://nobody", "r", "w", "name", b"secret"))
    assert stat.S_IMODE((folder / folders.WRITER_FILE).stat().st_mode) == 0o600
    rewrite_writer(folder, read_writer(folder))
    assert stat.S_IMODE((folder / folders.WRITER_FILE).stat().st_mode) == 0o600
    folders.remove(folder)
