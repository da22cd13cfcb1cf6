"""Changes of all runs that a filter finds, to one statement that returns their number.

Runs are locked in the order of their ids, as everywhere, and tags in the order of run and key.
"""

from collections.abc import Mapping, Sequence

from stepwell_server.search.expressions import Expression
from stepwell_server.store.search.conditions import condition
from stepwell_server.store.search.parameters import Parameters
from stepwell_server.store.search.scopes import among
from stepwell_server.store.search.tables import RUN_TABLES

_DELETE = """
    UPDATE run SET lifecycle_stage = 'deleted', deleted_with_experiment = false,
                   deleted_time_ms = (extract(epoch FROM now()) * 1000)::bigint,
                   changed_time_ms = (extract(epoch FROM now()) * 1000)::bigint
    FROM found WHERE run.run_id = found.run_id RETURNING run.run_id
"""
_RESTORE = """
    UPDATE run SET lifecycle_stage = 'active', deleted_with_experiment = false, deleted_time_ms = NULL,
                   changed_time_ms = (extract(epoch FROM now()) * 1000)::bigint
    FROM found WHERE run.run_id = found.run_id RETURNING run.run_id
"""
_OF_ACTIVE_EXPERIMENTS = """
    run.lifecycle_stage = 'deleted'
    AND (SELECT lifecycle_stage FROM experiment WHERE experiment_id = run.experiment_id) = 'active'
"""
_OF_ACTIVE_RUNS = "run.lifecycle_stage = 'active'"


class ChangeQuery:
    """Composes the statement; `text` and `parameters.values` are what is executed."""

    def __init__(
        self, experiment_ids: Sequence[int] | None, filter_: Expression, hidden: Sequence[int] = ()
    ) -> None:
        self.parameters = Parameters()
        scope = among("run.experiment_id", experiment_ids, hidden, self.parameters)
        self._wanted = " AND ".join([*scope, condition(filter_, RUN_TABLES, self.parameters)])

    def delete(self) -> str:
        """Delete active runs."""
        return self._counted(_OF_ACTIVE_RUNS, "FOR NO KEY UPDATE", _DELETE)

    def restore(self) -> str:
        """Restore deleted runs of active experiments."""
        return self._counted(_OF_ACTIVE_EXPERIMENTS, "FOR NO KEY UPDATE", _RESTORE)

    def tag(self, tags: Mapping[str, str]) -> str:
        """Set tags of active runs."""
        keys = self.parameters.add(list(tags), "text[]")
        values = self.parameters.add(list(tags.values()), "text[]")
        written = f"""
            INSERT INTO tag (run_id, key, value)
            SELECT run_id, key, value FROM found CROSS JOIN unnest({keys}, {values}) AS given (key, value)
            ORDER BY run_id, key
            ON CONFLICT (run_id, key) DO UPDATE SET value = excluded.value RETURNING tag.run_id
        """
        return self._counted(_OF_ACTIVE_RUNS, "", written)

    def _counted(self, which: str, lock: str, change: str) -> str:
        found = f"SELECT run_id FROM run WHERE {which} AND {self._wanted} ORDER BY run_id {lock}"
        return f"WITH found AS ({found}), changed AS ({change}) SELECT count(DISTINCT run_id) AS runs FROM changed"
