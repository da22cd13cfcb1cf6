"""Modules that the light client does not bring along; imported only when they are asked for."""

from importlib import import_module
from typing import Any

from stepwell.errors import StepwellException


def load(module: str, purpose: str, requirement: str) -> Any:
    """Import a module that `purpose` needs.

    Raises:
        StepwellException: NOT_IMPLEMENTED when it is missing; the message says that `requirement` has to be installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as missing:
        raise StepwellException(
            f"{purpose} needs {missing.name}, which is not installed: pip install '{requirement}'.",
            "NOT_IMPLEMENTED",
        ) from None
