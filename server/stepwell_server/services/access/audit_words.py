"""The words of the audit: of an action and of what it was done with; never of a secret, and nothing that was logged."""

from collections.abc import Callable
from typing import Any, TypeAlias
from uuid import UUID

from stepwell_server.services.access.calling import caller
from stepwell_server.services.access.guard import Given

# They see what was given and what was returned.
Words: TypeAlias = Callable[[Given, Any], tuple[str, str]]


def subject(action: str, name: str) -> Words:
    """Return the words for what is done with one thing, of this name among what is given."""

    def noted(given: Given, result: Any) -> tuple[str, str]:
        thing = given[name]
        return action, thing.hex if isinstance(thing, UUID) else str(thing)

    return noted


def grant(given: Given, result: Any) -> tuple[str, str]:
    """Say who may do what with what now."""
    to, of_what = given["subject"], given["thing"]
    level = given["level"].name.lower() if "level" in given else "nothing"
    return (
        "access.changed",
        f"{of_what.kind.value} {of_what.name}: {f'{to.kind.value} {to.name}'.strip()} has {level}",
    )


def default_level(given: Given, result: Any) -> tuple[str, str]:
    """Say what everybody may where nothing is granted."""
    return "access.changed", f"everybody has {given['level'].name.lower()} where nothing is granted"


def account(given: Given, result: Any) -> tuple[str, str]:
    """Say what became of an account."""
    words = {"is_admin": ("not admin", "admin"), "is_active": ("switched off", "switched on")}
    changed = [words[name][given[name]] for name in words if given.get(name) is not None]
    return "user.changed", f"{given['name']}: {', '.join(changed)}"


def members(given: Given, result: Any) -> tuple[str, str]:
    """Say who joined a group and who left it."""
    moved = [f"+{name}" for name in given["added"]] + [f"-{name}" for name in given["removed"]]
    return "group.changed", f"{given['group']}: {' '.join(moved)}"


def token(given: Given, result: Any) -> tuple[str, str]:
    """Say which token was made, of whom, and how far it goes."""
    token = result[0]
    by = caller().token_id
    made_with = "" if by is None else f", made with token {by}"
    return (
        "token.created",
        f"{token.token_id} {token.name!r} of {token.account}, scope {token.scope.name.lower()}{made_with}",
    )


def revoked(given: Given, result: Any) -> tuple[str, str]:
    """Say which token was revoked."""
    return "token.revoked", f"{result.token_id} {result.name!r} of {result.account}"


def moves(given: Given, result: Any) -> tuple[str, str]:
    """Say where a version went."""
    move = given["move"]
    return "version.moved", f"{move.name}/{move.version} to {move.stage}"


def version(action: str) -> Words:
    """Return the words for what is done with a version."""

    def noted(given: Given, result: Any) -> tuple[str, str]:
        return action, f"{given['name']}/{given['version']}"

    return noted


def alias(action: str) -> Words:
    """Return the words for what is done with an alias."""

    def noted(given: Given, result: Any) -> tuple[str, str]:
        version = f" for version {given['version']}" if "version" in given else ""
        return action, f"{given['name']}@{given['alias']}{version}"

    return noted


def search(action: str) -> Words:
    """Return the words for what is done with all that a search finds."""

    def noted(given: Given, result: Any) -> tuple[str, str]:
        return action, f"{result} that a filter found"

    return noted
