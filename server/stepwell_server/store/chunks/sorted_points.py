"""Points sorted by the database, which can spill to disk."""

from collections.abc import AsyncIterator
from typing import Any

import numpy as np

from stepwell_server.model.series import History
from stepwell_server.store.chunks.copied_rows import copied_rows, row_type
from stepwell_server.store.postgres.pool import Connection

_ROW = row_type({"step": ">i8", "time": ">i8", "value": ">f8"})


async def sorted_points(connection: Connection, query: str, *arguments: Any) -> AsyncIterator[History]:
    """Yield what a query of (step, timestamp_ms, value) returns, in its order."""
    async for rows in copied_rows(connection, _ROW, query, *arguments):
        yield History(
            rows["step"].astype(np.int64), rows["time"].astype(np.int64), rows["value"].astype(np.float64)
        )
