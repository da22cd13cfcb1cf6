"""Environments of the libraries that models are made with, below .venv-flavors/."""

from functools import cache
from pathlib import Path

from tests.harness.environments import Environments

_ALL = Environments(".venv-flavors", Path(__file__).parent / "requirements", ("models",))
# Those that start servers themselves, as the tests of this Python do.
_WITH_SERVER = Environments(
    _ALL.folder, _ALL.requirements, ("export", "models", "pandas", "s3", "server", "serving")
)
OLDEST = "oldest"


@cache
def python_of(name: str) -> Path:
    """Return the Python of an environment; its requirements are in requirements/."""
    return (_WITH_SERVER if name == OLDEST else _ALL).python_of(name)
