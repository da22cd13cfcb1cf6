"""Environments of projects: made once for each content, in a cache that processes share, and then only used."""

import hashlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from logging import getLogger
from pathlib import Path

from stepwell import extras, settings
from stepwell.errors import StepwellException, invalid
from stepwell.files.alone import alone
from stepwell.projects.project_file import Project
from stepwell.projects.requirements import Requirements, read_requirements

LOCAL = "local"
MANAGERS = (LOCAL, "uv", "virtualenv", "conda")
CONDA_PROGRAMS = ("conda", "mamba", "micromamba")
_READY = "stepwell-ready"
# A project needs Stepwell's client; the page, which a build from a checkout would make, takes a Node.js and a minute.
# Conda and its likes ask before they install, each by a variable of its own.
_BUILD_VARIABLES = {"HATCH_BUILD_NO_HOOKS": "true", "CONDA_ALWAYS_YES": "true", "MAMBA_ALWAYS_YES": "true"}

_log = getLogger("stepwell")
# It reads sysconfig, which gives threads that come while it fills nothing.
_looking_for_uv = threading.Lock()


@dataclass(frozen=True, slots=True)
class Environment:
    """Where a command finds its programs: the manager that made it, and variables on top of those of this process."""

    manager: str
    variables: Mapping[str, str] = field(default_factory=dict)


def local_environment() -> Environment:
    """Return the environment of this process, whose `python` is this one."""
    return Environment(LOCAL, {"PATH": _path_with(Path(sys.executable).parent)})


def checked_manager(name: str | None) -> str | None:
    """Return the name of a manager. Raises StepwellException, INVALID_PARAMETER_VALUE, for one that there is not."""
    if name is not None and name not in MANAGERS:
        raise invalid(f"The environment's manager is one of {', '.join(MANAGERS)}, not {name!r}.")
    return name


def plan(project: Project, manager: str | None) -> "Plan":
    """Say how a project's environment will be made; nothing is made yet.

    Args:
        project: its file says what it needs.
        manager: one of MANAGERS; the default is uv where pip can install all of it, else conda; local where the project
            asks for nothing.

    Raises:
        StepwellException: NOT_IMPLEMENTED when the program is missing; INVALID_PARAMETER_VALUE.
    """
    manager = checked_manager(manager)
    if manager == LOCAL or project.environment_kind is None or project.environment_file is None:
        return Plan(LOCAL, [], Path(), Requirements(project.folder))
    wanted = read_requirements(project.environment_kind, project.environment_file)
    manager = manager or ("conda" if wanted.of_conda else "uv")
    if wanted.of_conda and manager != "conda":
        raise invalid(
            f"{project.environment_file} asks for {', '.join(wanted.of_conda)}, which only conda can install; use "
            "--env-manager conda, or local to run in the environment that you have."
        )
    program = {"uv": _uv, "virtualenv": lambda _: _python(wanted.python), "conda": _conda}[manager](wanted)
    return Plan(manager, program, project.environment_file, wanted)


