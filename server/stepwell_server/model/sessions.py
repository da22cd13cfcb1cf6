"""Browsers that are signed in, and programs that somebody let in."""

from dataclasses import dataclass
from enum import Enum

from stepwell_server.model.access import Caller, Shown


class Way(Enum):
    """How somebody signed in."""

    PASSWORD = "password"  # noqa: S105 - a word
    TOKEN = "token"  # noqa: S105
    PROVIDER = "provider"


@dataclass(frozen=True, slots=True)
class Session:
    """A session, and what is known of its account and of the token that it began with."""

    way: Way
    shown: Shown


@dataclass(frozen=True, slots=True)
class LetIn:
    """Who let a program in, and how its token is to be called."""

    caller: Caller
    token_name: str
