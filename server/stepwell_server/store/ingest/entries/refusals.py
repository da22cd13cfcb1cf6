"""What was refused of runs, kept by kind for whoever looks at them; written inside the commit's transaction."""

from collections import Counter
from collections.abc import Iterable, Sequence
from uuid import UUID

from stepwell_server.model.ingest import Batch, Rejection
from stepwell_server.store.postgres.pool import Connection
from stepwell_server.store.sql import load

# Kinds of refusals (writer, key, code) that are told apart of one run; further ones are counted together.
REFUSALS_MAX = 200
# What is kept of a key and of a reason; names that can be stored have 250 characters.
REFUSED_KEY_CHARS_MAX = 250
REFUSED_REASON_CHARS_MAX = 1_000

_SQL = load("refusals")

# Of one writer: a key and an error's code.
_Kind = tuple[str, str]


async def note_refusals(connection: Connection, refused: Iterable[tuple[Batch, Sequence[Rejection]]]) -> None:
    """Add what was refused of batches, whose writers exist and are locked."""
    noted: dict[tuple[UUID, UUID], dict[_Kind, tuple[int, str]]] = {}
    kinds_of_run: Counter[UUID] = Counter()
    for batch, rejections in refused:
        kinds = noted.setdefault((batch.run_id, batch.writer_id), {})
        known = len(kinds)
        kinds_max = known + REFUSALS_MAX - kinds_of_run[batch.run_id]
        for rejection in rejections:
            kind = _storable(rejection.key, REFUSED_KEY_CHARS_MAX), rejection.error_code
            if kind not in kinds and len(kinds) >= kinds_max:
                kind = "", ""
            count, _ = kinds.get(kind, (0, ""))
            kinds[kind] = count + rejection.count, rejection.reason
        kinds_of_run[batch.run_id] += len(kinds) - known
    rows = [
        (*writer, *kind, count, _storable(reason, REFUSED_REASON_CHARS_MAX))
        for writer, kinds in noted.items()
        for kind, (count, reason) in kinds.items()
    ]
    await connection.execute(_SQL["note"], *zip(*rows, strict=True), REFUSALS_MAX)


def _storable(text: str, chars_max: int) -> str:
    """Return what is kept of a text; PostgreSQL takes no NUL, which may be what it was refused for."""
    return text[:chars_max].replace("\0", "\N{SYMBOL FOR NULL}")
