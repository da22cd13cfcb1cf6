"""What an environment holds: a version of Python, and what pip installs; read from python_env.yaml or conda.yaml."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stepwell import extras
from stepwell.errors import invalid
from stepwell.projects.project_file import read_yaml

_PYTHON_ENV_KEYS = {"python", "build_dependencies", "dependencies"}
# What conda.yaml may ask of conda itself and every environment has anyway.
_USUAL = re.compile(r"(python|pip|setuptools|wheel)\b")
_VERSION = re.compile(r"\d+(\.\d+)*")
_STEPWELL = re.compile(r"stepwell\s*(?P<extras>\[[^\]]*\])?\s*(?P<version>[<>=!~].*)?", re.IGNORECASE)
_INCLUDE = re.compile(r"(?:-r|--requirement|-c|--constraint)[ =]*(?P<file>\S.*)")
# Files of requirements that name each other, at most.
FILES_MAX = 32


@dataclass(frozen=True, slots=True)
class Requirements:
    """What to install. `python` is a version or None; `of_conda` is what only conda has; `folder` where files are."""

    folder: Path
    python: str | None = None
    build: Sequence[str] = ()
    dependencies: Sequence[str] = ()
    of_conda: Sequence[str] = ()

    @property
    def content(self) -> list[str]:
        """All that decides what is installed, with the text of the files that are named."""
        texts = [text for line in self.dependencies for text in _with_files(line, self.folder)]
        return [self.python or "", *self.build, "", *texts, "", *self.of_conda]


def read_requirements(kind: str, file: Path) -> Requirements:
    """Return what a file asks for; `kind` is python_env or conda_env.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE when it cannot be read or understood.
    """
    said = read_yaml(file)
    return _python_env(file, said) if kind == "python_env" else _conda_env(file, said)


def _python_env(file: Path, said: dict[str, Any]) -> Requirements:
    unknown = sorted(set(map(str, said)) - _PYTHON_ENV_KEYS)
    if unknown:
        raise invalid(
            f"{file} has the keys {', '.join(unknown)}; known are {', '.join(sorted(_PYTHON_ENV_KEYS))}."
        )
    python = None if said.get("python") is None else str(said["python"])
    if python is not None and not _VERSION.fullmatch(python):
        raise invalid(f"{file}: python is {python!r}; give a version, such as '3.11'.")
    return Requirements(
        file.parent, python, _texts(file, said, "build_dependencies"), _texts(file, said, "dependencies")
    )


def _conda_env(file: Path, said: dict[str, Any]) -> Requirements:
    python, pip, others = None, [], []
    dependencies = said.get("dependencies") or []
    if not isinstance(dependencies, list):
        raise invalid(f"{file}: dependencies is to be a list.")
    for one in dependencies:
        if isinstance(one, dict):
            pip += _texts(file, one, "pip")
        elif str(one).startswith("python") and (found := re.match(r"python\s*={1,2}\s*([\d.]+)", str(one))):
            python = found[1].rstrip(".")
        elif not _USUAL.match(str(one)):
            others.append(str(one))
    return Requirements(file.parent, python, (), pip, others)


def _texts(file: Path, said: dict[Any, Any], key: str) -> list[str]:
    found = said.get(key) or []
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise invalid(f"{file}: {key} is to be a list of texts, such as '- numpy>=2'.")
    return [_here(one.strip()) for one in found]


def _here(requirement: str) -> str:
    """Let a project that wants Stepwell have this one, where it did not come from an index."""
    found = _STEPWELL.fullmatch(requirement)
    origin = extras.origin_url() if found else None
    return requirement if found is None or origin is None else f"stepwell{found['extras'] or ''} @ {origin}"


def _with_files(line: str, folder: Path, seen: int = 0) -> Iterator[str]:
    yield line
    found = _INCLUDE.match(line)
    file = folder / found["file"].strip() if found else None
    if file is None or not file.is_file() or seen >= FILES_MAX:
        return
    for inner in file.read_text(errors="replace").splitlines():
        yield from _with_files(inner.strip(), file.parent, seen + 1)
