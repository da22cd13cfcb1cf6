"""Searches of runs to one statement.

Which way is the fastest depends on the data, so the statement finds out itself as it goes:

1. It counts, up to CANDIDATES_MAX, what each condition names that an index knows (narrowing.py), and the runs of the
   experiments. Where one count stays below, those runs are the *candidates*.
2. Else it *walks* in the wanted order along an index (of latest values or start times), WALKED_MAX entries at most, and
   stops when the page is full. Conditions on texts come first there, as a look into the index of values: its entries
   of one text lie close together, where the rows of the runs are anywhere.
3. Where that does not fill the page, the candidates are the runs that fulfil all conditions that an index knows; or all
   runs of the experiments if there is no such condition.

Candidates are filtered and sorted. Filters are evaluated run by run, by probes of primary keys (tables.py). LATERAL and
OFFSET 0 keep the planner from making joins of whole tables of this: what it believes of filters is often wrong by
orders of magnitude. So what a page costs is bounded: the counts, the walk, and then an intersection.

The index of latest values (ingest/value_index.py) knows settled runs only; the others are few and looked at beside it.
"""

from collections.abc import Iterator, Sequence

from stepwell_server.model.runs import PARENT_RUN_TAG, RUN_ITEMS_MAX, LifecycleStage, ViewType
from stepwell_server.search.expressions import Expression, FieldKind, OrderKey, conjuncts
from stepwell_server.search.queries import Projection, RunSearch
from stepwell_server.store.search.conditions import condition
from stepwell_server.store.search.narrowing import Narrowing, narrowings
from stepwell_server.store.search.ordering import Ordering, key_literal
from stepwell_server.store.search.parameters import Parameters
from stepwell_server.store.search.scopes import among
from stepwell_server.store.search.tables import MEAN, RUN_TABLES, metric_id

# As many runs are filtered and sorted without a try to walk; each costs some microseconds.
CANDIDATES_MAX = 2_000
# Entries of an index that a walk looks at before it gives up.
WALKED_MAX = 15_000
# Conditions whose counts are asked for; each count reads at most CANDIDATES_MAX index entries.
NARROWINGS_MAX = 4
# Where a candidate is from, beside the numbers of the counts: from all of them, and from none.
_ALL_SOURCES, _NO_SOURCE = -1, -2

STAGES = {
    ViewType.ACTIVE_ONLY: [LifecycleStage.ACTIVE.value],
    ViewType.DELETED_ONLY: [LifecycleStage.DELETED.value],
    ViewType.ALL: [stage.value for stage in LifecycleStage],
}

# A scalar subquery: probes of primary keys for each run, whatever the planner believes.
_PARENT = """
    SELECT true
    FROM (
        SELECT CASE WHEN value ~ '^[0-9a-f]{{32}}$' THEN value::uuid END AS run_id
        FROM tag WHERE tag.run_id = run.run_id AND tag.key = {tag} OFFSET 0
    ) AS named
    JOIN run AS parent ON parent.run_id = named.run_id AND parent.run_id <> run.run_id
    WHERE parent.lifecycle_stage = ANY ({stages}) {among}
    LIMIT 1
"""


