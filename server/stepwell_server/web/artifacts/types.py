"""What browsers are told of an artifact: its type, its name, and that it is not a page of ours."""

import re
import unicodedata
from mimetypes import MimeTypes
from pathlib import PurePosixPath
from urllib.parse import quote

# Always the same ones, whatever the machine's tables say.
_TYPES = MimeTypes()
# What people want to read and not to save; MLflow's server sends the same as text.
_TEXT_ENDINGS = frozenset(
    [
        *(
            ".txt",
            ".log",
            ".err",
            ".cfg",
            ".conf",
            ".cnf",
            ".cf",
            ".ini",
            ".properties",
            ".prop",
            ".hocon",
            ".toml",
        ),
        *(
            ".yaml",
            ".yml",
            ".xml",
            ".json",
            ".jsonl",
            ".js",
            ".py",
            ".py3",
            ".csv",
            ".tsv",
            ".md",
            ".rst",
            ".lock",
        ),
    ]
)
_TEXT_NAMES = frozenset({"MLmodel", "MLproject"})
_ADDED = {
    ".xhtml": "application/xhtml+xml",
    ".webp": "image/webp",
    ".avif": "image/avif",
    ".parquet": "application/vnd.apache.parquet",
    ".geojson": "text/plain",
}
OCTETS = "application/octet-stream"

# Scripts in an artifact never run with what our page may do: it is in a sandbox of no origin, whatever it says it is.
SECURITY = {
    "content-security-policy": "sandbox; frame-ancestors 'self'",
    "x-content-type-options": "nosniff",
}
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


def content_type(path: str) -> str:
    """Return the type by the name, in UTF-8 if it is a text."""
    name = PurePosixPath(path)
    ending = name.suffix.lower()
    if ending in _TEXT_ENDINGS or name.name in _TEXT_NAMES:
        found = "text/plain"
    else:
        found = _ADDED.get(ending) or _TYPES.guess_type(name.name)[0] or OCTETS
    return f"{found}; charset=utf-8" if found.startswith("text/") else found


def disposition(path: str, kind: str) -> str:
    """Return the header that names the file; `kind` is inline or attachment."""
    name = PurePosixPath(path).name
    if _TOKEN.fullmatch(name):
        return f"{kind}; filename={name}"
    if name.isascii() and name.isprintable():
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'{kind}; filename="{escaped}"'
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    fallback = f"filename={plain}; " if _TOKEN.fullmatch(plain) else ""
    return f"{kind}; {fallback}filename*=UTF-8''{quote(name, safe='')}"
