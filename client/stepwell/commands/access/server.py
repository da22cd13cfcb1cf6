"""The server that the commands here speak to, and what they share."""

import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

import click

from stepwell import settings
from stepwell.commands.output import time_of
from stepwell.wire.connection import Connection, connect
from stepwell_api.v1 import access_pb2 as pb

T = TypeVar("T")

SCOPES = ("read", "write", "admin")
LEVELS = ("none", "read", "write", "manage")


def server() -> Connection:
    """Return the connection to the server of --tracking-uri, or of the environment."""
    return connect(settings.tracking_uri())


def ask(make_call: Callable[[Connection], Awaitable[T]]) -> T:
    """Make a call of a service of the server, and return its answer. Raises as `Connection.call`."""
    return server().call(make_call)


def level_of(word: str) -> pb.AccessLevel.ValueType:
    """Return a level by its word."""
    return pb.AccessLevel.Value(f"ACCESS_LEVEL_{word.upper()}")


def level_word(level: pb.AccessLevel.ValueType) -> str:
    """Return the word for a level."""
    return pb.AccessLevel.Name(level).removeprefix("ACCESS_LEVEL_").lower()


def scope_of(word: str) -> pb.TokenScope.ValueType:
    """Return a scope by its word."""
    return pb.TokenScope.Value(f"TOKEN_SCOPE_{word.upper()}")


def scope_word(scope: pb.TokenScope.ValueType) -> str:
    """Return the word for a scope."""
    return pb.TokenScope.Name(scope).removeprefix("TOKEN_SCOPE_").lower()


def plain_time(time_ms: int) -> str | None:
    """Return a time as it is shown; None for 0, which is never."""
    return time_of(time_ms or None)


def asked_password(prompt: str = "Password") -> str:
    """Return a password that is typed twice, unseen; or the first line of standard input, where nobody types."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    typed: str = click.prompt(prompt, hide_input=True, confirmation_prompt=True, err=True)
    return typed
