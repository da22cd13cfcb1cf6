"""Environments of the libraries that models are made with, below .venv-flavors/."""

from functools import cache
from pathlib import Path

from tests.harness.environments import Environments

_ALL = Environments(".venv-flavors", Path(__file__).parent / "requirements", ("models",))


@cache
def python_of(name: str) -> Path:
    """Return the Python of an environment; its requirements are in requirements/."""
    return _ALL.python_of(name)
