"""The space of a sweep: which parameters to try, and which metric is to be small or large."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stepwell import extras
from stepwell.errors import invalid
from stepwell.projects.project_file import read_yaml

GOALS = ("minimize", "maximize")
# A grid of more points is a mistake rather than a plan.
GRID_POINTS_MAX = 100_000
_RANGE_KEYS = {"type", "low", "high", "step", "log"}


@dataclass(frozen=True, slots=True)
class Space:
    """Parameters with what each may be, as Optuna's distributions; the metric, and whether it is to be small."""

    metric: str
    goal: str
    distributions: Mapping[str, Any]

    def grid(self) -> Iterator[dict[str, Any]]:
        """Yield all points.

        Raises:
            StepwellException: INVALID_PARAMETER_VALUE when a range has no steps, or there are too many points.
        """
        columns = {name: _points(name, distribution) for name, distribution in self.distributions.items()}
        count = 1
        for points in columns.values():
            count *= len(points)
        if count > GRID_POINTS_MAX:
            raise invalid(f"The grid has {count} points; at most {GRID_POINTS_MAX} can be tried.")
        for point in itertools.product(*columns.values()):
            yield dict(zip(columns, point, strict=True))


def read_space(file: Path) -> Space:
    """Return the space that a file of YAML describes (docs/projects.md).

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE; the message names the parameter.
    """
    said = read_yaml(file)
    unknown = sorted(set(map(str, said)) - {"metric", "goal", "parameters"})
    if unknown:
        raise invalid(f"{file} has the keys {', '.join(unknown)}; known are metric, goal, parameters.")
    metric, goal, parameters = said.get("metric"), said.get("goal", GOALS[0]), said.get("parameters")
    if not isinstance(metric, str) or not metric:
        raise invalid(f"{file} needs a metric: the name of the one that is to be small or large.")
    if goal not in GOALS:
        raise invalid(f"{file}: goal is one of {', '.join(GOALS)}, not {goal!r}.")
    if not isinstance(parameters, dict) or not parameters:
        raise invalid(f"{file} needs parameters, such as 'lr: {{low: 0.001, high: 0.1, log: true}}'.")
    return Space(
        metric, goal, {str(name): _distribution(file, str(name), it) for name, it in parameters.items()}
    )


def _distribution(file: Path, name: str, said: object) -> Any:
    distributions = extras.load("optuna.distributions", "A sweep", "sweeps")
    if isinstance(said, list):
        said = {"choices": said}
    if (
        isinstance(said, dict)
        and set(said) == {"choices"}
        and isinstance(said["choices"], list)
        and said["choices"]
    ):
        return distributions.CategoricalDistribution(said["choices"])
    if not isinstance(said, dict) or not {"low", "high"} <= set(said) <= _RANGE_KEYS:
        raise invalid(
            f"{file}: the parameter {name!r} is to be a list of choices, or a map of low and high, and maybe of type "
            "(float or int), step and log."
        )
    bounds = (said["low"], said["high"], said.get("step"))
    if not all(isinstance(it, int | float) for it in bounds if it is not None):
        raise invalid(
            f"{file}: low, high and step of the parameter {name!r} are to be numbers (write 1.0e-4, not 1e-4)."
        )
    kind = said.get("type") or (
        "int" if all(isinstance(it, int) for it in bounds if it is not None) else "float"
    )
    if kind not in ("int", "float"):
        raise invalid(f"{file}: the type of the parameter {name!r} is float or int, not {kind!r}.")
    low, high, step = bounds
    try:
        if kind == "int":
            return distributions.IntDistribution(
                int(low), int(high), log=bool(said.get("log")), step=int(step or 1)
            )
        return distributions.FloatDistribution(float(low), float(high), log=bool(said.get("log")), step=step)
    except ValueError as error:
        raise invalid(f"{file}: the parameter {name!r} cannot be: {error}") from error


def _points(name: str, distribution: Any) -> list[Any]:
    if hasattr(distribution, "choices"):
        return list(distribution.choices)
    if distribution.step is None:
        raise invalid(f"A grid needs steps: give the parameter {name!r} a step, or a list of choices.")
    if distribution.log:
        raise invalid(
            f"A grid has even steps: leave log out of the parameter {name!r}, or give a list of choices."
        )
    count = round((distribution.high - distribution.low) / distribution.step) + 1
    return [distribution.low + number * distribution.step for number in range(count)]
