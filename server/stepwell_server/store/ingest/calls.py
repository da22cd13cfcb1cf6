"""Calls of their own, in the commit of many batches: each whole or not at all, and none twice."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from stepwell_server.model.ingest import NO_POINTS, Batch, ParamEntry
from stepwell_server.store.ingest.chains import Chain
from stepwell_server.store.ingest.entries.writing import Rejections, changed_param
from stepwell_server.store.postgres.pool import Connection
from stepwell_server.store.sql import load

_SQL = load("calls")


class ParamRaceError(Exception):
    """Somebody else committed a param between the look at what is stored and our own: the commit begins anew."""


async def sift_calls(
    connection: Connection, batches: Mapping[int, Batch]
) -> tuple[Mapping[int, Batch], Rejections]:
    """Return the (numbered) batches of which not everything is to be stored, as they are to be stored.

    Of calls with a param that changes nothing is, for the reasons that come second; of repeats, see `model.Call`.
    For the transaction of the commit: calls that are not repeats are noted.
    """
    refused = await _changing_params(connection, batches)
    accepted = {
        number: batch for number, batch in batches.items() if batch.call is not None and number not in refused
    }
    sifted = {number: replace(batches[number], points=NO_POINTS, entries=()) for number in refused}
    for number in await _repeats(connection, accepted):
        batch = accepted[number]
        assert batch.call is not None
        entries = () if batch.call.named else batch.entries
        sifted[number] = replace(batch, points=NO_POINTS, entries=entries)
    return sifted, refused


def calls_of_hidden_writers(chains: Sequence[Chain], moved: Mapping[tuple[UUID, UUID], Any]) -> set[int]:
    """Return the numbers of calls whose writer is of before a rewind, which would hide what they log now.

    Their callers are told that they do not join, and go on with another writer.
    """
    return {
        number
        for of_writer in chains
        if moved[of_writer.key]["hidden_from_step"] is not None
        for number, batch in of_writer.numbered()
        if batch.call is not None
    }


async def _repeats(connection: Connection, calls: Mapping[int, Batch]) -> set[int]:
    """Note the calls that have something to repeat, and return the numbers of those that were noted before."""
    first_of: dict[tuple[UUID, UUID], int] = {}
    repeats: set[int] = set()
    for number, batch in calls.items():
        assert batch.call is not None
        if not len(batch.points) and not batch.call.named:
            continue
        if first_of.setdefault((batch.run_id, batch.call.call_id), number) != number:
            repeats.add(number)  # both are here at once
    if first_of:
        run_ids, call_ids = zip(*first_of, strict=True)
        new = await connection.fetch(_SQL["note"], run_ids, call_ids)
        known = first_of.keys() - {(row["run_id"], row["call_id"]) for row in new}
        repeats |= {first_of[key] for key in known}
    return repeats


async def _changing_params(connection: Connection, batches: Mapping[int, Batch]) -> Rejections:
    """Find the calls with params that have another value, stored or in an earlier batch."""
    if not any(batch.call is not None for batch in batches.values() for _ in _params(batch)):
        return {}
    keys = list({(batch.run_id, entry.key): None for batch in batches.values() for entry in _params(batch)})
    run_ids, names = zip(*keys, strict=True)
    rows = await connection.fetch(_SQL["stored_params"], run_ids, names)
    values = {(row["run_id"], row["key"]): row["value"] for row in rows}
    refused: Rejections = {}
    for number, batch in batches.items():
        changed = [
            changed_param(batch.run_id, entry, stored)
            for entry in _params(batch)
            if (stored := values.get((batch.run_id, entry.key), entry.value)) != entry.value
        ]
        if changed and batch.call is not None:
            refused[number] = changed
        else:
            for entry in _params(batch):
                values.setdefault((batch.run_id, entry.key), entry.value)
    return refused


def _params(batch: Batch) -> Iterator[ParamEntry]:
    return (entry for entry in batch.entries if isinstance(entry, ParamEntry))
