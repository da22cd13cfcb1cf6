"""Where a search may look: which experiments, or registered models."""

from collections.abc import Sequence

from stepwell_server.store.search.parameters import Parameters


def among(
    column: str, numbers: Sequence[int] | None, hidden: Sequence[int], parameters: Parameters
) -> list[str]:
    """Return conditions: a column has one of some numbers (None: any), and none of the hidden ones."""
    found = []
    if numbers is not None:
        found.append(f"{column} = ANY ({parameters.add(list(numbers), 'bigint[]')})")
    if hidden:
        found.append(f"{column} <> ALL ({parameters.add(list(hidden), 'bigint[]')})")
    return found
