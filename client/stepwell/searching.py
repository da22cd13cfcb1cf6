"""The fluent search for runs: a list, or a data frame with MLflow's columns."""

from collections.abc import Sequence
from logging import getLogger
from typing import TYPE_CHECKING, Any, Literal

from stepwell import experiments, extras
from stepwell.client import StepwellClient
from stepwell.entities import Run, ViewType
from stepwell.errors import StepwellException, invalid, short

if TYPE_CHECKING:
    import pandas

_PAGE_SIZE = 1_000

_log = getLogger("stepwell")


@short
def search_runs(
    experiment_ids: list[str] | None = None,
    filter_string: str = "",
    run_view_type: int = ViewType.ACTIVE_ONLY,
    max_results: int | None = 100_000,
    order_by: list[str] | None = None,
    output_format: Literal["pandas", "list"] = "pandas",
    search_all_experiments: bool = False,
    experiment_names: list[str] | None = None,
    *,
    params: Sequence[str] | None = None,
    metrics: Sequence[str] | None = None,
    tags: Sequence[str] | None = None,
) -> "list[Run] | pandas.DataFrame":
    """Return the runs that a filter finds (docs/search.md).

    Args:
        experiment_ids: where to search; the default is the experiment that new runs go to.
        filter_string: for example "metrics.loss < 0.1 AND params.lr = '0.1'".
        run_view_type: active, deleted or all runs.
        max_results: how many at most; None means all.
        order_by: for example ["metrics.loss DESC"]; latest start first if not given.
        output_format: "pandas" for a data frame with columns such as metrics.loss, "list" for Run entities.
        search_all_experiments: search everywhere, if no experiments are given.
        experiment_names: where to search, by name instead of id; a name that there is not is passed over.
        params: the params wanted; None means all, an empty list none. The same holds for `metrics` and `tags`.
        metrics: the metrics wanted.
        tags: the tags wanted.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE; the message points at what cannot be read.
    """
    if output_format not in ("pandas", "list"):
        raise invalid(f"output_format is 'pandas' or 'list', not {output_format!r}.")
    client = StepwellClient()
    where = _experiment_ids(client, experiment_ids, experiment_names, search_all_experiments)
    found: list[Run] = []
    token = None
    while max_results is None or len(found) < max_results:
        size = _PAGE_SIZE if max_results is None else min(_PAGE_SIZE, max_results - len(found))
        page = client.search_runs(
            where,
            filter_string,
            run_view_type,
            size,
            order_by,
            token,
            params=params,
            metrics=metrics,
            tags=tags,
        )
        found.extend(page)
        token = page.token
        if token is None:
            break
    return found if output_format == "list" else _data_frame(found)


def _experiment_ids(
    client: StepwellClient, ids: list[str] | None, names: list[str] | None, everywhere: bool
) -> list[str] | None:
    """Return where to search; None means everywhere."""
    if ids and names:
        raise invalid("Give experiment_ids or experiment_names, not both.")
    if names:
        known = {name: client.get_experiment_by_name(name) for name in names}
        for name, experiment in known.items():
            if experiment is None:
                _log.warning("There is no experiment %r to search in.", name)
        return [experiment.experiment_id for experiment in known.values() if experiment is not None]
    if ids:
        return ids
    return None if everywhere else [experiments.current_experiment_id()]


def _data_frame(runs: Sequence[Run]) -> "pandas.DataFrame":
    try:
        import pandas
    except ModuleNotFoundError:
        raise StepwellException(
            f"search_runs returns a pandas data frame, and pandas is missing: {extras.install_hint('pandas')}, or "
            "search_runs(..., output_format='list').",
            "NOT_IMPLEMENTED",
        ) from None
    columns: dict[str, Any] = {
        name: pandas.Series([getattr(run.info, name) for run in runs], dtype=str)
        for name in ("run_id", "experiment_id", "status", "artifact_uri")
    }
    for name in ("start_time", "end_time"):
        times = pandas.Series([getattr(run.info, name) for run in runs], dtype="Int64")
        # A time beyond the calendar, as somebody's nanoseconds, is none.
        columns[name] = pandas.to_datetime(times, unit="ms", utc=True, errors="coerce")
    for kind, missing in (("metrics", float("nan")), ("params", None), ("tags", None)):
        logged = [getattr(run.data, kind) for run in runs]
        for key in sorted({key for one in logged for key in one}):
            values = [one.get(key, missing) for one in logged]
            columns[f"{kind}.{key}"] = pandas.Series(values, dtype=float if kind == "metrics" else object)
    return pandas.DataFrame(columns)
