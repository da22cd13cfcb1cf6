"""Says that a server is away, is back, or lets one wait: once each, for all the runs of a process."""

from logging import getLogger

_log = getLogger("stepwell")
# Servers that are said to be away, and whether they were said to refuse this process since.
_away: dict[str, bool] = {}
_slow: set[str] = set()
_what_follows = (
    " Logging goes on; what is logged waits in the spool and is delivered when the server can be reached, by this "
    "process, the next one that starts here, or 'stepwell sync'."
)


def say_away(target: str, reason: str, *, refused: bool = False) -> None:
    """Say that a server (host:port) cannot be reached, or refuses this process, unless that was said.

    A refusal is said also where the server was said to be away before: somebody has to do something about it.
    """
    if target not in _away or (refused and not _away[target]):
        _away[target] = refused
        _log.warning("%s%s", reason, _what_follows)


def say_slow(target: str, reason: str) -> None:
    """Say, once, that a server (host:port) takes what is logged more slowly than it comes."""
    if target not in _slow:
        _slow.add(target)
        _log.warning("The server %s lets this process wait: %s. Nothing is lost meanwhile.", target, reason)


def is_away(target: str) -> bool:
    """Tell whether a server (host:port) is said to be away."""
    return target in _away


def is_command() -> None:
    """Say only what is wrong: this process is a command that somebody typed, and says itself what follows."""
    global _what_follows
    _what_follows = ""


def say_back(target: str) -> None:
    """Say that a server can be reached again, if it was said to be away."""
    if _away.pop(target, None) is not None:
        _log.warning("The server %s is back; what waited is on its way.", target)
