"""Searches of every kind, as the compilers of store/search make statements of them for a database of several nodes."""

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
from stepwell_server.store.search.count_query import CountQuery
from stepwell_server.store.search.experiment_query import ExperimentQuery
from stepwell_server.store.search.flat_groups import flat_groups_query, flat_values_query
from stepwell_server.store.search.flat_query import FlatRunQuery, columns_query
from stepwell_server.store.search.group_query import FoundQuery
from stepwell_server.store.search.joined_fields import JoinedFields
from stepwell_server.store.search.logged_model_query import LoggedModelQuery
from stepwell_server.store.search.registry_query import MODELS, VERSIONS, RegistryQuery
from stepwell_server.store.tracking.flat_searches import OF_ACTIVE_EXPERIMENTS

FILTER = (
    "metrics.loss < 1 AND params.lr = '0.1' AND tags.a LIKE 'b%' AND datasets.name = 'd'"
    " AND attributes.status = 'RUNNING'"
)
ORDERS = {"start time": (), "metric": ("metrics.loss DESC",), "param": ("params.lr ASC",)}
_ACTIVE = ["active"]
KNOWN = {"loss": 1}


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
        yield f"search runs by {order}{which}{where}", FlatRunQuery(search, KNOWN).text
    for projection in (Projection(summaries=True), Projection(["lr"], ["loss"], [])):
        yield "search runs for columns", columns_query([UUID(int=1)], projection, KNOWN)[0]
    yield "search runs to count", CountQuery([1], _ACTIVE, filter_, (), JoinedFields(KNOWN)).text
    for limit in (10, None):
        found = FoundQuery([1], _ACTIVE, filter_, limit, (), JoinedFields(KNOWN), OF_ACTIVE_EXPERIMENTS)
        yield "search runs to group or change", found.text
    fields = [parse_field(text, RUNS) for text in ("params.lr", "tags.a", "datasets.name")]
    measured = [parse_field("metrics.loss", RUNS)]
    groups = flat_groups_query([UUID(int=1)], fields, measured, 10, JoinedFields(KNOWN))
    yield "search groups of runs", groups[0]
    for field in fields:
        values = flat_values_query([UUID(int=1)], field, "a", 10, JoinedFields(KNOWN))
        yield f"search values of {field.kind.name.lower()}", values[0]
    experiments = parse_filter("tags.a = 'b'", EXPERIMENTS)
    yield (
        "search experiments",
        ExperimentQuery(
            ExperimentSearch(ViewType.ALL, experiments, parse_order(["name"], EXPERIMENTS), 10)
        ).text,
    )
    models = parse_filter("metrics.loss < 1 AND params.lr = '0.1'", LOGGED_MODELS)
    by_metric = parse_order(["metrics.loss"], LOGGED_MODELS)
    yield (
        "search logged models",
        LoggedModelQuery(LoggedModelSearch([1], models, [], by_metric, 10), is_distributed=True).text,
    )
    registered = RegistrySearch(parse_filter("tags.a = 'b'", REGISTERED_MODELS), (), 10)
    yield "search registry models", RegistryQuery(registered, MODELS).text
    versions = RegistrySearch(parse_filter("tags.a = 'b'", MODEL_VERSIONS), (), 10)
    yield "search registry versions", RegistryQuery(versions, VERSIONS).text
