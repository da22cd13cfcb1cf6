"""Which folders hold the spools, and what else waits for a server: where to write, and where to look."""

import os
import tempfile
from functools import cache
from logging import getLogger
from pathlib import Path

from stepwell import settings
from stepwell.errors import StepwellException
from stepwell.spool import safe_files

_log = getLogger("stepwell")
# Folders that could be written.
_tried: set[Path] = set()


def to_write() -> Path:
    """Return the folder for new spools, made if it is missing, and this user's own.

    Where nobody chose it and the usual place cannot be used, it is one in the temporary folder.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE when STEPWELL_SPOOL_DIR cannot be used.
    """
    chosen = settings.spool_dir()
    if chosen is None:
        return _default_or_temporary()
    try:
        return _made(chosen.resolve())
    except OSError as error:
        raise StepwellException(
            f"STEPWELL_SPOOL_DIR is {str(chosen)!r}, which cannot be used: {error}. Name a folder of your own.",
            "INVALID_PARAMETER_VALUE",
        ) from error


def to_write_again() -> Path:
    """Return the same without trying whether it can be written, if that was tried before; errors as for `to_write`.

    Raises:
        OSError: it is not this user's own any more, or not there.
    """
    chosen = settings.spool_dir()
    root = _default() if chosen is None else chosen.resolve()
    if root not in _tried:
        return to_write()
    safe_files.check_folder(root)
    return root


def to_read() -> list[Path]:
    """Return the folders where what earlier processes left may be: those that are there, and this user's own."""
    chosen = settings.spool_dir()
    usual = [_default(), _temporary()]
    return [root for root in ([chosen.resolve()] if chosen is not None else usual) if _is_safe(root)]


def _is_safe(root: Path) -> bool:
    try:
        safe_files.check_folder(root)
    except FileNotFoundError:
        return False
    except OSError as error:
        _say_unsafe(str(error))
        return False
    return True


@cache
def _say_unsafe(reason: str) -> None:
    _log.warning("What may wait in a folder is left alone: %s.", reason)


def _default_or_temporary() -> Path:
    try:
        return _made(_default())
    except OSError as error:
        try:
            instead = _made(_temporary())
        except OSError:  # somebody else was there first
            instead = _of_this_process(os.getpid())
        _say_instead(str(error), instead)
        return instead


@cache
def _of_this_process(_process_id: int) -> Path:
    return Path(tempfile.mkdtemp(prefix=f"{_temporary().name}-"))


@cache
def _say_instead(reason: str, instead: Path) -> None:
    _log.warning("%s: so the spool is in %s. STEPWELL_SPOOL_DIR names another place.", reason, instead)


def _default() -> Path:
    try:
        return settings.SPOOL_DIR_DEFAULT.absolute()
    except FileNotFoundError:
        # The working folder is gone, where nothing can be made or found.
        return settings.SPOOL_DIR_DEFAULT


def _temporary() -> Path:
    return Path(tempfile.gettempdir()) / f"stepwell-{os.getuid()}"


def _made(root: Path) -> Path:
    root.mkdir(mode=safe_files.FOLDER_MODE, parents=True, exist_ok=True)
    safe_files.check_folder(root)
    with tempfile.TemporaryFile(dir=root):
        _tried.add(root)
        return root
