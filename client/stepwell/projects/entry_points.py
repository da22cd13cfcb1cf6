"""Entry points: parameters with their types, and the command that they become part of."""

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from stepwell.errors import invalid

# Doubled braces stand for themselves, as in str.format; those behind a dollar are the shell's.
_PLACE = re.compile(r"\{\{|\}\}|(?<!\$)\{([A-Za-z_][\w.-]*)\}")
# The same, and braces that are no places.
_BRACES = re.compile(rf"{_PLACE.pattern}|[{{}}]")
# What is left of a place that lacks its other brace.
_BEGUN = re.compile(r"(?<!\$)\{[A-Za-z_][\w.-]*")
_ENDED = re.compile(r"[A-Za-z_][\w.-]*\}$")
Fetch = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter: its type (string, float, int, path, uri; others count as string), and its default if it has one."""

    name: str
    kind: str = "string"
    default: str | None = None

    def checked(self, value: str, fetch: Fetch, folder: Path) -> str:
        """Return a value as the command gets it: paths absolute, remote ones fetched.

        Args:
            value: as it was given.
            fetch: brings what an address names here, and returns where it is.
            folder: where relative paths begin.

        Raises:
            StepwellException: INVALID_PARAMETER_VALUE.
        """
        if "\0" in value:
            raise invalid(
                f"The parameter {self.name!r} holds a NUL character, which no command can be given."
            )
        if self.kind == "path":
            return self._path(value, fetch, folder)
        if self.kind == "uri" and not urlsplit(value).scheme:
            raise invalid(
                f"The parameter {self.name!r} is {value!r}; it must be an address, such as https://..."
            )
        if self.kind in ("float", "int"):
            try:
                {"float": float, "int": int}[self.kind](value)
            except ValueError:
                raise invalid(
                    f"The parameter {self.name!r} is {value!r}; it must be of type {self.kind}."
                ) from None
        return value

    def _path(self, value: str, fetch: Fetch, folder: Path) -> str:
        if "://" in value or value.startswith(("runs:/", "models:/")):
            return fetch(value)
        path = (folder / Path(value).expanduser()).absolute()
        # What is not there yet may be what the command writes.
        if not path.exists() and not path.parent.is_dir():
            raise invalid(
                f"The parameter {self.name!r} is {value!r}; there is no such file, nor a folder for it."
            )
        return str(path)


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """A command with places for parameters, `{name}`."""

    name: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    command: str = ""

    def values(self, given: Mapping[str, str], fetch: Fetch, here: Path, project: Path) -> dict[str, str]:
        """Return the values of all parameters, the declared ones first; unknown ones count as strings.

        Args:
            given: what the caller gave.
            fetch: as for `Parameter.checked`.
            here: where relative paths of the caller begin.
            project: the project's folder, where relative paths of defaults begin.

        Raises:
            StepwellException: INVALID_PARAMETER_VALUE when one is missing or is not of its type.
        """
        missing = [name for name, it in self.parameters.items() if it.default is None and name not in given]
        if missing:
            hint = " ".join(f"-P {name}=..." for name in missing)
            raise invalid(f"The entry point {self.name!r} needs {', '.join(missing)}: give {hint}.")
        values = {}
        for name, parameter in self.parameters.items():
            is_default = name not in given
            value = parameter.default or "" if is_default else given[name]
            values[name] = parameter.checked(value, fetch, project if is_default else here)
        extra = {name: value for name, value in given.items() if name not in self.parameters}
        return values | {name: Parameter(name).checked(value, fetch, here) for name, value in extra.items()}

    def command_line(self, values: Mapping[str, str]) -> str:
        """Return the command for a shell: each value one word of it, whatever it holds; extra ones as `--name value`.

        Raises:
            StepwellException: INVALID_PARAMETER_VALUE when the command names a parameter that there is not, or has a
                place that lacks a brace.
        """
        if (half := _half_place(self.command)) is not None:
            raise invalid(
                f"The command of the entry point {self.name!r} has {half!r}, where a brace is missing; write "
                "{name} for a parameter, {{ and }} for braces."
            )

        def fill(place: re.Match[str]) -> str:
            if place[0] in ("{{", "}}"):
                return place[0][0]
            if place[1] not in values:
                raise invalid(
                    f"The command of the entry point {self.name!r} has the place {place[0]}, and there is no such "
                    "parameter; declare it, or write {{ and }} for braces."
                )
            used.add(place[1])
            return shlex.quote(values[place[1]])

        used: set[str] = set()
        command = _PLACE.sub(fill, self.command)
        extra = [name for name in values if name not in self.parameters and name not in used]
        return " ".join(
            [command, *(f"{shlex.quote('--' + name)} {shlex.quote(values[name])}" for name in extra)]
        )


def _half_place(command: str) -> str | None:
    """Return what looks like a place and lacks one of its braces; others without their pair are for the shell."""
    opened: list[int] = []
    for brace in _BRACES.finditer(command):
        if brace[0] == "{":
            opened.append(brace.start())
        elif brace[0] == "}" and opened:
            opened.pop()
        elif brace[0] == "}" and (ended := _ENDED.search(command[: brace.end()])):
            return ended[0]
    return next((begun[0] for at in opened if (begun := _BEGUN.match(command, at))), None)


def script_entry_point(name: str) -> EntryPoint:
    """Return the entry point that a script of the project is."""
    program = "python" if name.endswith(".py") else "bash"
    return EntryPoint(name, {}, f"{program} {shlex.quote(name).replace('{', '{{').replace('}', '}}')}")
