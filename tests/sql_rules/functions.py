"""How volatile functions are. What is in neither set is IMMUTABLE; a test holds this to what PostgreSQL says."""

from collections.abc import Iterator
from typing import Any

from pglast import ast

from tests.sql_rules.schema import Schema
from tests.sql_rules.tree import below, function_name

VOLATILE = {
    "clock_timestamp",
    "nextval",
    "pg_advisory_lock",
    "pg_advisory_unlock",
    "pg_advisory_lock_shared",
    "pg_advisory_unlock_shared",
    "pg_advisory_xact_lock",
    "pg_database_size",
    "pg_is_in_recovery",
    "pg_notify",
    "pg_relation_size",
    "pg_try_advisory_lock",
    "pg_try_advisory_xact_lock",
    "set_config",
}
# Also where only some of the functions of a name are.
STABLE = {
    "array_send",
    "array_to_string",
    "concat",
    "current_database",
    "current_schema",
    "current_setting",
    "extract",
    "generate_series",
    "now",
    "pg_backend_pid",
    "pg_get_constraintdef",
    "pg_get_serial_sequence",
    "pg_get_viewdef",
    "pg_postmaster_start_time",
    "statement_timestamp",
    "to_regclass",
    "to_timestamp",
}
# Those that only a database with Citus has.
OF_CITUS = {"get_shard_id_for_distribution_column"}
# But for those of which we call none that is: length(text).
STEADY = {"length"}


def volatility(name: str, schema: Schema) -> str:
    """Return `volatile`, `stable` or `immutable`."""
    if name in schema.functions:
        return schema.functions[name]
    return "volatile" if name in VOLATILE else "stable" if name in STABLE | OF_CITUS else "immutable"


def called(nodes: Any) -> Iterator[str]:
    """Yield the names of the functions that are called in nodes."""
    for node in below(nodes):
        if isinstance(node, ast.FuncCall):
            yield function_name(node)
        elif isinstance(node, ast.SQLValueFunction):
            yield "now"  # CURRENT_TIMESTAMP and its like
