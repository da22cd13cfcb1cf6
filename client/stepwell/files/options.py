"""The settings of artifacts; with `settings` the only reader of the environment, which has those of the spool.

STEPWELL_ARTIFACT_TRANSFER        auto: straight to the bucket where that can be reached, else through the server;
                                  direct: never through the server if there is a bucket; server: always; default auto
STEPWELL_ARTIFACT_PARTS_AT_ONCE   parts of one file that travel at once, each on a connection of its own; default 4
STEPWELL_ARTIFACT_FILES_AT_ONCE   files of a folder that travel at once, four times as many of the small ones that come
                                  straight from a bucket; default 8
STEPWELL_ARTIFACT_ATTEMPTS        how often a transfer is tried without getting any further; default 5
STEPWELL_ARTIFACT_TIMEOUT_S       seconds without a sign of life after which the bucket's connection is given up,
                                  ten times as many if it is alive and the bucket has all of a part; default 60
STEPWELL_ARTIFACT_HOSTS           hosts of buckets that a server may send this client to, beside those that `addresses`
                                  knows, separated by commas: minio.example.org:9000, *.storage.example.org
STEPWELL_FETCHED_BYTES_MAX        bytes that one address elsewhere (https://, s3://, sftp://, ...) may bring; more are
                                  refused; default 1 TB
STEPWELL_PROGRESS                 progress bars (tqdm) for long transfers on a terminal: true or false; default true
"""

import os

from stepwell import settings
from stepwell.errors import invalid

# Where artifacts wait, inside the folder of the spools.
OUTBOX_FOLDER = "artifacts"
PARTS_AT_ONCE_DEFAULT = 4
FILES_AT_ONCE_DEFAULT = 8
AT_ONCE_MAX = 64
ATTEMPTS_DEFAULT = 5
ATTEMPTS_MAX = 1_000
TIMEOUT_S_DEFAULT = 60.0
FETCHED_BYTES_MAX = "STEPWELL_FETCHED_BYTES_MAX"
FETCHED_BYTES_MAX_DEFAULT = 10**12

_TRANSFERS = ("auto", "direct", "server")


def transfer() -> str:
    """Return how bytes travel: auto, direct or server."""
    word = (os.environ.get("STEPWELL_ARTIFACT_TRANSFER") or "auto").lower()
    if word not in _TRANSFERS:
        raise invalid(f"STEPWELL_ARTIFACT_TRANSFER is {word!r}; it must be one of {', '.join(_TRANSFERS)}.")
    return word


def parts_at_once() -> int:
    """Return how many parts of one file travel at once."""
    return _count("STEPWELL_ARTIFACT_PARTS_AT_ONCE", PARTS_AT_ONCE_DEFAULT, AT_ONCE_MAX)


def files_at_once() -> int:
    """Return how many files of a folder travel at once."""
    return _count("STEPWELL_ARTIFACT_FILES_AT_ONCE", FILES_AT_ONCE_DEFAULT, AT_ONCE_MAX)


def attempts() -> int:
    """Return how often a transfer is tried without getting any further."""
    return _count("STEPWELL_ARTIFACT_ATTEMPTS", ATTEMPTS_DEFAULT, ATTEMPTS_MAX)


def fetched_bytes_max() -> int:
    """Return how many bytes one address elsewhere may bring."""
    return _count(FETCHED_BYTES_MAX, FETCHED_BYTES_MAX_DEFAULT, 2**63 - 1)


def timeout_s() -> float:
    """Return after how many seconds of silence the connection to a bucket is given up."""
    text = os.environ.get("STEPWELL_ARTIFACT_TIMEOUT_S")
    try:
        seconds = float(text) if text else TIMEOUT_S_DEFAULT
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < float("inf"):
        raise invalid(f"STEPWELL_ARTIFACT_TIMEOUT_S is {text!r}; it must be a number of seconds above 0.")
    return seconds


def artifact_hosts() -> list[str]:
    """Return which hosts of buckets somebody has named."""
    named = (os.environ.get("STEPWELL_ARTIFACT_HOSTS") or "").split(",")
    return [host.strip().lower() for host in named if host.strip()]


def progress() -> bool:
    """Tell whether progress bars are wished for."""
    return (os.environ.get("STEPWELL_PROGRESS") or "true").lower() not in settings.FALSE_WORDS


def _count(variable: str, default: int, highest: int) -> int:
    text = os.environ.get(variable)
    if not text:
        return default
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= highest:
        raise invalid(f"{variable} is {text!r}; it must be a number from 1 to {highest}.")
    return int(text)
