"""Batches that wait for their commit: in order for each run, and in turns among the runs."""

from collections import OrderedDict, deque
from collections.abc import Iterator
from uuid import UUID

from stepwell_server.store.ingest.waiting import Waiting


class FairQueue:
    """Runs take turns, one batch each, so that a run with little to say never waits for one with much."""

    def __init__(self) -> None:
        self._runs: OrderedDict[UUID, deque[Waiting]] = OrderedDict()
        self.batches = 0
        self.size = 0
        self.series = 0
        self.points = 0
        self.entries = 0

    def __iter__(self) -> Iterator[Waiting]:
        for of_run in self._runs.values():
            yield from of_run

    def put(self, waiting: Waiting) -> None:
        """Add a batch behind those of its run."""
        self._runs.setdefault(waiting.batch.run_id, deque()).append(waiting)
        self._count(waiting, 1)

    def take(self, bytes_max: int) -> list[Waiting]:
        """Remove the batches of one transaction, at most so many bytes; at least one batch if there is any."""
        taken: list[Waiting] = []
        size = 0
        while self._runs:
            run_id, of_run = next(iter(self._runs.items()))
            if taken and size + of_run[0].size > bytes_max:
                break
            taken.append(of_run.popleft())
            size += taken[-1].size
            self._count(taken[-1], -1)
            if of_run:
                self._runs.move_to_end(run_id)
            else:
                del self._runs[run_id]
        return taken

    def _count(self, waiting: Waiting, sign: int) -> None:
        self.batches += sign
        self.size += sign * waiting.size
        self.series += sign * len(waiting.batch.points.keys)
        self.points += sign * len(waiting.batch.points)
        self.entries += sign * len(waiting.batch.entries)
