"""Tables: rows that many clients add to what is at a path, each once."""

import os
import shutil
import tempfile
import threading
import time
import weakref
from pathlib import Path
from typing import Any

from stepwell import jitter
from stepwell.delivery import logs
from stepwell.errors import StepwellException
from stepwell.files.outgoing.sending import temporary_file
from stepwell.files.tabular import formats as table_formats

LOGGED_ARTIFACTS_TAG = "mlflow.loggedArtifacts"
# Each time that somebody else was faster, one of those who try has added its rows: so many at once can be served.
ATTEMPTS_MAX = 200
PAUSE_FIRST_S = 0.02
PAUSE_MAX_S = 1.0

# Threads of this process that add to one table take turns.
_turns: "weakref.WeakValueDictionary[tuple[str, str, str], _Turn]" = weakref.WeakValueDictionary()
_lock = threading.Lock()


class _Turn:
    def __init__(self) -> None:
        self.lock = threading.Lock()


def read_table(uri: str, run_id: str, path: str) -> Any:
    """Return the table at a path as a DataFrame; None when there is none."""
    with tempfile.TemporaryDirectory(prefix="stepwell-") as folder:
        file = _download(uri, run_id, path, Path(folder))
        return None if file is None else table_formats.read_table(file)


def add_rows(uri: str, run_id: str, rows: Path, path: str, call_id: str) -> None:
    """Put the rows of a table file below those of the table at a path, on a server that is there.

    Args:
        uri: the server.
        run_id: the run.
        rows: a file in the format that the path says, whatever its own name.
        path: where the table is, or will be.
        call_id: names the call that logged the rows, 32 hexadecimal digits: it adds them once, however often it is
            repeated, and whoever does it.

    Raises:
        StepwellException: INVALID_STATE when something else than a table is there, or the run is deleted;
            TEMPORARILY_UNAVAILABLE when others were faster all the time.
    """
    with _turn(uri, run_id, path).lock, temporary_file(path) as own:
        shutil.copyfile(rows, own)
        for attempt in range(ATTEMPTS_MAX):
            if _add_once(uri, run_id, own, path, call_id):
                return
            pause_s = min(PAUSE_MAX_S, PAUSE_FIRST_S * 2**attempt)
            time.sleep(jitter.between(0.0, pause_s))
    raise StepwellException(
        f"Others add rows to the table {path!r} of run {run_id} all the time; these were not added.",
        "TEMPORARILY_UNAVAILABLE",
    )


def _add_once(uri: str, run_id: str, rows: Path, path: str, call_id: str) -> bool:
    """Read the table, add the rows, and let the server take it; tells whether nobody else was faster."""
    from stepwell.files.local import LocalFile
    from stepwell.files.tabular.row_uploads import RowUploader

    with tempfile.TemporaryDirectory(prefix="stepwell-") as folder, temporary_file(path) as joined:
        older = _download(uri, run_id, path, Path(folder))
        if older is None:
            shutil.copyfile(rows, joined)
            replaces = b""
        else:
            table_formats.join_files(older, rows, joined)
            import hashlib  # brings OpenSSL along: 4 MiB, and a fifth of the time that `import stepwell` takes

            replaces = hashlib.sha256(older.read_bytes()).digest()
        uploader = RowUploader(uri, run_id, replaces, call_id)
        try:
            uploader.upload([LocalFile(path, joined)])
        except StepwellException as failure:
            if failure.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            # The run may be on its way: what this process logged to it goes first.
            logs.flush_run(uri, run_id)
            uploader.upload([LocalFile(path, joined)])
        return uploader.added


def _download(uri: str, run_id: str, path: str, folder: Path) -> Path | None:
    from stepwell.files.downloads import Downloader

    with Downloader(uri, run_id) as downloader:
        try:
            return downloader.read(path, folder)
        except StepwellException as failure:
            if failure.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None


def _turn(uri: str, run_id: str, path: str) -> _Turn:
    with _lock:
        return _turns.setdefault((uri, run_id, path), _Turn())


def _start_over_in_child() -> None:
    global _lock
    _lock = threading.Lock()
    _turns.clear()


os.register_at_fork(after_in_child=_start_over_in_child)
