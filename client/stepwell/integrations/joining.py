"""The run that an integration logs to: the active one, an old one, or a new one that it starts and ends."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import stepwell
from stepwell import settings
from stepwell.errors import invalid
from stepwell.runs.active import ActiveRun

# Names of metrics that are remembered as they may be logged, some 1 MiB.
NAMES_MAX = 4_096
# (pictures, height, width, channels)
PICTURES_NDIM = 4


@dataclass(slots=True)
class Joined:
    """A run, and whether the integration has started it: then it ends it."""

    run: ActiveRun
    owned: bool

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.run.info.run_id

    def end(self, status: str = "FINISHED") -> None:
        """End the run, if it was started here and is still the active one."""
        if not self.owned or self.run.ended:
            return
        if stepwell.active_run() is self.run:
            stepwell.end_run(status)
        else:
            stepwell.StepwellClient(self.run.writer.uri).set_terminated(self.run_id, status)


def join(
    *,
    tracking_uri: str | None = None,
    experiment_name: str | None = None,
    run_id: str | None = None,
    run_name: str | None = None,
    nested: bool = False,
    tags: Mapping[str, Any] | None = None,
    description: str | None = None,
) -> Joined:
    """Return the run to log to.

    Without `run_id` and `nested` it is the active run, if there is one: it gets the tags, and stays open at the end.
    Otherwise one is started, inside of the active run if there is one; others go where they went before.
    """
    active = stepwell.active_run()
    if active is not None and not nested and run_id in (None, active.info.run_id):
        if tags:
            stepwell.set_tags(tags)
        return Joined(active, owned=False)
    if tracking_uri:
        stepwell.set_tracking_uri(tracking_uri)
    with settings.experiment_named(experiment_name):
        run = stepwell.start_run(
            run_id=run_id,
            run_name=run_name,
            nested=active is not None,
            tags=dict(tags or {}),
            description=description,
        )
    return Joined(run, owned=True)


def flat(params: Any) -> dict[str, Any]:
    """Return params as one dictionary of text and numbers: a namespace, nested dictionaries, with "/" between names."""
    from stepwell import values

    given = params if isinstance(params, Mapping) else vars(params)
    return values.flattened(given, "/")


def numbers(logs: Mapping[str, Any] | None) -> dict[str, float]:
    """Return what of some logs is a number, by a name that a metric may have."""
    found: dict[str, float] = {}
    for key, value in (logs or {}).items():
        if isinstance(value, (str, bytes)) or value is None:
            continue
        try:
            found[metric_name(key)] = float(value)
        except (TypeError, ValueError, RuntimeError):
            continue
    return found


def listed(name: str, given: Any) -> Iterable[Any]:
    """Return several things of a kind: a list, or an array of pictures.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE for one thing alone, which would be taken for its rows or letters.
    """
    if not isinstance(given, (list, tuple)) and getattr(given, "ndim", 0) != PICTURES_NDIM:
        raise invalid(f"{name} is a list, also of one: [...], not {type(given).__name__}.")
    return cast(Iterable[Any], given)


@lru_cache(NAMES_MAX, typed=True)  # the same ones come at each step
def metric_name(name: object) -> str:
    """Return a name with what metrics may not have replaced by "_"."""
    kept = "".join(char if char.isalnum() or char in "_-. :/" else "_" for char in str(name))
    return "/".join(part for part in kept.split("/") if part not in ("", ".", ".."))[:250] or "_"
