"""Which paths artifacts may have: plain relative ones that every file system and bucket can hold.

The client refuses the same paths before it sends anything (client/stepwell/files/paths.py).
"""

import re
from collections import Counter
from collections.abc import Sequence

from stepwell_server.errors import InvalidArgumentError
from stepwell_server.model.artifacts import PATH_BYTES_MAX, PATH_PART_BYTES_MAX, PATH_PARTS_MAX

SHOWN_CHARS_MAX = 80

_DRIVE = re.compile(r"[A-Za-z]:")


def check_path(path: str) -> None:
    """Check the path of an artifact.

    Raises:
        InvalidArgumentError: it is empty, absolute, too long, or has a part that leaves its folder or that a
            file system could not hold.
    """
    if not path:
        raise InvalidArgumentError("an artifact needs a path; it is empty")
    _check_length("artifact path", path, path, PATH_BYTES_MAX)
    problem = _problem(path)
    if problem:
        raise InvalidArgumentError(f"artifact path {_shown(path)} {problem}")
    for part in path.split("/"):
        _check_length("a part of artifact path", path, part, PATH_PART_BYTES_MAX)


def check_folder(path: str) -> None:
    """Check the path of a folder of artifacts; the empty one is the root. Raises as `check_path`."""
    if path:
        check_path(path)


def is_plain_folder(path: str) -> bool:
    """Tell whether a path can be that of a folder of artifacts, and is not the root."""
    try:
        check_path(path)
    except InvalidArgumentError:
        return False
    return True


def check_together(paths: Sequence[str]) -> None:
    """Check that paths go together.

    Raises:
        InvalidArgumentError: one occurs twice, or is the folder of another.
    """
    known = set(paths)
    if len(known) < len(paths):
        twice = next(path for path, count in Counter(paths).items() if count > 1)
        raise InvalidArgumentError(f"artifact path {_shown(twice)} is given twice; give it once")
    for path in paths:
        for folder in _folders(path):
            if folder in known:
                raise InvalidArgumentError(
                    f"artifact path {_shown(folder)} cannot be a file and the folder of {_shown(path)} at once"
                )


def _folders(path: str) -> Sequence[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


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
    if len(parts) > PATH_PARTS_MAX:
        return f"has {len(parts)} parts; at most {PATH_PARTS_MAX} are allowed"
    if "" in parts:
        return "has an empty part; remove the doubled or last slash"
    if "." in parts or ".." in parts:
        return "has a part '.' or '..'; write it without"
    return ""


def _check_length(what: str, path: str, text: str, bytes_max: int) -> None:
    try:
        length = len(text.encode())
    except UnicodeEncodeError:
        raise InvalidArgumentError(f"artifact path {_shown(path)} is no Unicode text") from None
    if length > bytes_max:
        raise InvalidArgumentError(
            f"{what} {_shown(path)} has {length:,} bytes, at most {bytes_max:,} are allowed"
        )


def _shown(text: str) -> str:
    return repr(text if len(text) <= SHOWN_CHARS_MAX else text[:SHOWN_CHARS_MAX] + "…")
