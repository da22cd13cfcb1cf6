"""The parameters of a composed statement."""

from typing import Any


class Parameters:
    """Collects values; `add` returns what stands for a value in the statement."""

    def __init__(self) -> None:
        self.values: list[Any] = []

    def add(self, value: Any, kind: str) -> str:
        """Add a value of a PostgreSQL type."""
        self.values.append(value)
        return f"${len(self.values)}::{kind}"
