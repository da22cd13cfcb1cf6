"""Named queries. A line `-- query_name: what it is for` starts each query of a file."""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

_HEADING = re.compile(r"^--[ ]*(?P<name>[a-z][a-z0-9_]*):(?P<purpose>.*)$", re.MULTILINE)


@cache
def load(name: str) -> Mapping[str, str]:
    """Return the queries of `<name>.sql` by name.

    Raises:
        ValueError: a name occurs twice, a query lacks its purpose or its text, or text precedes the first query.
    """
    return MappingProxyType(parse((files(__name__) / f"{name}.sql").read_text("utf-8"), name))


def parse(text: str, source: str) -> dict[str, str]:
    """Split the text of a file into queries by name; see `load`."""
    before, *parts = _HEADING.split(text)
    if any(line.strip() and not line.startswith("--") for line in before.splitlines()):
        raise ValueError(f"{source}.sql: a query has no `-- name: purpose` line")
    queries: dict[str, str] = {}
    for name, purpose, query in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        if name in queries:
            raise ValueError(f"{source}.sql: {name} occurs twice")
        if not purpose.strip():
            raise ValueError(f"{source}.sql: {name} has no purpose")
        if not query.strip():
            raise ValueError(f"{source}.sql: {name} has no text")
        queries[name] = query.strip().removesuffix(";")
    return queries
