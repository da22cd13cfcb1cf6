"""Where gRPC was, for servers that are known by their HTTP address; kept beside the spools.

For when a proxy or a firewall closes the HTTP way for a while. It is a cache: whatever is wrong with it is as if it
were not there. The folder may be somebody else's gift, so what is recalled is another port of the same host, never
another host, and never one without TLS where the HTTP address has it.
"""

import contextlib
import json
import os
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from stepwell import settings
from stepwell.addresses import Address
from stepwell.spool import safe_files

FILE = "addresses.json"
FILE_BYTES_MAX = 64 * 1024
# Servers of one place; the oldest ones are forgotten first.
SERVERS_MAX = 100


def remember(page: str, address: Address) -> None:
    """Keep an address, where there are spools."""
    root = _root()
    known = _read(root)
    entry = [address.target, address.secure]
    if not _is_safe(root) or known.get(page) == entry:
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
        same_host = urlsplit(f"//{target}").hostname == urlsplit(page).hostname
        is_weaker = page.startswith("https:") and not secure
        return Address(str(target), bool(secure)) if same_host and not is_weaker else None
    except (KeyError, TypeError, ValueError):
        return None


def _root() -> Path:
    chosen = settings.spool_dir()
    return chosen.resolve() if chosen is not None else settings.SPOOL_DIR_DEFAULT


def _is_safe(root: Path) -> bool:
    try:
        safe_files.check_folder(root)
    except OSError:
        return False
    return True


def _read(root: Path) -> dict[str, list[object]]:
    try:
        known = json.loads(safe_files.read_in(root, FILE, FILE_BYTES_MAX))
        return known if isinstance(known, dict) else {}
    except (OSError, ValueError, RecursionError):
        return {}
