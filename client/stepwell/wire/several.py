"""Which of the servers of one address a connection goes to, where the address names several.

A process that logs begins where the runs of its run's shard go, so that servers share the work evenly, the ranks of a
run meet in one, and a database that is spread over machines has fewer and larger transactions. Else the one that
answered last goes first, so that nobody moves without a reason. The others follow by chance, so that they share the
clients of one that is away. Those where nobody takes connections are passed over at once.
"""

import asyncio
from collections.abc import Sequence
from uuid import UUID

from stepwell import jitter
from stepwell.addresses import Address
from stepwell.wire import shards
from stepwell.wire.diagnosis import PROBE_TIMEOUT_S, listens, why_unreachable
from stepwell.wire.door import NoDoorError, ask


async def in_turn(places: Sequence[Address], current: Address, *, is_distrusted: bool) -> list[Address]:
    """Return the places that listen, `current` first; last, where it is distrusted."""
    others = jitter.shuffled([place for place in places if place != current])
    ordered = [*others, current] if is_distrusted else [current, *others]
    listening = await asyncio.gather(*map(listens, ordered))
    return [place for place, is_there in zip(ordered, listening, strict=True) if is_there]


def of_run(places: Sequence[Address], run_id: UUID) -> Address:
    """Return the place of a run, the same for all who name these places, in whatever order."""
    return sorted(places, key=lambda place: place.name)[shards.place_of(run_id, len(places))]


async def why_none(places: Sequence[Address]) -> str:
    """Return what is wrong with each of them, as the end of a sentence."""
    reasons = await asyncio.gather(*map(_why, places))
    return "; ".join(f"{place.name}: {reason}" for place, reason in zip(places, reasons, strict=True))


async def _why(place: Address) -> str:
    if not place.page:
        return await why_unreachable(place)
    try:
        found = await ask(place.page, PROBE_TIMEOUT_S)
    except NoDoorError as error:
        return str(error)
    return await why_unreachable(found)
