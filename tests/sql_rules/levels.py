"""A statement as levels: each SELECT, INSERT, UPDATE and DELETE in it, with what it reads and which runs it names."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from pglast import ast
from pglast.enums import A_Expr_Kind, BoolExprType

from stepwell_server.store.postgres.placing import RUN_ID
from tests.sql_rules.schema import Schema
from tests.sql_rules.tree import below, children, names, without_casts


class Named(Enum):
    """How a level says which runs of a table it is about."""

    ONE = "run_id = $n"
    SOME = "run_id = ANY ($n)"


class Place(Enum):
    """How a level stands in the one around it."""

    TOP = "top"
    TABLE = "table"  # in FROM, or a part of a UNION
    LATERAL = "lateral"
    WITH = "with"
    VALUE = "value"  # in an expression


@dataclass
class Source:
    """Something in FROM, or the table that changes: a table, a view, or neither (`table` is None)."""

    alias: str
    table: str | None
    is_target: bool = False


@dataclass
class Level:
    """One statement with `sources` of its own, the `tests` that all of its rows pass, and the levels in it."""

    node: ast.Node
    place: Place
    outer: "Level | None"
    sources: list[Source] = field(default_factory=list)
    tests: list[ast.Node] = field(default_factory=list)
    merged: list[set[str]] = field(default_factory=list)  # joined USING (run_id)
    inner: list["Level"] = field(default_factory=list)

    def all(self) -> Iterator["Level"]:
        """Yield this level and those in it."""
        yield self
        for level in self.inner:
            yield from level.all()


def levels_of(statement: ast.Node, schema: Schema) -> Level:
    """Return the top level of a statement."""
    return _enter(statement, Place.TOP, None, frozenset(), schema)


def _enter(node: ast.Node, place: Place, outer: Level | None, known: frozenset[str], schema: Schema) -> Level:
    level = Level(node, place, outer)
    with_clause = getattr(node, "withClause", None)
    for cte in with_clause.ctes if with_clause else ():
        named = known | {cte.ctename}
        within = named if with_clause.recursive else known
        level.inner.append(_enter(cte.ctequery, Place.WITH, level, within, schema))
        known = named
    target = None if isinstance(node, ast.SelectStmt) else getattr(node, "relation", None)
    if target is not None and not isinstance(node, ast.ViewStmt):
        level.sources.append(Source(_alias(target), target.relname, is_target=True))
    for attribute, child in children(node):
        if attribute == "withClause" or child is target:
            continue
        if attribute in ("fromClause", "usingClause"):
            _read(child, level, known, schema)
        elif attribute in ("larg", "rarg", "selectStmt"):
            level.inner.append(_enter(child, Place.TABLE, level, known, schema))
        else:
            if attribute == "whereClause":
                level.tests += _conjuncts(child)
            _look_into(child, level, known, schema)
    return level


def _read(item: ast.Node, level: Level, known: frozenset[str], schema: Schema) -> set[str]:
    """Add what FROM has to a level; return the aliases of it."""
    match item:
        case ast.RangeVar():
            is_cte = item.relname in known and item.schemaname is None
            level.sources.append(Source(_alias(item), None if is_cte else item.relname))
            return {_alias(item)}
        case ast.RangeSubselect():
            place = Place.LATERAL if item.lateral else Place.TABLE
            level.inner.append(_enter(item.subquery, place, level, known, schema))
        case ast.JoinExpr():
            aliases = _read(item.larg, level, known, schema) | _read(item.rarg, level, known, schema)
            if RUN_ID in [name.sval for name in item.usingClause or ()]:
                level.merged.append(aliases)
            if item.quals is not None:
                level.tests += _conjuncts(item.quals)
                _look_into(item.quals, level, known, schema)
            return aliases
        case _:
            _look_into(item, level, known, schema)
    alias = item.alias.aliasname if getattr(item, "alias", None) else ""
    level.sources.append(Source(alias, None))
    return {alias}


def _look_into(node: ast.Node, level: Level, known: frozenset[str], schema: Schema) -> None:
    """Enter the statements that an expression has in it."""
    for _, child in [("", node)] if isinstance(node, ast.SelectStmt) else children(node):
        if isinstance(child, ast.SelectStmt):
            level.inner.append(_enter(child, Place.VALUE, level, known, schema))
        else:
            _look_into(child, level, known, schema)


def _alias(item: ast.RangeVar) -> str:
    return str(item.alias.aliasname if item.alias else item.relname)


def _conjuncts(node: ast.Node) -> list[ast.Node]:
    if isinstance(node, ast.BoolExpr) and node.boolop == BoolExprType.AND_EXPR:
        return [test for argument in node.args for test in _conjuncts(argument)]
    return [node]


def spread_sources(level: Level, schema: Schema) -> list[Source]:
    """Return the spread tables, and views of such, whose rows a level reads or changes, not those that it adds to."""
    inserts = isinstance(level.node, ast.InsertStmt)
    return [
        it
        for it in level.sources
        if it.table and is_spread(it.table, schema) and not (it.is_target and inserts)
    ]


def is_spread(table: str, schema: Schema) -> bool:
    """Tell whether a table is spread, or a view reads such a table."""
    if table in schema.views:
        view = levels_of(schema.views[table], schema)
        return any(spread_sources(level, schema) for level in view.all())
    return schema.is_spread(table)


def groups(level: Level, schema: Schema) -> list[set[str]]:
    """Return which spread tables of a level, by alias, are joined on their runs."""
    found = [{it.alias} for it in spread_sources(level, schema)]
    links = list(level.merged)
    for test in level.tests:
        if isinstance(test, ast.A_Expr) and test.kind == A_Expr_Kind.AEXPR_OP and test.name[-1].sval == "=":
            sides = [_run_id_of(side, level, schema) for side in (test.lexpr, test.rexpr)]
            links += [{sides[0], sides[1]}] if sides[0] and sides[1] else []
    # Tables that are joined with the same list of runs are joined with each other.
    for link in _closed(links):
        joined = [group for group in found if group & link]
        if joined:
            found = [group for group in found if group not in joined] + [set().union(*joined)]
    return found


def _closed(links: list[set[str]]) -> list[set[str]]:
    closed: list[set[str]] = []
    for link in links:
        touched = [group for group in closed if group & link]
        closed = [group for group in closed if group not in touched] + [link.union(*touched)]
    return closed


def named_runs(level: Level, schema: Schema) -> dict[str, tuple[Named, int]]:
    """Return, by alias of spread tables, how a level names their runs, and by which parameter."""
    named: dict[str, tuple[Named, int]] = {}
    for test in level.tests:
        if not isinstance(test, ast.A_Expr) or test.name[-1].sval != "=":
            continue
        alias = _run_id_of(test.lexpr, level, schema)
        parameter = without_casts(test.rexpr)
        if alias and isinstance(parameter, ast.ParamRef):
            if test.kind == A_Expr_Kind.AEXPR_OP:
                named[alias] = Named.ONE, parameter.number
            elif test.kind == A_Expr_Kind.AEXPR_OP_ANY:
                named.setdefault(alias, (Named.SOME, parameter.number))
    # What equals a parameter is a constant to the planner, in all tables that are joined on it; a list is not.
    for group in groups(level, schema):
        ones = {alias: named[alias] for alias in sorted(group) if named.get(alias, (None, 0))[0] is Named.ONE}
        for alias in group - ones.keys() if ones else ():
            named[alias] = next(iter(ones.values()))
    return named


def _run_id_of(node: Any, level: Level, schema: Schema) -> str | None:
    """Return the alias of the source whose `run_id` an expression is; a bare one is that of the first spread table."""
    if not isinstance(node, ast.ColumnRef) or names(node)[-1] != RUN_ID:
        return None
    if len(names(node)) > 1:
        alias = names(node)[-2]
        return alias if alias in [it.alias for it in level.sources] else None
    aliases = [it.alias for it in spread_sources(level, schema)]
    return aliases[0] if aliases else None


def is_correlated(level: Level, schema: Schema) -> bool:
    """Tell whether a level uses columns of the one around it."""
    assert level.outer is not None
    around = {it.alias for it in level.outer.sources}
    own = {it.alias for inner in level.all() for it in inner.sources}
    tables = [it.table for it in level.sources]
    columns = {column for table in tables for column in schema.tables.get(table or "", ())}
    is_known = all(table in schema.tables for table in tables) and not level.inner
    for node in below(level.node):
        if isinstance(node, ast.ColumnRef):
            name = names(node)
            if len(name) > 1 and name[0] in around - own:
                return True
            if len(name) == 1 and is_known and name[0] not in columns and name[0] != "*":
                return True
    return False
