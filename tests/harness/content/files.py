"""Looking into folders while others work in them."""

import os
from pathlib import Path

from stepwell_server.store.content.shares.marks import MARK_FILE


def files_below(folder: Path) -> list[Path]:
    """Return the files below a folder, but for the marks of servers.

    Folders that vanish meanwhile are empty; `Path.rglob` would raise.
    """
    return [Path(parent, name) for parent, _, names in os.walk(folder) for name in names if name != MARK_FILE]
