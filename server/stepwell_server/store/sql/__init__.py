"""Named queries. A line `-- query_name: what it is for` starts each query of a file.

What stands in `/* distributed: ... */` is for a database that is spread over machines: it names the runs once more, so
that the statement goes to the machines that have them. It would only mislead the planner of one that is not.
`/* single */ this /* distributed: or that */` has both.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any
from uuid import UUID

_HEADING = re.compile(r"^--[ ]*(?P<name>[a-z][a-z0-9_]*):(?P<purpose>.*)$", re.MULTILINE)
_FORMS = re.compile(
    r"(?:/\* single \*/\s*(?P<single>.*?)\s*)?/\* distributed:\s*(?P<distributed>.*?)\s*\*/", re.DOTALL
)


class Queries(Mapping[str, str]):
    """The queries of a file by name, in the form for the database of this process; see `use_form`."""

    is_distributed = False

    def __init__(self, queries: Mapping[str, str]) -> None:
        self._single = {name: single(text) for name, text in queries.items()}
        self._distributed = {name: distributed(text) for name, text in queries.items()}

    def __getitem__(self, name: str) -> str:
        """Return a query."""
        return (self._distributed if Queries.is_distributed else self._single)[name]

    def __iter__(self) -> Iterator[str]:
        """Yield the names."""
        return iter(self._single)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._single)


def use_form(*, is_distributed: bool) -> None:
    """Say which kind of database this process has."""
    Queries.is_distributed = is_distributed


def is_distributed() -> bool:
    """Tell which kind of database this process has."""
    return Queries.is_distributed


def by_run(run_ids: Collection[UUID]) -> list[tuple[Any]]:
    """Return the arguments for each use of a query about runs, in their order, which all who lock runs keep.

    One PostgreSQL takes them all at once, as `ANY ($1)`. A distributed one takes one run a statement, `$1`, because
    nobody can lock in order over several machines.
    """
    ordered = sorted(run_ids)
    return [(run_id,) for run_id in ordered] if is_distributed() else [(ordered,)]


def single(text: str) -> str:
    """Return a query as one PostgreSQL needs it."""
    return _FORMS.sub(lambda found: found["single"] or "", text)


def distributed(text: str) -> str:
    """Return a query as a distributed PostgreSQL needs it."""
    return _FORMS.sub(lambda found: found["distributed"], text)


@cache
def load(name: str) -> Mapping[str, str]:
    """Return the queries of `<name>.sql` by name.

    Raises:
        ValueError: a name occurs twice, a query lacks its purpose or its text, or text precedes the first query.
    """
    return Queries(parse((files(__name__) / f"{name}.sql").read_text("utf-8"), name))


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
