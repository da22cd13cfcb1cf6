"""The files conda.yaml, python_env.yaml and requirements.txt of a model."""

import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stepwell.errors import invalid
from stepwell.models.environment import distributions
from stepwell.models.environment.requirements import CONSTRAINTS_FILE, Requirements, given
from stepwell.models.mlmodel import yaml

CONDA_FILE = "conda.yaml"
PYTHON_ENV_FILE = "python_env.yaml"
REQUIREMENTS_FILE = "requirements.txt"
# For `env` of the flavor python_function.
ENV = {"conda": CONDA_FILE, "virtualenv": PYTHON_ENV_FILE}

_BUILD = ("pip", "setuptools", "wheel")


def write(folder: Path, requirements: Requirements, conda_env: Mapping[str, Any] | None = None) -> None:
    """Write the files of an environment; `conda_env` goes as it is where the user gave one."""
    lines = list(requirements.lines)
    if requirements.constraints:
        (folder / CONSTRAINTS_FILE).write_text("\n".join(requirements.constraints), encoding="utf-8")
        lines.append(f"-c {CONSTRAINTS_FILE}")
    (folder / REQUIREMENTS_FILE).write_text("\n".join(lines), encoding="utf-8")
    _write_yaml(folder / CONDA_FILE, conda_env or _conda(lines))
    _write_yaml(folder / PYTHON_ENV_FILE, _python_env(_python_of(conda_env)))


def read_conda(conda_env: Any) -> tuple[dict[str, Any], Requirements]:
    """Return what the user gave as conda_env, and its pip requirements.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE when it is neither a dict nor the path of a YAML file of one.
    """
    if isinstance(conda_env, (str, Path)):
        conda_env = _read_yaml(Path(conda_env))
    if not isinstance(conda_env, Mapping):
        raise invalid(f"conda_env must be a dict or the path of a YAML file, not {type(conda_env).__name__}.")
    dependencies = conda_env.get("dependencies") or []
    pip = [it["pip"] for it in dependencies if isinstance(it, Mapping) and it.get("pip")]
    return dict(conda_env), given([line for lines in pip for line in lines], "conda_env")


def _conda(lines: list[str]) -> dict[str, Any]:
    pip = distributions.installed_version("pip")
    return {
        "name": "mlflow-env",
        "channels": ["conda-forge"],
        "dependencies": [
            f"python={platform.python_version()}",
            f"pip<={pip}" if pip else "pip",
            *([{"pip": lines}] if lines else []),
        ],
    }


def _python_env(python: str) -> dict[str, Any]:
    versions = ((name, distributions.installed_version(name)) for name in _BUILD)
    return {
        "python": python,
        "build_dependencies": [f"{name}=={version}" if version else name for name, version in versions],
        "dependencies": [f"-r {REQUIREMENTS_FILE}"],
    }


def _python_of(conda_env: Mapping[str, Any] | None) -> str:
    for line in (conda_env or {}).get("dependencies") or ():
        name, _, version = str(line).replace("==", "=").partition("=")
        if name.strip() == "python" and version:
            return version.strip()
    return platform.python_version()


def _write_yaml(file: Path, value: Mapping[str, Any]) -> None:
    file.write_text(
        yaml().safe_dump(dict(value), default_flow_style=False, sort_keys=False), encoding="utf-8"
    )


def _read_yaml(file: Path) -> Any:
    try:
        return yaml().safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml().YAMLError) as error:
        raise invalid(f"conda_env: {file} cannot be read: {error}") from None
