"""A pipeline of ZenML with the tracker of the flavor stepwell; one of its steps has a run of its own."""

import os
import sys

from zenml import pipeline, step
from zenml.client import Client
from zenml.enums import StackComponentType

import stepwell

name = sys.argv[1]
zenml = Client()
kind = StackComponentType.EXPERIMENT_TRACKER
flavor = "stepwell.integrations.zenml.StepwellExperimentTrackerFlavor"
zenml.create_flavor(source=flavor, component_type=kind)
settings = {"tracking_uri": os.environ["STEPWELL_TRACKING_URI"]}
zenml.create_stack_component(name=name, flavor="stepwell", component_type=kind, configuration=settings)
zenml.create_stack(
    name=name,
    components={
        StackComponentType.ORCHESTRATOR: "default",
        StackComponentType.ARTIFACT_STORE: "default",
        kind: name,
    },
)
zenml.activate_stack(name)


@step(experiment_tracker=name, enable_cache=False)
def first() -> int:
    stepwell.log_metric("m", 1.0)
    return 1


nested = {"nested": True, "tags": {"t": "u"}}


@step(experiment_tracker=name, enable_cache=False, settings={"experiment_tracker": nested})
def second(given: int) -> int:
    stepwell.log_metric("n", given)
    return 2


@pipeline(name=name)
def both() -> None:
    second(first())


both()
inner, outer = stepwell.search_runs(experiment_names=[name], output_format="list")
assert (inner.info.run_name, inner.data.metrics, inner.data.tags["t"]) == ("second", {"n": 1.0}, "u")
assert inner.data.tags["mlflow.parentRunId"] == outer.info.run_id
assert (outer.data.metrics, outer.data.tags["zenml"], outer.data.tags.get("t")) == ({"m": 1.0}, "true", None)
assert {inner.info.status, outer.info.status} == {"FINISHED"}
told = {}
for done in zenml.list_pipeline_runs(size=1).items[0].steps.values():
    told[done.name] = done.run_metadata["stepwell_run_id"]
assert told == {"first": outer.info.run_id, "second": inner.info.run_id}, told
