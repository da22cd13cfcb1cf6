"""Clocks that are set back. The training's own: `trainer --clock-back-at`."""

from tests.faults.accounting import rows

DAY_MS = 86_400_000


def set_database_clock_back(store: str, milliseconds: int) -> None:
    """Let all times that the database noted lie ahead of its clock: to whoever compares them it was set back."""
    columns = rows(
        store,
        "SELECT table_name, column_name FROM information_schema.columns JOIN information_schema.tables "
        "USING (table_schema, table_name) WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' "
        "AND column_name ~ '(_time_ms|until_ms|began_ms)$' AND table_name NOT LIKE 'metric%'",
    )
    assert ("writer", "committed_time_ms") in columns
    assert ("writer_lease", "until_ms") in columns
    for table, column in columns:
        rows(store, f"UPDATE {table} SET {column} = {column} + {milliseconds}")