class RunQuery:
    """Composes the statement of one search; `text` and `parameters.values` are what is executed."""

    def __init__(
        self, search: RunSearch, *, candidates_max: int = CANDIDATES_MAX, walked_max: int = WALKED_MAX
    ) -> None:
        self.parameters = Parameters()
        self.ordering = Ordering(search.order, "start_time_ms", "run_id", "uuid")
        self._search = search
        self._limit = self.parameters.add(search.limit, "bigint")
        self._candidates_max = self.parameters.add(candidates_max, "bigint")
        self._walked_max = walked_max
        self._scope = self._scope_condition()
        self._narrowings = narrowings(search.filter, self.parameters, count_max=NARROWINGS_MAX)
        self._after = self.ordering.after(search.after, self.parameters)
        self._reads = self.ordering.read_columns(RUN_TABLES, self.parameters)
        self.text = self._compose()

    def _scope_condition(self) -> str:
        """Which runs are asked about at all."""
        stages = self.parameters.add(STAGES[self._search.view], "text[]")
        if self._search.experiment_ids is None:
            hidden = among("{}.experiment_id", None, self._search.hidden, self.parameters)
            seen = " AND ".join(hidden) or "true"
            self._experiments = f"SELECT experiment_id FROM experiment WHERE {seen.format('experiment')}"
        else:
            ids = self.parameters.add(list(self._search.experiment_ids), "bigint[]")
            self._experiments = f"SELECT DISTINCT unnest({ids}) AS experiment_id"
            seen = f"{{}}.experiment_id = ANY ({ids})"
        self._among = seen.format("run")
        scope = f"{self._among} AND run.lifecycle_stage = ANY ({stages})"
        if self._search.roots_only:
            tag = self.parameters.add(PARENT_RUN_TAG, "text")
            of_parent = f"AND {seen.format('parent')}"
            scope += f" AND ({_PARENT.format(tag=tag, stages=stages, among=of_parent)}) IS NULL"
        return scope

    def _wanted_of(self, tests: Sequence[Expression]) -> str:
        """The runs that are asked about and fulfil all of some conditions."""
        return " AND ".join([self._scope, *map(self._condition, tests)])

    def _condition(self, test: Expression) -> str:
        return condition(test, RUN_TABLES, self.parameters)

    def _compose(self) -> str:
        walk, settled_only = self._walk()
        sources = [*self._narrowings, Narrowing(f"SELECT run.run_id FROM run WHERE {self._among}")]
        parts = {
            f"narrow{number}": f"{source.query} LIMIT {self._candidates_max} + 1"
            for number, source in enumerate(sources)
        }
        cases = " ".join(
            f"WHEN (SELECT count(*) FROM narrow{number}) <= {self._candidates_max} THEN {number}"
            for number in range(len(sources))
        )
        parts["way"] = f"SELECT CASE {cases} END AS number"
        parts["walked"] = f"SELECT * FROM ({walk}) AS walk WHERE (SELECT number FROM way) IS NULL"
        parts["filled"] = f"SELECT (SELECT count(*) FROM walked) = {self._limit} AS full_page"
        parts["candidate"] = self._candidates(sources)
        parts["driven"] = self._driven()
        found = "SELECT * FROM driven UNION ALL SELECT * FROM walked WHERE (SELECT full_page FROM filled)"
        if settled_only:
            parts["unsettled"] = self._unsettled()
            found += " UNION ALL SELECT * FROM unsettled"
        parts["page"] = (
            f"SELECT * FROM ({found}) AS found ORDER BY {self.ordering.order_by} LIMIT {self._limit}"
        )
        definitions = ",\n".join(f"{name} AS MATERIALIZED (\n{sql}\n)" for name, sql in parts.items())
        return f"WITH {definitions}\n{projected(self._search.projection, self.ordering, self.parameters)}"

    def _candidates(self, sources: Sequence[Narrowing]) -> str:
        """The runs to filter and sort: those of a small count, else, after a walk in vain, of all conditions."""
        arms = [
            f"SELECT run_id, {source.settled_only} AS settled_only, {number} AS source FROM narrow{number}"
            f" WHERE (SELECT number FROM way) = {number}"
            for number, source in enumerate(sources)
        ]
        unsettled_for = [str(number) for number, source in enumerate(sources) if source.settled_only]
        if self._narrowings:
            joined = " JOIN ".join(
                f"({it.query}) AS n{number}" + (" USING (run_id)" if number else "")
                for number, it in enumerate(self._narrowings)
            )
            rest = f"SELECT run_id FROM {joined}"
        else:
            rest = sources[-1].query.replace("run.run_id", "run.run_id AS run_id", 1)
        in_vain = "(SELECT number FROM way) IS NULL AND NOT (SELECT full_page FROM filled)"
        arms.append(
            f"SELECT run_id, {bool(unsettled_for)}, {_ALL_SOURCES} FROM ({rest}) AS rest WHERE {in_vain}"
        )
        if unsettled_for:
            chosen = f"(SELECT number FROM way) IN ({', '.join(unsettled_for)}) OR {in_vain}"
            unsettled = f"SELECT run_id, false, {_NO_SOURCE} FROM run WHERE unsettled_time_ms IS NOT NULL"
            arms.append(f"{unsettled} AND {self._scope} AND ({chosen})")
        return " UNION ALL ".join(arms)

    def _driven(self) -> str:
        """The candidates, filtered and sorted."""
        run = f"SELECT run.run_id, run.start_time_ms{self._reads} FROM run"
        wanted = " AND ".join([self._scope, *self._untold()])
        # What the index still says of an unsettled run is passed over, so that no run is there twice.
        valid = "(NOT candidate.settled_only OR run.unsettled_time_ms IS NULL)"
        lateral = f"({run} WHERE run.run_id = candidate.run_id AND {valid} AND {wanted} OFFSET 0) AS run"
        return self._ranked(f"SELECT run.* FROM candidate CROSS JOIN LATERAL {lateral}")

    def _untold(self) -> Iterator[str]:
        """The conditions for candidates; what the index has told of one is not asked again."""
        told = {it.test: number for number, it in enumerate(self._narrowings) if it.test is not None}
        for test in conjuncts(self._search.filter):
            asked = self._condition(test)
            if test in told:
                yield f"(candidate.source IN ({told[test]}, {_ALL_SOURCES}) OR {asked})"
            else:
                yield asked

    def _unsettled(self) -> str:
        """The runs that a walk along a metric does not see, filtered and sorted."""
        run = f"SELECT run.run_id, run.start_time_ms{self._reads} FROM run"
        unsettled = "(SELECT full_page FROM filled) AND run.unsettled_time_ms IS NOT NULL"
        wanted = f"{unsettled} AND {self._wanted_of(conjuncts(self._search.filter))}"
        return self._ranked(f"{run} WHERE {wanted} OFFSET 0")

    def _ranked(self, read: str) -> str:
        """The first page of what was read."""
        ranked = f"SELECT run_id, start_time_ms{self.ordering.ranked_columns()} FROM ({read}) AS run"
        return self._page_of(ranked, self.ordering.order_by)

    def _page_of(self, ranked: str, order: str) -> str:
        return f"SELECT * FROM ({ranked}) AS ranked WHERE {self._after} ORDER BY {order} LIMIT {self._limit}"

    def _walk(self) -> tuple[str, bool]:
        """Return the walk in the wanted order, and whether it sees settled runs only."""
        key = self._search.order[0] if self._search.order else None
        if key is None or (key.field.kind, key.field.key) == (FieldKind.ATTRIBUTE, "start_time"):
            return self._along_time(descending=key is None or key.descending), False
        if key.field.kind is FieldKind.METRIC and key.field.function in (None, "last"):
            return self._along_metric(key), True
        nothing = self._ranked(f"SELECT run.run_id, run.start_time_ms{self._reads} FROM run WHERE false")
        return nothing, False

    def _passing(self, entries: str) -> tuple[str, str]:
        """Split the filter in two for a walk: what indexes know of its entries, and what is left of each of them."""
        probes = [it for it in self._narrowings if it.probes]
        known = " AND ".join(["true", *(it.names("entry.run_id") for it in probes)])
        tests = [it.test for it in probes]
        left = [it for it in conjuncts(self._search.filter) if it not in tests]
        return f"(SELECT * FROM ({entries}) AS entry WHERE {known}) AS entry", self._wanted_of(left)

    def _along_time(self, *, descending: bool) -> str:
        """The runs of all experiments by start time, as far as a page."""
        bound = "true"
        if self._search.after is not None:
            at = self.parameters.add(self._search.after.time_ms, "bigint")
            bound = f"run.start_time_ms {'<=' if descending else '>='} {at}"
        order = f"start_time_ms{' DESC' if descending else ''}"
        first = f"ORDER BY {order} {self._first_entries()}"
        of_one = "SELECT run.run_id, run.start_time_ms FROM run WHERE run.experiment_id = scope.experiment_id"
        of_all = f"SELECT of_one.* FROM ({self._experiments}) AS scope"
        of_all += f" CROSS JOIN LATERAL ({of_one} AND {bound} {first}) AS of_one {first}"
        passing, wanted = self._passing(of_all)
        run = f"SELECT run.run_id{self._reads} FROM run WHERE run.run_id = entry.run_id AND {wanted}"
        read = f"SELECT entry.start_time_ms, run.* FROM {passing}"
        read += f" CROSS JOIN LATERAL ({run} OFFSET 0) AS run"
        ranked = f"SELECT run_id, start_time_ms{self.ordering.ranked_columns()} FROM ({read}) AS run"
        # The first key is the start time: said so, it is in order already.
        return self._page_of(ranked, self.ordering.order_by.replace("r0, v0", "start_time_ms", 1))

    def _along_metric(self, key: OrderKey) -> str:
        """Settled runs with a number as latest value, in the order of these, as far as a page."""
        number = metric_id(key.field, self.parameters)
        entries = f"SELECT run_id, indexed_value FROM metric_latest WHERE metric_id = {number}"
        entries += f" AND {self._value_bound(key)} ORDER BY indexed_value{' DESC' if key.descending else ''}"
        entries += f" {self._first_entries()}"
        others = self.ordering.read_columns(RUN_TABLES, self.parameters, first=1)
        run = f"SELECT run.run_id, run.start_time_ms{others} FROM run"
        passing, wanted = self._passing(entries)
        settled = "run.run_id = entry.run_id AND run.unsettled_time_ms IS NULL"
        ranked = "SELECT run.run_id, run.start_time_ms, 0 AS r0, entry.indexed_value AS v0"
        ranked += f"{self.ordering.ranked_columns(1)} FROM {passing}"
        ranked += f" CROSS JOIN LATERAL ({run} WHERE {settled} AND {wanted} OFFSET 0) AS run"
        return self._page_of(ranked, self.ordering.order_by.replace("r0, ", "", 1))

    def _first_entries(self) -> str:
        """As many as a walk looks at; with all that are equal to the last, so that none of these is passed over."""
        return f"FETCH FIRST ({self.parameters.add(self._walked_max, 'bigint')}) ROWS WITH TIES"

    def _value_bound(self, key: OrderKey) -> str:
        """Where in the index of latest values the page begins; nowhere when the numbers are passed."""
        numbers = "indexed_value < 'NaN'"
        if self._search.after is None:
            return numbers
        rank, value = self._search.after.keys[0]
        if rank:
            return "false"
        at = key_literal(key, value, self.parameters)
        return f"{numbers} AND indexed_value {'<=' if key.descending else '>='} {at}"


