"""What a query returns as numpy records, read as binary COPY: no Python work for a row.

Every column has to be of fixed width and never NULL. Format: https://www.postgresql.org/docs/current/sql-copy.html
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any

import asyncpg
import numpy as np
from numpy.typing import NDArray

from stepwell_server.store.postgres.pool import Connection

_HEAD_BYTES = 19
# Pieces of COPY output that wait for a slow reader, at most.
_PIECES_WAITING_MAX = 8


def row_type(columns: Mapping[str, str]) -> np.dtype[Any]:
    """The form of a row: the number of columns, and each column behind its length."""
    fields: list[tuple[str, str]] = [("", ">i2")]
    for name, kind in columns.items():
        fields += [(f"length of {name}", ">i4"), (name, kind)]
    return np.dtype(fields)


async def copied_rows(
    connection: Connection, row: np.dtype[Any], query: str, *arguments: Any
) -> AsyncIterator[NDArray[Any]]:
    """Yield what a query returns as arrays of the form `row`."""
    pieces: asyncio.Queue[bytes | None] = asyncio.Queue(_PIECES_WAITING_MAX)

    async def copy() -> None:
        try:
            await connection.copy_from_query(query, *arguments, output=pieces.put, format="binary")
        finally:
            await pieces.put(None)

    task = asyncio.create_task(copy())
    try:
        async for rows in _whole_rows(row, pieces, task):
            yield rows
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, asyncpg.PostgresError):
            await task


async def _whole_rows(
    row: np.dtype[Any], pieces: asyncio.Queue[bytes | None], task: asyncio.Task[None]
) -> AsyncIterator[NDArray[Any]]:
    """Cut COPY output into whole rows."""
    kept, skip = b"", _HEAD_BYTES
    while True:
        piece = await pieces.get()
        if piece is None:
            await task
            return
        kept += piece
        if len(kept) < skip:
            continue
        kept, skip = kept[skip:], 0
        count = len(kept) // row.itemsize
        if count:
            yield np.frombuffer(kept, row, count)
            kept = kept[count * row.itemsize :]
