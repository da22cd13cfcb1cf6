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

_Kind = tuple[UUID, UUID, str, str]


async def note_refusals(connection: Connection, refused: Iterable[tuple[Batch, Sequence[Rejection]]]) -> None:
    """Add what was refused of batches, whose writers exist and are locked."""
    counts: dict[_Kind, int] = {}
    reasons: dict[_Kind, str] = {}
    kinds_of_run: Counter[UUID] = Counter()
    for batch, rejections in refused:
        for rejection in rejections:
            key = _storable(rejection.key, REFUSED_KEY_CHARS_MAX)
            kind = batch.run_id, batch.writer_id, key, rejection.error_code
            if kind not in counts and kinds_of_run[batch.run_id] >= REFUSALS_MAX:
                kind = batch.run_id, batch.writer_id, "", ""
            kinds_of_run[batch.run_id] += kind not in counts
            counts[kind] = counts.get(kind, 0) + rejection.count
            reasons[kind] = rejection.reason
    run_ids, writer_ids, keys, codes = zip(*counts, strict=True)
    texts = [_storable(reasons[kind], REFUSED_REASON_CHARS_MAX) for kind in counts]
    await connection.execute(
        _SQL["note"], run_ids, writer_ids, keys, codes, list(counts.values()), texts, REFUSALS_MAX
    )


def _storable(text: str, chars_max: int) -> str:
    """Return what is kept of a text; PostgreSQL takes no NUL, which may be what it was refused for."""
    return text[:chars_max].replace("\0", "\N{SYMBOL FOR NULL}")