def projected(projection: Projection, ordering: Ordering, parameters: Parameters) -> str:
    """Return the SELECT of the runs of `page` with what is wanted of them, as arrays; metrics by number, not name."""
    columns, joins = [f"run.*{ordering.columns}", _HAS_INPUTS, _HAS_MODELS], []
    metrics = _METRICS.replace("{arrays}", metric_arrays(projection))
    for name, keys, query, chosen in (
        ("param", projection.params, _PAIRS, "AND key = ANY ({keys})"),
        ("tag", projection.tags, _PAIRS, "AND key = ANY ({keys})"),
        ("metric", projection.metrics, metrics, f"AND metric_id = ANY (ARRAY({_NUMBERS}))"),
    ):
        if keys is not None and not keys:
            continue  # nothing of it is wanted, so it is not looked at
        which = "" if keys is None else chosen.format(keys=parameters.add(list(keys), "text[]"))
        columns.append(f"{name}s.*")
        joins.append(
            f"CROSS JOIN LATERAL ({query.format(table=name, chosen=which, limit=RUN_ITEMS_MAX + 1)}) AS {name}s"
        )
    of_page = "CROSS JOIN LATERAL (SELECT * FROM run WHERE run.run_id = page.run_id OFFSET 0) AS run"
    order = ordering.order_by.replace("start_time_ms", "page.start_time_ms").replace("run_id", "page.run_id")
    return f"SELECT {', '.join(columns)} FROM page {of_page} {' '.join(joins)} ORDER BY {order}"


