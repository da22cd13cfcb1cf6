"""Searches of experiments to one statement. Experiments are few: all are filtered and sorted."""

from stepwell_server.search.queries import ExperimentSearch
from stepwell_server.store.search.conditions import condition
from stepwell_server.store.search.ordering import Ordering
from stepwell_server.store.search.parameters import Parameters
from stepwell_server.store.search.run_query import STAGES
from stepwell_server.store.search.scopes import among
from stepwell_server.store.search.tables import EXPERIMENT_TABLES

# Tags of the experiments that are read together; a page ends behind the one that comes to more with those before it.
TAGS_BYTES_MAX = 4 * 2**20


class ExperimentQuery:
    """Composes the statement of one search; `text` and `parameters.values` are what is executed."""

    def __init__(self, search: ExperimentSearch) -> None:
        self.parameters = Parameters()
        self.ordering = Ordering(search.order, "creation_time_ms", "experiment_id", "bigint")
        wanted = [f"experiment.lifecycle_stage = ANY ({self.parameters.add(STAGES[search.view], 'text[]')})"]
        wanted += among("experiment.experiment_id", *search.within.chosen(None), self.parameters)
        if search.filter is not None:
            wanted.append(condition(search.filter, EXPERIMENT_TABLES, self.parameters))
        reads = self.ordering.read_columns(EXPERIMENT_TABLES, self.parameters)
        after = self.ordering.after(search.after, self.parameters)
        limit = self.parameters.add(search.limit, "bigint")
        bytes_max = self.parameters.add(TAGS_BYTES_MAX, "bigint")
        self.text = f"""
            WITH page AS MATERIALIZED (
                SELECT * FROM (
                    SELECT read.*{self.ordering.ranked_columns()} FROM (
                        SELECT experiment.*{reads} FROM experiment
                        WHERE {" AND ".join(wanted)}
                        OFFSET 0
                    ) AS read
                ) AS ranked
                WHERE {after} ORDER BY {self.ordering.order_by} LIMIT {limit}
            )
            , sized AS (
                SELECT page.*, coalesce(sum(bytes) OVER (
                    ORDER BY {self.ordering.order_by} ROWS BETWEEN UNBOUNDED PRECEDING AND 2 PRECEDING
                ), 0) AS bytes_before
                FROM page
                CROSS JOIN LATERAL (
                    SELECT coalesce(sum(octet_length(key) + octet_length(value)), 0) AS bytes
                    FROM experiment_tag
                    WHERE experiment_tag.experiment_id = page.experiment_id
                ) AS tags
            )
            SELECT page.*, tags.*
            FROM sized AS page
            CROSS JOIN LATERAL (
                SELECT array_agg(key ORDER BY key COLLATE "C")   AS tag_keys,
                       array_agg(value ORDER BY key COLLATE "C") AS tag_values
                FROM experiment_tag
                WHERE experiment_tag.experiment_id = page.experiment_id
            ) AS tags
            WHERE bytes_before <= {bytes_max}
            ORDER BY {self.ordering.order_by}
        """
