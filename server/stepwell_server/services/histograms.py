"""Reading histograms: which there are, and how something is distributed step by step."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from stepwell_server.errors import InvalidArgumentError, NotFoundError
from stepwell_server.model.histograms import (
    BINS_READ_MAX,
    HISTOGRAM_NAMES_MAX,
    HISTOGRAMS_READ_DEFAULT,
    HISTOGRAMS_READ_MAX,
    HistogramEntry,
    HistogramName,
    HistogramsWanted,
)
from stepwell_server.services.validation import check_key
from stepwell_server.store.ports.histograms import HistogramStore
from stepwell_server.store.ports.series import SeriesStore


class HistogramService:
    """Reads histograms. All methods raise NotFoundError when there is no such run."""

    def __init__(self, store: HistogramStore, series: SeriesStore) -> None:
        self._store = store
        self._series = series

    async def names(self, run_id: UUID, after_key: str) -> tuple[Sequence[HistogramName], bool]:
        """Return names of histograms behind one, in order, and whether there are more."""
        if after_key:
            check_key("histogram", after_key)
        await self._check(run_id)
        found = await self._store.names(run_id, after_key, HISTOGRAM_NAMES_MAX + 1)
        return found[:HISTOGRAM_NAMES_MAX], len(found) > HISTOGRAM_NAMES_MAX

    async def read(self, run_id: UUID, wanted: HistogramsWanted) -> tuple[Sequence[HistogramEntry], int]:
        """Return histograms in order of steps, and how many steps there are in the range.

        Of more than are wanted, or than one answer holds, evenly many are left out.

        Raises:
            InvalidArgumentError: the name is none, or too many are asked for.
        """
        check_key("histogram", wanted.key)
        if not 0 <= wanted.limit <= HISTOGRAMS_READ_MAX:
            raise InvalidArgumentError(
                f"{wanted.limit} histograms are asked for; ask for 1 to {HISTOGRAMS_READ_MAX}"
            )
        await self._check(run_id)
        limit = wanted.limit or HISTOGRAMS_READ_DEFAULT
        found, steps = await self._store.read(run_id, replace(wanted, limit=limit))
        while sum(len(it.counts) for it in found) > BINS_READ_MAX:
            found = [*found[:-1:2], found[-1]]
        return found, steps

    async def _check(self, run_id: UUID) -> None:
        if run_id not in await self._series.start_times([run_id]):
            raise NotFoundError(f"run {run_id.hex} does not exist")