def metric_arrays(projection: Projection) -> str:
    """Return the columns with what is wanted of the metrics of a run, of the alias `it`."""
    columns = {**LATEST_COLUMNS, **(SUMMARY_COLUMNS if projection.summaries else {})}
    return ", ".join(f"array_agg({value}) AS {name}" for name, value in columns.items())


_HAS_INPUTS = "EXISTS (SELECT FROM run_input WHERE run_input.run_id = page.run_id) AS has_inputs"
_HAS_MODELS = (
    "EXISTS (SELECT FROM model_output WHERE model_output.run_id = page.run_id)"
    " OR EXISTS (SELECT FROM model_input WHERE model_input.run_id = page.run_id) AS has_models"
)
_PAIRS = """
    SELECT array_agg(key) AS {table}_keys, array_agg(value) AS {table}_values
    FROM (SELECT key, value FROM {table} WHERE {table}.run_id = page.run_id {chosen} LIMIT {limit}) AS first_ones
"""
_NUMBERS = "SELECT metric_id FROM metric WHERE name = ANY ({keys})"
# What a page has of a run's metrics: arrays by name, of a column of metric_latest AS it each.
LATEST_COLUMNS = {
    "metric_ids": "it.metric_id",
    "metric_values": "it.value",
    "metric_steps": "it.step",
    "metric_timestamps_ms": "it.timestamp_ms",
}
SUMMARY_COLUMNS = {
    "metric_minima": "it.value_min",
    "metric_maxima": "it.value_max",
    "metric_means": MEAN,
    "metric_counts": "it.count",
    "metric_non_finite_counts": "it.non_finite_count",
}
_METRICS = """
    SELECT {arrays}
    FROM (
        SELECT * FROM metric_latest WHERE metric_latest.run_id = page.run_id {chosen} LIMIT {limit}
    ) AS it
"""
