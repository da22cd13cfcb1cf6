"""Blocks: summaries of every 64 points of a large chunk, stored beside its arrays.

Where one border of a bucket cuts a chunk, the blocks before and behind it say all that is needed, but for the 64 points
around it. So a chart of a long series reads two kilobytes of a chunk instead of opening it.
"""

import numpy as np
from numpy.typing import NDArray

from stepwell_server.store.chunks import Chunks

BLOCK_POINTS = 64
# Smaller chunks cost no more to open than their blocks.
BLOCKED_POINTS_MIN = 1_024

BLOCK = np.dtype([("minimum", "<f8"), ("maximum", "<f8"), ("sum", "<f8")])


class BlockColumn:
    """The column `blocks` of the chunks of a commit or a merge; NULL for small ones and those with NaN or infinity."""

    def __init__(self, chunks: Chunks) -> None:
        counts = chunks.summaries.counts
        large = (counts >= BLOCKED_POINTS_MIN) & (chunks.summaries.non_finite_counts == 0)
        numbers = np.where(large, -(-counts // BLOCK_POINTS), 0)
        ends = np.cumsum(numbers) * BLOCK.itemsize
        self._spans = list(zip((ends - numbers * BLOCK.itemsize).tolist(), ends.tolist(), strict=True))
        self._data = memoryview(
            _blocks(chunks.points.values, chunks.starts[large], counts[large], numbers[large]).tobytes()
        )

    def field(self, number: int) -> tuple[bytes, memoryview] | None:
        """The blocks of chunk `number` as a field: its length and its bytes; None for NULL."""
        start, end = self._spans[number]
        return ((end - start).to_bytes(4, "big"), self._data[start:end]) if end > start else None


def _blocks(
    values: NDArray[np.float64],
    starts: NDArray[np.int64],
    counts: NDArray[np.int64],
    numbers: NDArray[np.int64],
) -> NDArray[np.void]:
    """Summaries of the blocks of chunks, which begin at `starts`, have `counts` points and `numbers` blocks."""
    blocks = np.empty(int(numbers.sum()), BLOCK)
    if not len(blocks):
        return blocks
    # One bound for each block, and one for the end of each chunk, behind which other chunks may lie.
    within = np.arange(int((numbers + 1).sum())) - np.repeat(
        np.cumsum(numbers + 1) - numbers - 1, numbers + 1
    )
    is_block = within < np.repeat(numbers, numbers + 1)
    bounds = np.repeat(starts, numbers + 1) + within * BLOCK_POINTS
    bounds[~is_block] = starts + counts
    inside = bounds < len(values)
    with np.errstate(over="ignore"):
        for name, reduce in (("minimum", np.minimum), ("maximum", np.maximum), ("sum", np.add)):
            blocks[name] = reduce.reduceat(values, bounds[inside])[is_block[inside]]
    return blocks
