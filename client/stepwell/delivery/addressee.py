"""Which server what waits may go to: the one it was logged for, if this process is told of that one.

The folder in which it waits may be somebody else's gift (a cloned repository, an archive), and name a server of theirs.
"""

from collections.abc import Iterable

from stepwell import settings


def is_told(uri: str, told: Iterable[str] = ()) -> bool:
    """Tell whether the settings of this process, or its callers (`told`), name a server."""
    return any(settings.is_same_server(uri, known) for known in (settings.tracking_uri(), *told))


def for_another(what: str, uri: str) -> str:
    """Say that something was logged for a server that nobody named here, and what to do."""
    return (
        f"{what} was logged for {uri}, and the settings here name {settings.tracking_uri()}. If {uri} is a server of "
        f"yours: stepwell sync --to {uri}"
    )
