"""The requests that MLflow's server and ours are compared by."""

from tests.conformance.scenarios import (
    artifacts,
    batches,
    experiments,
    forms,
    metrics,
    models,
    runs,
    searches,
)
from tests.conformance.steps import Scenario

SCENARIOS: list[Scenario] = [
    scenario
    for module in (experiments, runs, metrics, batches, searches, artifacts, forms, models)
    for scenario in module.scenarios()
]

assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS)
