"""What the light client does not bring along: imported when it is asked for; how to install it when it is missing."""

import json
from importlib import import_module
from typing import Any
from urllib.parse import unquote, urlsplit

from stepwell.errors import StepwellException


def load(module: str, purpose: str, extra: str) -> Any:
    """Import a module that `purpose` needs.

    Raises:
        StepwellException: NOT_IMPLEMENTED when it is missing; the message says how the extra is installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as missing:
        raise StepwellException(
            f"{purpose} needs {missing.name}, which is not installed: {install_hint(extra)}.",
            "NOT_IMPLEMENTED",
        ) from None


def library(module: str, purpose: str, distribution: str) -> Any:
    """Import a library that is the user's business, and in no extra of ours.

    Raises:
        StepwellException: NOT_IMPLEMENTED when it is missing; the message says how it is installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as missing:
        # It may be there, and lack something that it needs itself.
        is_itself = str(missing.name).partition(".")[0] == module.partition(".")[0]
        wanted = distribution if is_itself else str(missing.name)
        raise StepwellException(
            f"{purpose} needs {wanted.partition('[')[0]}, which is not installed: pip install {wanted}.",
            "NOT_IMPLEMENTED",
        ) from None


def install_hint(extra: str) -> str:
    """Return the command that adds an extra to this installation, from where it came: checkout, wheel or index."""
    place, editable = place_of_installation()
    if place is None:
        return f"pip install 'stepwell[{extra}]'"
    return f"pip install {'-e ' if editable else ''}'{place}[{extra}]'"


def place_of_installation() -> tuple[str | None, bool]:
    """Return the checkout or wheel that this was installed from, None for an index; and whether it is editable."""
    origin = _origin()
    if origin is None:
        return None, False
    return unquote(urlsplit(str(origin["url"])).path), bool(origin.get("dir_info", {}).get("editable"))


def origin_url() -> str | None:
    """Return the file:// address that this installation came from, a checkout or a wheel; None for an index."""
    origin = _origin()
    return None if origin is None else str(origin["url"])


def _origin() -> dict[str, Any] | None:
    """Return where the distribution was installed from, as PEP 610 records it; None for an index."""
    from importlib.metadata import (  # takes longer than the rest of the package
        PackageNotFoundError,
        distribution,
    )

    try:
        text = distribution("stepwell").read_text("direct_url.json")
        origin = json.loads(text or "null")
    except (PackageNotFoundError, ValueError):
        return None
    return origin if isinstance(origin, dict) and str(origin.get("url", "")).startswith("file:") else None
