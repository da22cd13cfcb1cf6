"""How far a log has come: what the receipt counts."""

import asyncio
import threading
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from stepwell import StepwellException, settings
from stepwell.delivery import progress, shipper
from stepwell.delivery.batches import BATCH_SKIPPED_MAX, KeyTable, read_batch
from stepwell.delivery.progress import UNREACHABLE_PATIENCE_S, Delivery
from stepwell.delivery.shipper import REFUSALS_SAID_MAX, Shipper, _UnbelievableError
from stepwell.spool.slices import Slice
from stepwell_api.v1 import ingest_pb2


def test_what_a_server_had_of_a_batch_that_was_cut_differently_is_counted_once() -> None:
    delivery = Delivery()
    delivery.sent(0, 100, 100)
    delivery.settled(60)  # said by the answer to the next `open`
    assert (delivery.receipt(100).committed, delivery.receipt(100).waiting) == (60, 40)
    delivery.lost()
    delivery.sent(60, 100, 40)
    delivery.settled(100)
    assert (delivery.receipt(100).committed, delivery.receipt(100).waiting) == (100, 0)


def test_what_is_settled_is_not_on_the_way_any_more_and_stays_settled() -> None:
    delivery = Delivery()
    delivery.sent(0, 10, 10)
    delivery.sent(10, 20, 10)
    delivery.settled(10)
    assert delivery.batches_on_the_way == 1
    delivery.settled(20)
    assert delivery.batches_on_the_way == 0
    # A server that goes on with an older copy of its database.
    delivery.settled(15)
    assert (delivery.position, delivery.receipt(20).waiting) == (20, 0)


@pytest.mark.parametrize("away_s", [UNREACHABLE_PATIENCE_S, UNREACHABLE_PATIENCE_S - 0.2])
def test_nobody_waits_for_a_server_that_is_away_for_long_when_it_was_looked_for_again(away_s: float) -> None:
    delivery = Delivery()
    since = time.monotonic() - away_s
    delivery.unreachable(since)
    look = threading.Timer(0.1, delivery.unreachable)
    look.start()
    assert not delivery.wait(1, 3_600)
    assert time.monotonic() - since < 2 * UNREACHABLE_PATIENCE_S - 1
    look.join()


def test_who_waits_for_a_server_that_was_away_for_long_has_it_looked_for_again() -> None:
    delivery = Delivery()
    delivery.unreachable(time.monotonic() - 10 * UNREACHABLE_PATIENCE_S)
    comes_back = threading.Timer(0.2, lambda: (delivery.reached(), delivery.settled(1)))
    comes_back.start()
    assert delivery.wait(1, 3_600)
    comes_back.join()


def test_an_attempt_that_began_before_says_nothing_to_who_asks_for_the_server_now() -> None:
    delivery = Delivery()
    delivery.unreachable(time.monotonic() - 10 * UNREACHABLE_PATIENCE_S)
    asked = time.monotonic()
    delivery.unreachable(begun=asked - 1)
    comes_back = threading.Timer(0.2, lambda: (delivery.reached(), delivery.settled(1)))
    comes_back.start()
    assert delivery.wait(1, 3_600, asked)
    comes_back.join()


async def test_who_hurries_during_an_attempt_that_fails_has_the_next_one_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shipper, "BACKOFF_FIRST_S", 3_600.0)
    monkeypatch.setattr(shipper, "BACKOFF_MAX_S", 3_600.0)
    is_looked_for, may_fail, is_there = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def reach(_: float) -> None:
        if is_looked_for.is_set():
            is_there.set()
            await asyncio.Event().wait()
        is_looked_for.set()
        await may_fail.wait()
        raise StepwellException("nobody is there", "TEMPORARILY_UNAVAILABLE")

    async def breathe() -> None: ...

    shipment: Any = SimpleNamespace(reader=None, delivery=Delivery(), breathe=breathe)
    connection: Any = SimpleNamespace(reach=reach, address=settings.parse_uri("grpc://nobody:1"))
    hurried = Shipper(shipment, connection)
    delivering = asyncio.create_task(hurried.run())
    await is_looked_for.wait()
    hurried._hurry()
    may_fail.set()
    await asyncio.wait_for(is_there.wait(), 60)
    delivering.cancel()


def test_nobody_waits_for_ever_when_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "FRESH_LOOK_S", 0.1)
    delivery = Delivery()
    delivery.unreachable(time.monotonic() - UNREACHABLE_PATIENCE_S)
    assert not delivery.wait(1, 3_600)


def test_a_gap_that_is_too_long_for_one_batch_takes_several() -> None:
    end = 3 * BATCH_SKIPPED_MAX
    column = np.zeros(1)
    number = np.ones(1, np.uint32)

    def read(position: int, *_: int) -> Slice | None:
        whole = Slice(position, end, False, number, column, column, column)
        return whole if position < end else None

    reader: Any = SimpleNamespace(read=read, name_of=lambda _: "loss")
    table, position, batches = KeyTable(), 0, []
    while (cut := read_batch(reader, position, table)) is not None:
        batches.append(cut.batch)
        position = cut.batch.end_position
    assert [len(batch.points.step) for batch in batches] == [0, 0, 1]
    assert [batch.end_position - batch.first_position for batch in batches] == [BATCH_SKIPPED_MAX] * 3


def test_more_than_was_sent_is_not_acknowledged() -> None:
    settled: list[int] = []
    shipment: Any = SimpleNamespace(reader=None, delivery=Delivery(), settled=settled.append)
    shipper = Shipper(shipment, SimpleNamespace())  # type: ignore[arg-type]
    shipper._sent_end = 10
    answers = [ingest_pb2.StreamResponse(committed=ingest_pb2.Committed(position=at)) for at in (10, 11)]

    async def read() -> ingest_pb2.StreamResponse:
        return answers.pop(0)

    with pytest.raises(_UnbelievableError):
        asyncio.run(shipper._receive(SimpleNamespace(read=read)))  # type: ignore[arg-type]
    assert settled == [10]


def test_many_refusals_are_said_in_few_lines(caplog: pytest.LogCaptureFixture) -> None:
    delivery = Delivery()
    shipment: Any = SimpleNamespace(reader=None, delivery=delivery, settled=lambda _: None)
    shipper = Shipper(shipment, SimpleNamespace())  # type: ignore[arg-type]
    for position in (60, 120, 180):
        shipper._settle(position, [ingest_pb2.Rejected(key="!", count=1, reason="no name")] * 60)
    assert len(caplog.records) == REFUSALS_SAID_MAX + 1
    assert "receipt" in caplog.records[-1].message
    assert delivery.receipt(180).rejected == 180
