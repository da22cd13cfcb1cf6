"""What scripts import as mlflow.tracking.context.registry."""

from typing import Any

from stepwell.as_mlflow.standing_in import stand_in
from stepwell.runs import context


def resolve_tags(tags: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the tags that a run of this process gets, with those that are given."""
    return {**context.system_tags(), **(tags or {})}


stand_in(globals())
