"""Environments of the clients that are tested, below .venv-clients/."""

from functools import cache
from pathlib import Path

from tests.harness.environments import Environments

_ALL = Environments(".venv-clients", Path(__file__).parent / "requirements", ("mlflow",))


@cache
def python_of(name: str) -> Path:
    """Return the Python of an environment; its requirements are in requirements/."""
    return _ALL.python_of(name)
