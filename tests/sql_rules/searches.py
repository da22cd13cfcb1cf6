"""Searches of every kind, as the compilers of store/search make statements of them."""

from collections.abc import Iterator
from itertools import product
from uuid import UUID

from stepwell_server.model.runs import ViewType
from stepwell_server.search.parser import parse_field, parse_filter, parse_order
from stepwell_server.search.queries import (
    ExperimentSearch,
    LoggedModelSearch,
    Projection,
    RegistrySearch,
    RunSearch,
)
from stepwell_server.search.subjects import (
    EXPERIMENTS,
    LOGGED_MODELS,
    MODEL_VERSIONS,
    REGISTERED_MODELS,
    RUNS,
)
from stepwell_server.store.search.change_query import ChangeQuery
from stepwell_server.store.search.count_query import CountQuery
from stepwell_server.store.search.experiment_query import ExperimentQuery
from stepwell_server.store.search.group_query import (
    PROBED_RUNS_MAX,
    FoundQuery,
    GroupQuery,
    values_query,
)
from stepwell_server.store.search.logged_model_query import LoggedModelQuery
from stepwell_server.store.search.registry_query import MODELS, VERSIONS, RegistryQuery
from stepwell_server.store.search.run_query import RunQuery

FILTER = (
    "metrics.loss < 1 AND params.lr = '0.1' AND tags.a LIKE 'b%' AND datasets.name = 'd'"
    " AND attributes.status = 'RUNNING'"
)
ORDERS = {"start time": (), "metric": ("metrics.loss DESC",), "param": ("params.lr ASC",)}
_ACTIVE = ["active"]


def compiled_searches() -> Iterator[tuple[str, str]]:
    """Yield a name and the text of each."""
    filter_ = parse_filter(FILTER, RUNS)
    assert filter_ is not None
    for (order, keys), (which, wanted), (where, ids) in product(
        ORDERS.items(), ((", filtered", filter_), ("", None)), (("", [1]), (", everywhere", None))
    ):
        search = RunSearch(
            ids,
            ViewType.ACTIVE_ONLY,
            wanted,
            parse_order(keys, RUNS),
            100,
            projection=Projection(summaries=True),
            roots_only=wanted is None,
        )
        yield f"search runs by {order}{which}{where}", RunQuery(search).text
    yield "search runs to count", CountQuery([1], _ACTIVE, filter_).text
    yield "search runs to group", FoundQuery([1], _ACTIVE, filter_, 10).text
    yield "search changes that delete", ChangeQuery([1], filter_).delete()
    yield "search changes that restore", ChangeQuery([1], filter_).restore()
    yield "search changes that tag", ChangeQuery([1], filter_).tag({"a": "b"})
    fields = [parse_field(text, RUNS) for text in ("params.lr", "tags.a", "datasets.name")]
    measured = [parse_field("metrics.loss", RUNS)]
    for count in (1, PROBED_RUNS_MAX + 1):
        text = GroupQuery([UUID(int=1)] * count, fields, measured, 10).text
        yield f"search groups of {count} runs", text
    for field in fields:
        yield f"search values of {field.kind.name.lower()}", values_query([UUID(int=1)], field, "a", 10)[0]
    experiments = parse_filter("tags.a = 'b'", EXPERIMENTS)
    yield (
        "search experiments",
        ExperimentQuery(
            ExperimentSearch(ViewType.ALL, experiments, parse_order(["name"], EXPERIMENTS), 10)
        ).text,
    )
    models = parse_filter("metrics.loss < 1 AND params.lr = '0.1'", LOGGED_MODELS)
    by_metric = parse_order(["metrics.loss"], LOGGED_MODELS)
    yield "search logged models", LoggedModelQuery(LoggedModelSearch([1], models, [], by_metric, 10)).text
    registered = RegistrySearch(parse_filter("tags.a = 'b'", REGISTERED_MODELS), (), 10)
    yield "search registry models", RegistryQuery(registered, MODELS).text
    versions = RegistrySearch(parse_filter("tags.a = 'b'", MODEL_VERSIONS), (), 10)
    yield "search registry versions", RegistryQuery(versions, VERSIONS).text
