"""Rows that many clients add to one table: which calls have added theirs, and whose table is the latest."""

import json
from enum import Enum, auto
from uuid import UUID

from stepwell_server.model.artifacts import Addition
from stepwell_server.model.runs import LOGGED_ARTIFACTS_TAG, RUN_TAG_VALUE_CHARS_MAX
from stepwell_server.store import sql
from stepwell_server.store.postgres.pool import Connection

_QUERIES = sql.load("table_rows")


class Outcome(Enum):
    """What is to be done with a table that has more rows."""

    WANTED = auto()
    REPEATED = auto()  # the call has added its rows before
    STALE = auto()  # the table has changed since it was read


async def judge(connection: Connection, run_id: UUID, path: str, addition: Addition) -> Outcome:
    """Tell whether a table with more rows may replace what is at its path; under the lock of the run's artifacts."""
    if await connection.fetchval(_QUERIES["is_known"], run_id, addition.call_id):
        return Outcome.REPEATED
    sha256 = await connection.fetchval(_QUERIES["sha256"], run_id, path)
    return Outcome.WANTED if (sha256 or b"") == addition.replaces_sha256 else Outcome.STALE


async def note(connection: Connection, run_id: UUID, path: str, addition: Addition) -> None:
    """Note that a call has added its rows, and in the run's tag, as MLflow does, that there is a table."""
    await connection.execute(_QUERIES["note_call"], run_id, addition.call_id)
    text = await connection.fetchval(_QUERIES["tag"], run_id, LOGGED_ARTIFACTS_TAG)
    tables = _tables(text)
    entry = {"path": path, "type": "table"}
    longer = json.dumps([*tables, entry])
    # MLflow fails here. The table is there all the same; who searches a whole experiment does not find it.
    if entry not in tables and len(longer) <= RUN_TAG_VALUE_CHARS_MAX:
        await connection.execute(_QUERIES["set_tag"], run_id, LOGGED_ARTIFACTS_TAG, longer)


def _tables(text: str | None) -> list[object]:
    try:
        found = json.loads(text or "[]")
    except ValueError:  # somebody set the tag to something else
        found = []
    return found if isinstance(found, list) else []
