"""Blocks: summaries of every 112 points of a large chunk, stored beside its arrays.

Where borders of buckets cut a chunk, the blocks say all that is needed, but for the 112 points around each border. So a
chart of a long series reads a kilobyte or two of a chunk instead of opening it.
"""

import numpy as np
from numpy.typing import NDArray

from stepwell_server.store.chunks.building import Chunks

# Smaller blocks make charts of short series faster, and take more room: these take 0.14 bytes a point (float64: 0.21).
BLOCK_POINTS = 112
# Smaller chunks cost no more to open than their blocks.
BLOCKED_POINTS_MIN = 1_024

BLOCK = np.dtype([("minimum", "<f8"), ("maximum", "<f8"), ("sum", "<f8")])
# Of chunks whose values are exactly float32.
NARROW_BLOCK = np.dtype([("minimum", "<f4"), ("maximum", "<f4"), ("sum", "<f8")])


def block_forms(counts: NDArray[np.int64], block_bytes: NDArray[np.int64]) -> list[NDArray[np.bool_]]:
    """Tell which chunks of so many points have blocks of the first form, BLOCK, and which of NARROW_BLOCK.

    What has neither form (an earlier version made it) counts as having no blocks.
    """
    numbers = block_numbers(counts)
    return [block_bytes == numbers * record.itemsize for record in (BLOCK, NARROW_BLOCK)]


def block_numbers(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many blocks chunks of so many points have."""
    return -(-counts // BLOCK_POINTS)


class BlockColumn:
    """The column `blocks` of the chunks of a commit or a merge; NULL for small ones and those with NaN or infinity."""

    def __init__(self, chunks: Chunks) -> None:
        counts = chunks.summaries.counts
        large = (counts >= BLOCKED_POINTS_MIN) & (chunks.summaries.non_finite_counts == 0)
        self._fields: dict[int, tuple[bytes, memoryview]] = {}
        for record, wanted in (
            (NARROW_BLOCK, large & chunks.float32_exact),
            (BLOCK, large & ~chunks.float32_exact),
        ):
            self._add(record, np.flatnonzero(wanted), chunks)

    def _add(self, record: np.dtype[np.void], places: NDArray[np.int64], chunks: Chunks) -> None:
        """Make the blocks of the chunks at these places."""
        if not len(places):
            return
        counts = chunks.summaries.counts[places]
        numbers = block_numbers(counts)
        data = memoryview(
            _blocks(record, chunks.points.values, chunks.starts[places], counts, numbers).tobytes()
        )
        ends = np.cumsum(numbers) * record.itemsize
        spans = zip(places.tolist(), (ends - numbers * record.itemsize).tolist(), ends.tolist(), strict=True)
        for place, start, end in spans:
            self._fields[place] = (end - start).to_bytes(4, "big"), data[start:end]

    def field(self, number: int) -> tuple[bytes, memoryview] | None:
        """The blocks of chunk `number` as a field: its length and its bytes; None for NULL."""
        return self._fields.get(number)


def _blocks(
    record: np.dtype[np.void],
    values: NDArray[np.float64],
    starts: NDArray[np.int64],
    counts: NDArray[np.int64],
    numbers: NDArray[np.int64],
) -> NDArray[np.void]:
    """Summaries of the blocks of chunks, which begin at `starts`, have `counts` points and `numbers` blocks."""
    blocks = np.empty(int(numbers.sum()), record)
    # One bound for each block, and one for the end of each chunk, behind which other chunks may lie.
    within = np.arange(int((numbers + 1).sum())) - np.repeat(
        np.cumsum(numbers + 1) - numbers - 1, numbers + 1
    )
    is_block = within < np.repeat(numbers, numbers + 1)
    bounds = np.repeat(starts, numbers + 1) + within * BLOCK_POINTS
    bounds[~is_block] = starts + counts
    inside = bounds < len(values)
    # Sums may leave the range of doubles. What lies between the chunks is summed up, too, and not used.
    with np.errstate(over="ignore", invalid="ignore"):
        for name, reduce in (("minimum", np.minimum), ("maximum", np.maximum), ("sum", np.add)):
            blocks[name] = reduce.reduceat(values, bounds[inside])[is_block[inside]]
    return blocks
