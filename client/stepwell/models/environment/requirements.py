"""Lists of requirements as pip reads them: what the user gave, or what was found.

pip_requirements          a list, or the path of a file: these and no others
extra_pip_requirements    the same, beside what was found
conda_env                 a dict, or the path of a YAML file: its pip requirements
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stepwell.errors import invalid
from stepwell.models.environment import distributions, modules

# Files that include files.
INCLUDES_MAX = 20
CONSTRAINTS_FILE = "constraints.txt"

_OPTION = re.compile(r"(-r|--requirement|-c|--constraint)[ =]\s*(.+)")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Requirements:
    """Lines for requirements.txt, and those for constraints.txt."""

    lines: list[str] = field(default_factory=list)
    constraints: list[str] = field(default_factory=list)


def given(pip_requirements: Any, what: str) -> Requirements:
    """Return requirements that the user gave: a list of lines, or the path of a file.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE for something else, or a file that is not there.
    """
    if isinstance(pip_requirements, (str, Path)):
        return _read(Path(pip_requirements), what, 0)
    if not isinstance(pip_requirements, Iterable) or isinstance(pip_requirements, (bytes, Mapping)):
        raise invalid(
            f"{what} must be a list of requirements or the path of a file, not {pip_requirements!r}."
        )
    return _parse([str(it) for it in pip_requirements], Path(), what, 0)


def found(objects: Sequence[Any], defaults: Sequence[str]) -> Requirements:
    """Return pins of what objects need, and of a flavor's own distributions."""
    return Requirements(distributions.pins(modules.modules_of(objects), defaults))


def joined(one: Requirements, other: Requirements) -> Requirements:
    """Return both; where both name a distribution, the other's line stands."""
    names = {_name(it) for it in other.lines}
    kept = [it for it in one.lines if _name(it) not in names]
    return Requirements([*kept, *other.lines], [*one.constraints, *other.constraints])


def _name(line: str) -> str:
    match = _NAME.match(line)
    return re.sub(r"[-_.]+", "-", match.group()).lower() if match else line


def _read(file: Path, what: str, depth: int) -> Requirements:
    if depth > INCLUDES_MAX:
        raise invalid(f"{what}: files include each other more than {INCLUDES_MAX} deep.")
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise invalid(f"{what}: the file of requirements {file} cannot be read: {error}") from None
    return _parse(lines, file.parent, what, depth)


def _parse(lines: Sequence[str], folder: Path, what: str, depth: int) -> Requirements:
    result = Requirements()
    for line in _logical(lines):
        option = _OPTION.match(line)
        if option is None:
            result.lines.append(line)
            continue
        read = _read(folder / option[2].strip(), what, depth + 1)
        if option[1] in ("-c", "--constraint"):
            result.constraints.extend([*read.lines, *read.constraints])
        else:
            result.lines.extend(read.lines)
            result.constraints.extend(read.constraints)
    return result


def _logical(lines: Sequence[str]) -> Iterable[str]:
    """Yield lines without comments, joined where they go on."""
    begun = ""
    for line in lines:
        text = re.sub(r"(^|\s)#.*$", "", begun + line).strip()
        if text.endswith("\\"):
            begun = text[:-1]
            continue
        begun = ""
        if text:
            yield text
    if begun:
        yield begun.strip()
