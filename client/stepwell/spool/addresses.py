"""Where gRPC was, for servers that are known by their HTTP address; kept beside the spools.

For when a proxy or a firewall closes the HTTP way for a while. It is a cache: whatever is wrong with it is as if it
were not there.
"""

import contextlib
import json
import os
import tempfile
from pathlib import Path

from stepwell import settings
from stepwell.settings import Address

FILE = "addresses.json"
FILE_BYTES_MAX = 64 * 1024
# Servers of one place; the oldest ones are forgotten first.
SERVERS_MAX = 100


def remember(page: str, address: Address) -> None:
    """Keep an address, where there are spools."""
    root = _root()
    known = _read(root)
    entry = [address.target, address.secure]
    if not root.is_dir() or known.get(page) == entry:
        return
    known.pop(page, None)
    known[page] = entry
    newest = dict(list(known.items())[-SERVERS_MAX:])
    with contextlib.suppress(OSError):
        descriptor, name = tempfile.mkstemp(prefix=".new-", dir=root)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(newest, file)
        Path(name).replace(root / FILE)


def recall(page: str) -> Address | None:
    """Return where gRPC was, if that is known."""
    try:
        target, secure = _read(_root())[page]
        return Address(str(target), bool(secure))
    except (KeyError, TypeError, ValueError):
        return None


def _root() -> Path:
    return settings.spool_dir() or settings.SPOOL_DIR_DEFAULT


def _read(root: Path) -> dict[str, list[object]]:
    try:
        with (root / FILE).open(encoding="utf-8") as file:
            known = json.loads(file.read(FILE_BYTES_MAX))
        return known if isinstance(known, dict) else {}
    except (OSError, ValueError):
        return {}
