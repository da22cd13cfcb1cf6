"""What callers hold: whose turn it is, and what becomes of those who give up."""

import asyncio
from typing import Any, get_args
from uuid import uuid4

import numpy as np
import pytest
from starlette.responses import Response
from starlette.types import Message

from stepwell_server.config import HoldingLimits
from stepwell_server.errors import ExhaustedError
from stepwell_server.model.alerts import AlertEntry, AlertLevel
from stepwell_server.model.histograms import HistogramEntry
from stepwell_server.model.ingest import (
    Batch,
    ConsoleEntry,
    ConsoleStream,
    Entry,
    InputEntry,
    ModelPointEntry,
    ParamEntry,
    Points,
    StatusEntry,
    TagEntry,
    TagRemovalEntry,
)
from stepwell_server.model.runs import Dataset, DatasetInput, RunStatus
from stepwell_server.process.byte_budget import ByteBudget
from stepwell_server.process.holding import SMALL_BYTES, Holding
from stepwell_server.store.ingest.waiting import batch_bytes
from stepwell_server.web.room import Answers

MIB = 2**20
NO_POINTS = Points([], np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))


async def test_who_gives_up_while_something_is_given_back_leaves_the_line() -> None:
    budget = ByteBudget(10)
    await budget.take(10)
    waiting = asyncio.create_task(budget.take(5))
    behind = asyncio.create_task(budget.take(6))
    await asyncio.sleep(0)
    # In one turn of the loop: it is told to give up, and before it hears so there is room for it.
    waiting.cancel()
    budget.give_back(10)
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await behind
    assert budget.bytes_out == 6
    budget.give_back(6)
    assert budget.is_idle


def limits(**changed: float) -> HoldingLimits:
    return HoldingLimits(**{"bytes_max": 8 * MIB, "peer_bytes_max": 6 * MIB, "wait_s": 0.05, **changed})


async def test_an_address_waits_for_its_share_and_is_refused_then() -> None:
    holding = Holding(limits(wait_s=30.0))
    first = await holding.take("a", 6 * MIB)
    waiting = asyncio.create_task(holding.take("a", MIB))
    await asyncio.sleep(0)
    # Who comes from elsewhere does not stand behind it.
    other = await holding.take("b", 2 * MIB)
    assert not waiting.done()
    first.give_back()
    (await waiting).give_back()
    other.give_back()
    assert holding.bytes_held == holding.bytes_held_for("a") == holding.bytes_held_for("b") == 0

    holding = Holding(limits())
    held = await holding.take("a", 6 * MIB)
    with pytest.raises(ExhaustedError, match="calls of a hold 6,291,456 bytes"):
        await holding.take("a", MIB)
    # Little is held also for those who have their share.
    small = await holding.take("a", SMALL_BYTES)
    for it in (held, small, small):  # once, however often it is said
        it.give_back()
    assert holding.bytes_held == 0


async def test_few_wait_with_something_in_their_hands() -> None:
    holding = Holding(limits(wait_s=30.0, waiting_bytes_max=3 * MIB, peer_waiting_max=3))
    held = await holding.take("a", 6 * MIB)
    waiting = [asyncio.create_task(holding.take("a", 2 * MIB, in_hand=2 * MIB))]
    await asyncio.sleep(0)
    with pytest.raises(ExhaustedError):
        await holding.take("a", 2 * MIB, in_hand=2 * MIB)
    waiting += [asyncio.create_task(holding.take("a", 2 * MIB)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(ExhaustedError):
        await holding.take("a", 2 * MIB)
    held.give_back()
    for task in waiting:
        (await task).give_back()
    assert holding.bytes_held == 0


async def test_an_answer_over_http_is_held_until_it_is_sent_and_has_a_head_only_then() -> None:
    holding, read = Holding(limits()), asyncio.Event()
    begun: list[str] = []

    async def send(message: Message) -> None:
        begun.append(message["type"])
        if message["type"] == "http.response.body":
            await read.wait()

    async def answered() -> None:
        answers = Answers(Response(bytes(5 * MIB)), holding)
        await answers({"type": "http"}, pytest.fail, send)

    first = asyncio.create_task(answered())
    await asyncio.sleep(0)
    assert begun == ["http.response.start", "http.response.body"]
    assert holding.bytes_held == holding.bytes_held_for("http") >= 4 * MIB
    with pytest.raises(ExhaustedError):  # for whoever gives it a status of its own
        await answered()
    assert len(begun) == 2
    read.set()
    await first
    assert holding.bytes_held == 0


LONG = "x" * 60_000
SEQUENCE = [0] * 1_000
ENTRIES: dict[type, tuple[Any, int]] = {
    ParamEntry: (ParamEntry(0, "k", LONG), 60_000),
    TagEntry: (TagEntry(0, "k", "🌊" * 10_000), 40_000),
    TagRemovalEntry: (TagRemovalEntry(0, LONG), 60_000),
    InputEntry: (
        InputEntry(0, DatasetInput(Dataset("d", "1", "local", "", LONG, ""), {LONG: LONG})),
        180_000,
    ),
    StatusEntry: (StatusEntry(0, RunStatus.FINISHED, None), 0),
    ModelPointEntry: (ModelPointEntry(0, uuid4(), LONG, 1.0, 1, 1), 60_000),
    ConsoleEntry: (ConsoleEntry(0, ConsoleStream(1), 1, LONG, 0), 60_000),
    HistogramEntry: (HistogramEntry(0, "k", 1, 1, SEQUENCE, SEQUENCE, 0), 60_000),
    AlertEntry: (AlertEntry(0, "t", LONG, AlertLevel(1), 1), 60_000),
}


@pytest.mark.parametrize("kind", get_args(Entry))
def test_what_a_batch_weighs_counts_what_each_kind_of_entry_brings(kind: type) -> None:
    entry, least = ENTRIES[kind]
    batch = Batch(uuid4(), uuid4(), 0, 1, NO_POINTS, [entry])
    assert least + 200 <= batch_bytes(batch) <= 2 * least + 2_000