@dataclass(frozen=True, slots=True)
class Plan:
    """How an environment is made: by which manager and program, from which file."""

    manager: str
    program: Sequence[str]
    file: Path
    wanted: Requirements

    def environment(self) -> Environment:
        """Return the environment, made if it is not there yet; another process that makes it is waited for.

        Raises:
            StepwellException: INVALID_STATE when it cannot be made; what the program said stands above.
        """
        if self.manager == LOCAL:
            return local_environment()
        folder = settings.environments_dir() / self._key()
        with alone(folder):
            if not (folder / _READY).is_file():
                shutil.rmtree(folder, ignore_errors=True)
                self._make(folder)
                (folder / _READY).touch()
        name = "CONDA_PREFIX" if self.manager == "conda" else "VIRTUAL_ENV"
        return Environment(
            self.manager, {name: str(folder), "PATH": _path_with(folder / "bin"), "PYTHONNOUSERSITE": "1"}
        )

    def _key(self) -> str:
        parts = [self.manager, *self.program, *self.wanted.content]
        if self.manager == "conda":
            parts.append(self.file.read_text())
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]

    def _make(self, folder: Path) -> None:
        _log.warning("Making the environment of %s with %s, once ...", self.file.parent.name, self.manager)
        if self.manager == "conda":
            command = "create" if Path(self.program[0]).name == "micromamba" else "env create"
            made = [*self.program, *command.split(), "--prefix", str(folder), "--file", str(self.file)]
            self._run(made, _pip_of_conda(folder.with_suffix(".constraints")))
            return
        if self.manager == "uv":
            python = _same_python(self.wanted.python) or self.wanted.python or sys.executable
            self._run([*self.program, "venv", "--quiet", "--python", python, str(folder)])
            install = [*self.program, "pip", "install", "--python", str(folder / "bin" / "python")]
        else:
            self._run([*self.program, "-m", "venv", str(folder)])
            install = [
                str(folder / "bin" / "python"),
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
            ]
        for group in (self.wanted.build, self.wanted.dependencies):
            if group:
                self._run([*install, *(word for one in group for word in _words(one))])

    def _run(self, command: Sequence[str], variables: Mapping[str, str] | None = None) -> None:
        # What it prints goes to standard error: standard output is the project's.
        ended = subprocess.run(  # noqa: S603
            command,
            cwd=self.wanted.folder,
            stdout=sys.__stderr__,
            env={**os.environ, **_BUILD_VARIABLES, **(variables or {})},
            check=False,
        )
        if ended.returncode:
            raise StepwellException(
                f"The environment of {self.file} could not be made: {Path(command[0]).name} ended with "
                f"{ended.returncode}, and says why above. --env-manager local runs in the environment that you have.",
                "INVALID_STATE",
            )


def _pip_of_conda(file: Path) -> dict[str, str]:
    """Let the pip that conda runs take this Stepwell, where it did not come from an index; `file` is written."""
    origin = extras.origin_url()
    if origin is None:
        return {}
    file.write_text(f"stepwell @ {origin}\n")
    return {"PIP_CONSTRAINT": " ".join([*os.environ.get("PIP_CONSTRAINT", "").split(), str(file)])}


def _words(requirement: str) -> list[str]:
    """An option of pip, such as `-r requirements.txt`, is two words."""
    return requirement.split(maxsplit=1) if requirement.startswith("-") else [requirement]


def _path_with(folder: Path) -> str:
    return os.pathsep.join([str(folder), os.environ.get("PATH", os.defpath)])


def _uv(_: Requirements) -> list[str]:
    try:
        from uv import find_uv_bin
    except ModuleNotFoundError:
        found = shutil.which("uv")
    else:
        with _looking_for_uv:
            found = find_uv_bin()
    if found is None:
        raise _missing("uv", "pip install uv")
    return [found]


def _conda(_: Requirements) -> list[str]:
    for program in CONDA_PROGRAMS:
        if found := shutil.which(program):
            return [found]
    raise _missing(" or ".join(CONDA_PROGRAMS), "see conda's own page for how to install it")


def _python(version: str | None) -> list[str]:
    found = _same_python(version) or shutil.which(f"python{'.'.join((version or '').split('.')[:2])}")
    if found is None:
        raise _missing(f"Python {version}", "--env-manager uv fetches it where it may")
    return [found]


def _same_python(version: str | None) -> str | None:
    """Return this interpreter, if it is of a version: the first two numbers count."""
    this = [str(number) for number in sys.version_info[:2]]
    return sys.executable if version is None or version.split(".")[:2] == this else None


def _missing(what: str, hint: str) -> StepwellException:
    return StepwellException(
        f"The environment needs {what}, which is not here: {hint}. --env-manager local runs in the "
        "environment that you have.",
        "NOT_IMPLEMENTED",
    )
