"""How many runs a search finds, as one statement."""

from collections.abc import Sequence

from stepwell_server.search.expressions import Expression
from stepwell_server.store.search.conditions import condition
from stepwell_server.store.search.parameters import Parameters
from stepwell_server.store.search.scopes import among
from stepwell_server.store.search.tables import RUN_TABLES, Fields


class CountQuery:
    """Composes the statement; `text` and `parameters.values` are what is executed."""

    def __init__(
        self,
        experiment_ids: Sequence[int] | None,
        stages: Sequence[str],
        filter_: Expression | None,
        hidden: Sequence[int] = (),
        fields: Fields = RUN_TABLES,
    ) -> None:
        self.parameters = Parameters()
        wanted = [f"run.lifecycle_stage = ANY ({self.parameters.add(list(stages), 'text[]')})"]
        wanted += among("run.experiment_id", experiment_ids, hidden, self.parameters)
        if filter_ is not None:
            wanted.append(condition(filter_, fields, self.parameters))
        self.text = f"SELECT count(*) FROM run {fields.joins} WHERE {' AND '.join(wanted)}"
