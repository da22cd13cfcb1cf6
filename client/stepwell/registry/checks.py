"""What names, numbers and texts of the registry may be; what only the server knows, it says."""

import json
from collections.abc import Mapping
from typing import Any

from stepwell.errors import invalid

_INT32_MAX = 2**31 - 1
_SHOWN_CHARS_MAX = 60


def name(given: object, what: str = "name of a registered model") -> str:
    """Return the name of a registered model. Raises StepwellException INVALID_PARAMETER_VALUE."""
    if not isinstance(given, str) or not given:
        raise invalid(f"The {what} must be a string that is not empty, not {given!r}.")
    return given


def version(given: object) -> int:
    """Return the number of a version; digits in a text count. Raises StepwellException INVALID_PARAMETER_VALUE."""
    if isinstance(given, str) and given.isdecimal() and len(given) < 11:
        given = int(given)
    if not isinstance(given, int) or isinstance(given, bool) or not 1 <= given <= _INT32_MAX:
        shown = repr(given)[:_SHOWN_CHARS_MAX]
        raise invalid(f"The version of a model must be a number from 1 on, not {shown}.")
    return given


def expected(given: object) -> int | None:
    """Return the version that somebody expects somewhere, 0 for none; None is no condition."""
    if given is None:
        return None
    return 0 if given in (0, "0") else version(given)


def text(given: object) -> str:
    """Return a text; None is an empty one."""
    return "" if given is None else str(given)


def tags(given: Mapping[str, Any] | None) -> dict[str, str]:
    """Return tags with texts as values: of structures their JSON, as in MLflow."""
    return {key: tag_value(value) for key, value in (given or {}).items()}


def tag_value(given: object) -> str:
    """Return the value of a tag as a text."""
    return json.dumps(given) if isinstance(given, dict | list) else text(given)
