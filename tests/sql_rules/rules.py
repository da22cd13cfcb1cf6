"""The rules. Each says what is wrong of a statement, and what would be right; docs/scaling.md says why.

What goes to one place as a whole (`is_of_one_run`) may do what PostgreSQL can do. What is spread may do less.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pglast import ast
from pglast.enums import LockClauseStrength

from stepwell_server.store.postgres.placing import RUN_ID
from tests.sql_rules.functions import called, volatility
from tests.sql_rules.levels import (
    Level,
    Named,
    Place,
    groups,
    is_correlated,
    levels_of,
    named_runs,
    spread_sources,
)
from tests.sql_rules.schema import Schema
from tests.sql_rules.statements import Statement
from tests.sql_rules.tree import below


@dataclass(frozen=True)
class Rule:
    """`check` yields what is wrong of a statement; `right` is what would be right."""

    name: str
    right: str
    check: Callable[[Statement], Iterator[str]]


def unnamed_runs(statement: Statement) -> Iterator[str]:
    """Tables whose runs nothing but a join names: all machines are asked."""
    schema = statement.schema
    for level in statement.top.all() if not statement.is_view else ():
        named = named_runs(level, schema)
        for source in spread_sources(level, schema):
            called_ = source.table if source.alias == source.table else f"{source.table} AS {source.alias}"
            if source.alias not in named:
                yield f"{called_} is read from all machines"
            elif named[source.alias][0] is Named.SOME and _tables_of_view(source.table, schema) > 1:
                yield f"of the view {called_} only one table is limited by a list of runs"


def _tables_of_view(name: str | None, schema: Schema) -> int:
    if name not in schema.views:
        return 1
    view = levels_of(schema.views[name], schema)
    return sum(len(spread_sources(level, schema)) for level in view.all())


def unjoined_runs(statement: Statement) -> Iterator[str]:
    """Tables beside each other that are not joined on their runs: their rows are on different machines."""
    for level in statement.top.all():
        named = named_runs(level, statement.schema)
        distinct = {
            next(
                (f"${named[it][1]}" for it in group if it in named and named[it][0] is Named.ONE), min(group)
            )
            for group in groups(level, statement.schema)
        }
        if len(distinct) > 1:
            yield f"the runs of {', '.join(sorted(distinct))} are not joined with each other"


def volatile_changes(statement: Statement) -> Iterator[str]:
    """VOLATILE functions in what an UPDATE sets, and in the conditions of changes."""
    for node in _nodes(statement, ast.UpdateStmt, ast.DeleteStmt):
        for name in called((getattr(node, "targetList", None) or (), node.whereClause)):
            if volatility(name, statement.schema) == "volatile":
                yield f"{name}() is VOLATILE"


def unsteady_choices(statement: Statement) -> Iterator[str]:
    """Functions within COALESCE or CASE of an UPDATE that are not IMMUTABLE."""
    for node in _nodes(statement, ast.UpdateStmt):
        for part in below((*node.targetList, node.whereClause)):
            if isinstance(part, ast.CoalesceExpr | ast.CaseExpr):
                for name in called(part):
                    if volatility(name, statement.schema) != "immutable":
                        yield f"{name}() within {'COALESCE' if isinstance(part, ast.CoalesceExpr) else 'CASE'}"


def unsteady_returns(statement: Statement) -> Iterator[str]:
    """Functions in RETURNING, and in what replaces a row, that are not IMMUTABLE."""
    for node in _nodes(statement, ast.UpdateStmt, ast.DeleteStmt, ast.InsertStmt):
        conflict = getattr(node, "onConflictClause", None)
        for where, part in (("RETURNING", node.returningClause), ("DO UPDATE", conflict)):
            for name in called(part):
                if volatility(name, statement.schema) != "immutable":
                    yield f"{name}() in {where}"


def locks_of_many_runs(statement: Statement) -> Iterator[str]:
    """FOR UPDATE and the like of rows that are on several machines."""
    for level in statement.top.all():
        if isinstance(level.node, ast.SelectStmt) and level.node.lockingClause:
            for inner in level.all():
                named = named_runs(inner, statement.schema)
                for source in spread_sources(inner, statement.schema):
                    if named.get(source.alias, (None, 0))[0] is not Named.ONE:
                        yield f"rows are locked, and {source.table} is not limited to one run"


def shared_locks_everywhere(statement: Statement) -> Iterator[str]:
    """FOR SHARE of tables that are on all machines: two who hold it and then add a row wait for each other."""
    for level in statement.top.all():
        for clause in getattr(level.node, "lockingClause", None) or ():
            locked = {it.relname for it in clause.lockedRels or ()} or {it.alias for it in level.sources}
            for source in level.sources if clause.strength == LockClauseStrength.LCS_FORSHARE else ():
                is_everywhere = source.table in statement.schema.tables
                if source.alias in locked and is_everywhere and not statement.schema.is_spread(source.table):
                    yield f"FOR SHARE of {source.table}"


def limits_for_each_row(statement: Statement) -> Iterator[str]:
    """LIMIT or OFFSET in LATERAL."""
    for level in statement.top.all() if not statement.is_of_one_run else ():
        if level.place is Place.LATERAL and _spread_below(level, statement.schema):
            for inner in level.all():
                limit, offset = (getattr(inner.node, it, None) for it in ("limitCount", "limitOffset"))
                if limit is not None or offset is not None:
                    yield f"{'LIMIT' if limit is not None else 'OFFSET'} in LATERAL"


def probes_for_each_row(statement: Statement) -> Iterator[str]:
    """Subqueries of spread tables for each row of something that is no spread table."""
    for level in statement.top.all() if not statement.is_of_one_run else ():
        outer = level.outer
        if level.place is not Place.VALUE or outer is None or not outer.sources:
            continue
        tables = _spread_below(level, statement.schema)
        if tables and not spread_sources(outer, statement.schema) and is_correlated(level, statement.schema):
            around = ", ".join(it.alias or "a subquery" for it in outer.sources)
            yield f"{', '.join(tables)} for each row of {around}"


def recursions(statement: Statement) -> Iterator[str]:
    """WITH RECURSIVE over spread tables."""
    for level in statement.top.all() if not statement.is_of_one_run else ():
        clause = getattr(level.node, "withClause", None)
        if clause is not None and clause.recursive and _spread_below(level, statement.schema):
            yield f"WITH RECURSIVE over {', '.join(_spread_below(level, statement.schema))}"


def nameless_targets(statement: Statement) -> Iterator[str]:
    """INSERT ... SELECT ... RETURNING into a table without an alias."""
    for node in _nodes(statement, ast.InsertStmt):
        is_query = node.selectStmt is not None and not node.selectStmt.valuesLists
        if is_query and node.returningClause is not None and node.relation.alias is None:
            yield f"INSERT INTO {node.relation.relname} without an alias"


def reading_functions(statement: Statement) -> Iterator[str]:
    """Functions of ours that read tables, in statements of spread tables: they run where one shard is."""
    if _spread_below(statement.top, statement.schema):
        for name in sorted(set(called(statement.top.node)) & statement.schema.readers):
            yield f"{name}() reads tables"


def joined_targets(statement: Statement) -> Iterator[str]:
    """Changes of tables that are on all machines which read spread ones in FROM or USING."""
    for level in statement.top.all():
        if not isinstance(level.node, ast.UpdateStmt | ast.DeleteStmt):
            continue
        if statement.schema.is_spread(level.node.relation.relname):
            continue
        beside = [it for it in level.inner if it.place in (Place.TABLE, Place.LATERAL)]
        read = {it.table or "" for it in spread_sources(level, statement.schema)}
        for inner in beside:
            read |= set(_spread_below(inner, statement.schema))
        if read:
            yield f"{', '.join(sorted(read))} beside {level.node.relation.relname}"


def moved_rows(statement: Statement) -> Iterator[str]:
    """Rows of spread tables that get another run: they would have to be elsewhere."""
    for node in _nodes(statement, ast.UpdateStmt, ast.InsertStmt):
        change = node if isinstance(node, ast.UpdateStmt) else node.onConflictClause
        names = [it.name for it in getattr(change, "targetList", None) or ()]
        if RUN_ID in names and statement.schema.is_spread(node.relation.relname):
            yield f"{RUN_ID} of {node.relation.relname} is set"


def queries_at_conflicts(statement: Statement) -> Iterator[str]:
    """Subqueries in DO UPDATE."""
    for node in _nodes(statement, ast.InsertStmt):
        if any(isinstance(it, ast.SubLink) for it in below(node.onConflictClause)):
            yield f"a subquery in DO UPDATE of {node.relation.relname}"


def _nodes(statement: Statement, *kinds: type[ast.Node]) -> Iterator[ast.Node]:
    return (level.node for level in statement.top.all() if isinstance(level.node, kinds))


def _spread_below(level: Level, schema: Schema) -> list[str]:
    return sorted({it.table or "" for inner in level.all() for it in spread_sources(inner, schema)})


RULES = (
    Rule(
        "named runs",
        "say `table.run_id = $n` or `table.run_id = ANY ($n)` of each table, beside what joins it, with a plain"
        " parameter; with ANY, read a view's tables themselves",
        unnamed_runs,
    ),
    Rule("joined runs", "join them on run_id, or make two statements of it", unjoined_runs),
    Rule(
        "no volatile change",
        "statement_timestamp() instead of clock_timestamp(), or a value from a CTE or a parameter",
        volatile_changes,
    ),
    Rule(
        "no unsteady choice",
        "take the value from `WITH clock AS (SELECT ...)`, joined by FROM",
        unsteady_choices,
    ),
    Rule(
        "no unsteady return",
        "return plain columns from a CTE, and call the function in the SELECT that reads it",
        unsteady_returns,
    ),
    Rule(
        "locks of one run",
        "lock one run a statement (`run_id = $1`), in the order of their ids, or need no lock",
        locks_of_many_runs,
    ),
    Rule(
        "no shared lock everywhere",
        "guard by a condition or another lock; foreign keys hold the row anyway",
        shared_locks_everywhere,
    ),
    Rule(
        "no limit for each row",
        "number the rows with row_number() and keep the first, or name one run; MATERIALIZED instead of OFFSET 0",
        limits_for_each_row,
    ),
    Rule(
        "no probe for each row",
        "join what is probed, by GROUP BY or NOT IN (SELECT ...), with its runs named",
        probes_for_each_row,
    ),
    Rule("no recursion", "name one run, or ask generation by generation", recursions),
    Rule(
        "no reading function",
        "write in the statement what the function does (`/* single */ f(x) /* distributed: EXISTS (...) */`)",
        reading_functions,
    ),
    Rule(
        "targets alone",
        "read the spread table in a CTE (`WITH read AS (...) UPDATE ... FROM read`)",
        joined_targets,
    ),
    Rule("rows stay", "set another column, or delete the row and add another one", moved_rows),
    Rule("plain conflicts", "take the value from excluded", queries_at_conflicts),
    Rule("named target", "INSERT INTO table AS alias, and alias.column behind RETURNING", nameless_targets),
)
