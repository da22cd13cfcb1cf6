"""Batches of one writer, one behind the other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from stepwell_server.model.ingest import Batch


@dataclass(frozen=True, slots=True)
class Chain:
    """Batches of one writer that follow each other without a gap, with their numbers in the group."""

    batches: list[Batch] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)

    @property
    def key(self) -> tuple[UUID, UUID]:
        """Run and writer."""
        return self.batches[0].run_id, self.batches[0].writer_id

    @property
    def first_position(self) -> int:
        """Where it has to join."""
        return self.batches[0].first_position

    @property
    def end_position(self) -> int:
        """Where it takes the writer."""
        return self.batches[-1].end_position

    def numbered(self) -> Iterator[tuple[int, Batch]]:
        """Yield the batches with their numbers."""
        return zip(self.numbers, self.batches, strict=True)


def chain(batches: Sequence[Batch]) -> list[Chain]:
    """Put the batches of each writer together, by runs; one that does not join its predecessor is left out.

    The chains are in order of the runs, and so are chunks in a page of the table. Compaction goes by that order: it
    merges all that is in a page at one time, and fetches the page once, not once for each of the writers in it.
    """
    chains: dict[tuple[UUID, UUID], Chain] = {}
    for number, batch in enumerate(batches):
        of_writer = chains.setdefault((batch.run_id, batch.writer_id), Chain())
        if not of_writer.batches or of_writer.end_position == batch.first_position:
            of_writer.batches.append(batch)
            of_writer.numbers.append(number)
    return sorted(chains.values(), key=lambda of_writer: of_writer.key[0].int)
