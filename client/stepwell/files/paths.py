"""Paths of artifacts, and what a local folder gives: the rules that the server also has, told before anything is sent.

A path is relative and has plain parts between slashes: no empty, `.` or `..` part, no backslash, no drive letter, no
NUL; at most 1,024 bytes of UTF-8, at most 255 a part.
"""

import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from stepwell.errors import StepwellException, invalid

PATH_BYTES_MAX = 1_024
PATH_PART_BYTES_MAX = 255

_DRIVE = re.compile(r"[A-Za-z]:")


class LinkOutsideError(StepwellException):
    """A link leads out of where links may lead, to `target`. INVALID_PARAMETER_VALUE."""

    def __init__(self, message: str, target: Path) -> None:
        super().__init__(message, "INVALID_PARAMETER_VALUE")
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.message, self.target)


def check_path(path: object, what: str = "artifact path") -> str:
    """Return the path of an artifact if it may be one.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE.
    """
    if isinstance(path, os.PathLike):
        path = path.as_posix() if isinstance(path, Path) else os.fspath(path)
    if not isinstance(path, str) or not path:
        raise invalid(f"The {what} must be a string that is not empty, not {path!r}.")
    problem = _problem(path)
    if problem:
        raise invalid(f"The {what} {_shown(path)} {problem}.")
    return path


def check_folder(path: object) -> str:
    """Return the path of a folder of artifacts; None, "" and "." are the root. Raises as `check_path`."""
    return "" if path is None or path in ("", ".") else check_path(path)


def joined(folder: str, path: str) -> str:
    """Return the path of something in a folder; "" is the root, and the folder itself."""
    return f"{folder}/{path}" if folder and path else folder or path


def files_below(
    folder: Path,
    left_out: Callable[[StepwellException], object] | None = None,
    within: Sequence[Path] = (),
) -> Iterator[tuple[str, Path]]:
    """Yield all files below a local folder, in order: paths relative to it, and where they are.

    Links are followed as long as they stay in the folder, or in one of the folders `within`. `left_out` is told what is
    left out, and why: a link that leaves them or leads nowhere, what is neither file nor folder, names that no artifact
    can have, a folder that cannot be read.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE for the first of these, when there is no `left_out`.
    """
    roots = [folder.resolve(strict=True), *(root.resolve() for root in within)]
    yield from _files(roots, folder, "", (), left_out or _raise)


def _raise(failure: StepwellException) -> None:
    raise failure


def _files(
    roots: Sequence[Path],
    folder: Path,
    prefix: str,
    around: Sequence[Path],
    left_out: Callable[[StepwellException], object],
) -> Iterator[tuple[str, Path]]:
    real = folder.resolve()
    try:
        entries = sorted(os.listdir(folder))  # noqa: PTH208 - names take less memory than paths
    except OSError as error:
        left_out(invalid(f"{folder} cannot be read: {error.strerror}."))
        return
    for entry in entries:
        path, name = folder / entry, joined(prefix, entry)
        try:
            is_folder = _is_folder(roots, path, name, (*around, real))
        except StepwellException as failure:
            left_out(failure)
            continue
        if is_folder:
            yield from _files(roots, path, name, (*around, real), left_out)
        else:
            yield name, path


def _is_folder(roots: Sequence[Path], path: Path, name: str, around: Sequence[Path]) -> bool:
    """Tell whether something is a folder, and not a file; raises what is wrong with it."""
    if path.is_symlink():
        _check_link(roots, path)
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise invalid(f"{path} cannot be read: {error.strerror}.") from None
    if stat.S_ISDIR(mode):
        if path.resolve() in around:
            raise invalid(f"The symbolic link {path} leads back to a folder around it; remove it.")
        return True
    if not stat.S_ISREG(mode):
        raise invalid(f"{path} is neither a file nor a folder; only these can be artifacts.")
    check_path(name)
    return False


def _check_link(roots: Sequence[Path], link: Path) -> None:
    try:
        target = link.resolve(strict=True)
    except (OSError, RuntimeError):
        raise invalid(f"The symbolic link {link} leads nowhere; remove it or repair it.") from None
    if not any(target.is_relative_to(root) for root in roots):
        raise LinkOutsideError(
            f"The symbolic link {link} leaves the folder {roots[0]}: it leads to {target}. Copy the file, or log it by "
            "its own path.",
            target,
        )


def target_below(folder: Path, path: str) -> Path:
    """Return where an artifact goes in a local folder, and make the folders on the way.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE when a symbolic link would lead out of the folder; INVALID_STATE when
            a file is where a folder has to be, or the other way round.
    """
    target = folder / check_path(path)
    parents = path.split("/")[:-1]
    root = folder.resolve() if parents else folder
    # Folders are made one by one, because a link on the way must not lead out before it is noticed.
    parent = folder
    for part in parents:
        parent = parent / part
        try:
            parent.mkdir(exist_ok=True)
        except FileExistsError:
            raise StepwellException(
                f"{parent} is a file; a folder is needed there.", "INVALID_STATE"
            ) from None
        if not parent.resolve().is_relative_to(root):
            raise invalid(
                f"{parent} is a symbolic link that leaves {folder}; artifacts are not written there."
            )
    if target.is_dir():
        raise StepwellException(f"{target} is a folder; the artifact {path!r} is a file.", "INVALID_STATE")
    return target


@contextmanager
def part_of(target: Path) -> Iterator[BinaryIO]:
    """Open a file that becomes the target when all of it is there."""
    part = target.with_name(f"{target.name}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _problem(path: str) -> str:
    if "\0" in path:
        return "has a NUL character; remove it"
    if "\\" in path:
        return "has a backslash; separate its parts with slashes"
    if path.startswith("/"):
        return "is absolute; give one that is relative to the run"
    if _DRIVE.match(path):
        return "begins with a drive letter; give one that is relative to the run"
    parts = path.split("/")
    if "" in parts:
        return "has an empty part; remove the doubled or last slash"
    if "." in parts or ".." in parts:
        return "has a part '.' or '..'; write it without"
    return _length_problem(path)


def _length_problem(path: str) -> str:
    try:
        length = len(path.encode())
        longest = max(len(part.encode()) for part in path.split("/"))
    except UnicodeEncodeError:
        return "is no Unicode text; rename the file"
    if length > PATH_BYTES_MAX:
        return f"has {length:,} bytes; at most {PATH_BYTES_MAX:,} are allowed"
    if longest > PATH_PART_BYTES_MAX:
        return f"has a part of {longest} bytes; at most {PATH_PART_BYTES_MAX} are allowed"
    return ""


def _shown(path: str) -> str:
    text = repr(path)
    return text if len(text) <= 120 else f"{text[:117]}..."
