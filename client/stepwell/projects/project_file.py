"""What a project says of itself: its `MLproject` file, or where there is none, the files that it has."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stepwell import extras
from stepwell.errors import StepwellException, invalid
from stepwell.projects.entry_points import EntryPoint, Parameter, script_entry_point

FILE_NAME = "MLproject"
# More is no project file.
FILE_BYTES_MAX = 1 << 20
MAIN = "main"
# The keys that name an environment, and the file that is looked for where there is none of them.
ENVIRONMENT_FILES = {"python_env": "python_env.yaml", "conda_env": "conda.yaml"}


@dataclass(frozen=True, slots=True)
class Project:
    """A project: the folder it lies in, its name, its environment's file if it has one, and its entry points."""

    folder: Path
    name: str = ""
    environment_kind: str | None = None
    environment_file: Path | None = None
    entry_points: Mapping[str, EntryPoint] = field(default_factory=dict)

    def entry_point(self, name: str) -> EntryPoint:
        """Return an entry point: one that the file describes, or a script of the folder.

        Raises:
            StepwellException: RESOURCE_DOES_NOT_EXIST; the message names those that there are.
        """
        if name in self.entry_points:
            return self.entry_points[name]
        script = (self.folder / name).resolve()
        if (
            script.is_file()
            and script.is_relative_to(self.folder.resolve())
            and script.suffix in (".py", ".sh")
        ):
            return script_entry_point(name)
        scripts = sorted(path.name for path in self.folder.glob("*") if path.suffix in (".py", ".sh"))
        there = ", ".join([*self.entry_points, *scripts]) or "none"
        raise StepwellException(
            f"The project in {self.folder} has no entry point {name!r}; it has: {there}.",
            "RESOURCE_DOES_NOT_EXIST",
        )


def read_project(folder: Path) -> Project:
    """Return the project in a folder.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE when its file cannot be read or says what cannot be;
            NOT_IMPLEMENTED for an environment of Docker.
    """
    file = _file_of(folder)
    if file is None:
        kind, environment = _environment(folder, {}, folder.name)
        return Project(folder, folder.name, kind, environment)
    said = read_yaml(file)
    if "docker_env" in said:
        raise StepwellException(
            f"{file} wants to run in Docker (docker_env), which Stepwell does not do; give python_env or conda_env, or "
            "run the project with --env-manager local and without that key.",
            "NOT_IMPLEMENTED",
        )
    kind, environment = _environment(folder, said, str(file))
    points = said.get("entry_points") or {}
    if not isinstance(points, dict):
        raise invalid(f"{file}: entry_points is to be a map of names to commands.")
    return Project(
        folder,
        str(said.get("name") or folder.name),
        kind,
        environment,
        {str(name): _entry_point(file, str(name), point) for name, point in points.items()},
    )


def read_yaml(file: Path) -> dict[str, Any]:
    """Return what a file of YAML says. Raises StepwellException, INVALID_PARAMETER_VALUE, naming the line."""
    yaml = extras.load("yaml", "A project", "projects")
    try:
        data = file.read_bytes()
        if len(data) > FILE_BYTES_MAX:
            raise invalid(f"{file} has more than {FILE_BYTES_MAX} bytes; it cannot be what it is to be.")
        said = yaml.safe_load(data.decode())
    except (OSError, UnicodeDecodeError) as error:
        raise invalid(f"{file} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise invalid(f"{file} is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(said, dict):
        raise invalid(f"{file} is to be a map, such as 'name: iris', and not {type(said).__name__}.")
    return said


def _file_of(folder: Path) -> Path | None:
    found = sorted(
        path for path in folder.iterdir() if path.name.lower() == FILE_NAME.lower() and path.is_file()
    )
    return found[0] if found else None


def _environment(folder: Path, said: Mapping[str, Any], source: str) -> tuple[str | None, Path | None]:
    """Return kind and file of the environment: the one that is named, else the usual files."""
    named = [key for key in ENVIRONMENT_FILES if said.get(key)]
    if len(named) > 1:
        raise invalid(f"{source} gives {' and '.join(named)}; give one of them.")
    for key in named:
        file = (folder / str(said[key])).resolve()
        if not file.is_relative_to(folder.resolve()):
            raise invalid(f"{source}: {key} is {str(said[key])!r}, which is outside of the project.")
        if not file.is_file():
            raise invalid(f"{source}: {key} is {str(said[key])!r}, and there is no such file in the project.")
        return key, file
    for key, usual in ENVIRONMENT_FILES.items():
        if (folder / usual).is_file():
            return key, folder / usual
    return None, None


def _entry_point(file: Path, name: str, said: object) -> EntryPoint:
    if not isinstance(said, dict) or not isinstance(said.get("command"), str):
        raise invalid(
            f"{file}: the entry point {name!r} needs a command, such as 'command: python train.py'."
        )
    parameters = said.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise invalid(f"{file}: the parameters of {name!r} are to be a map of names to types.")
    return EntryPoint(
        name,
        {str(key): _parameter(file, name, str(key), value) for key, value in parameters.items()},
        said["command"],
    )


def _parameter(file: Path, point: str, name: str, said: object) -> Parameter:
    if isinstance(said, dict):
        default = said.get("default")
        return Parameter(
            name, str(said.get("type") or "string").lower(), None if default is None else str(default)
        )
    if isinstance(said, str):
        return Parameter(name, said.lower())
    raise invalid(
        f"{file}: the parameter {name!r} of {point!r} is to be a type, such as 'float', or a map of type and default."
    )
