"""Walks over PostgreSQL's own syntax trees."""

from collections.abc import Iterator
from typing import Any

from pglast import ast, parse_sql


def parsed(text: str) -> list[ast.Node]:
    """Return the statements of a text as trees."""
    return [raw.stmt for raw in parse_sql(text)]


def children(node: ast.Node) -> Iterator[tuple[str, ast.Node]]:
    """Yield the nodes right below one, each with the name of the attribute that holds it."""
    for name in node:
        for child in _nodes(getattr(node, name)):
            yield name, child


def _nodes(value: Any) -> Iterator[ast.Node]:
    if isinstance(value, ast.Node):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _nodes(item)


def below(node: ast.Node | tuple[ast.Node, ...] | None) -> Iterator[ast.Node]:
    """Yield nodes and all that is below them, from the top down."""
    for top in _nodes(node):
        yield top
        for _, child in children(top):
            yield from below(child)


def names(node: ast.ColumnRef) -> tuple[str, ...]:
    """Return the parts of a column's name: `("run", "run_id")`. A star is `*`."""
    return tuple(part.sval if isinstance(part, ast.String) else "*" for part in node.fields)


def function_name(node: ast.FuncCall) -> str:
    """Return the name of a function without its schema."""
    return str(node.funcname[-1].sval)


def without_casts(node: Any) -> Any:
    """Return what is cast."""
    while isinstance(node, ast.TypeCast):
        node = node.arg
    return node
