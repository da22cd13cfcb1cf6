"""Telling of the processes that log to runs: who they are, how they stand, what was refused, what they printed."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from stepwell_server.errors import InvalidArgumentError, NotFoundError
from stepwell_server.model.series import INT64_MAX
from stepwell_server.model.writers import ConsolePiece, ConsolePlace, Refusal, WritersOfRun
from stepwell_server.services.leases import RENEW_INTERVAL_S
from stepwell_server.store.ports.series import SeriesStore
from stepwell_server.store.ports.writers import WriterStateStore

# After so long without a sign of life a writer is silent: two renewals of its lease did not come.
SILENT_S = 2 * RENEW_INTERVAL_S
# Writers of one answer, at most; of larger jobs the first ones, by rank.
WRITERS_TOLD_MAX = 1_000
# Kinds of refusals of one answer, at most; the last ones.
REFUSALS_TOLD_MAX = 1_000
# Pieces of consoles of one answer, at most, each of 64 KiB at most; and bytes of text, which end an answer before.
CONSOLE_PIECES_MAX = 1_000
CONSOLE_PIECES_DEFAULT = 200
CONSOLE_ANSWER_BYTES_MAX = 2 * 2**20
LAST_PLACE = ConsolePlace(INT64_MAX, UUID(int=2**128 - 1), INT64_MAX)


class WriterService:
    """Reads writers and consoles. All methods raise NotFoundError when there is no such run."""

    def __init__(self, store: WriterStateStore, series: SeriesStore) -> None:
        self._store = store
        self._series = series

    async def writers(self, run_id: UUID) -> WritersOfRun:
        """Return the first writers of a run, by rank and time, and how many there are."""
        await self._check(run_id)
        return await self._store.writers(run_id, WRITERS_TOLD_MAX, int(SILENT_S * 1000))

    async def refusals(self, run_id: UUID) -> tuple[Sequence[Refusal], int]:
        """Return what was refused of a run, the last first, and how many points and entries in all."""
        await self._check(run_id)
        return await self._store.refusals(run_id, REFUSALS_TOLD_MAX)

    async def console(
        self, run_id: UUID, before: ConsolePlace | None, after: Mapping[UUID, int] | None, limit: int
    ) -> tuple[Sequence[ConsolePiece], bool]:
        """Return pieces of the consoles of a run, in order of time, and whether there are more.

        The last ones before a place (None: of all), or the first ones behind positions of writers.

        Raises:
            InvalidArgumentError: both are given, or too many pieces are asked for.
        """
        if before is not None and after:
            raise InvalidArgumentError("`before` and `after` exclude each other; leave one out")
        if not 0 <= limit <= CONSOLE_PIECES_MAX:
            raise InvalidArgumentError(f"{limit} pieces are asked for; ask for 1 to {CONSOLE_PIECES_MAX}")
        await self._check(run_id)
        wanted = limit or CONSOLE_PIECES_DEFAULT
        if after:
            found = await self._store.console_after(run_id, after, wanted + 1)
            return _fitting(found, wanted)
        found = await self._store.console_before(run_id, before or LAST_PLACE, wanted + 1)
        fitting, has_more = _fitting(found[::-1], wanted)
        return fitting[::-1], has_more

    async def _check(self, run_id: UUID) -> None:
        if run_id not in await self._series.start_times([run_id]):
            raise NotFoundError(f"run {run_id.hex} does not exist")


def _fitting(pieces: Sequence[ConsolePiece], wanted: int) -> tuple[Sequence[ConsolePiece], bool]:
    """Return the first pieces that one answer holds, and whether there are more."""
    room = CONSOLE_ANSWER_BYTES_MAX
    for number, piece in enumerate(pieces[:wanted]):
        room -= len(piece.lines.text.encode())
        if room < 0 and number:
            return pieces[:number], True
    return pieces[:wanted], len(pieces) > wanted
