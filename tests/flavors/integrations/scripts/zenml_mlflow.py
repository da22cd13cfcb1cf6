"""A pipeline of ZenML with its own tracker of MLflow: the real one on our REST routes, or Stepwell in its place."""

import os
import sys

import mlflow
from zenml import pipeline, step
from zenml.client import Client
from zenml.enums import StackComponentType

name = sys.argv[1]
zenml = Client()
kind = StackComponentType.EXPERIMENT_TRACKER
address = os.environ["STEPWELL_TRACKING_URI"]
# It demands an account for an address of HTTP; a server that has none asks for none.
settings = {"tracking_uri": address, "tracking_username": "ada", "tracking_password": "none"}
zenml.create_stack_component(name=name, flavor="mlflow", component_type=kind, configuration=settings)
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
    mlflow.log_param("lr", 0.5)
    mlflow.log_metric("m", 1.0, step=3)
    mlflow.log_text("of the first step", "notes/first.txt")
    return 1


nested = {"nested": True, "tags": {"t": "u"}}


@step(experiment_tracker=name, enable_cache=False, settings={"experiment_tracker": nested})
def second(given: int) -> int:
    mlflow.log_metric("n", given)
    return 2


@pipeline(name=name)
def both() -> None:
    second(first())


both()
mlflow.set_tracking_uri(address)
inner, outer = mlflow.search_runs(experiment_names=[name], output_format="list")
assert (inner.info.run_name, inner.data.metrics, inner.data.tags["t"]) == ("second", {"n": 1.0}, "u")
assert inner.data.tags["mlflow.parentRunId"] == outer.info.run_id
assert (outer.data.metrics, outer.data.params) == ({"m": 1.0}, {"lr": "0.5"})
assert "zenml" in outer.data.tags  # its version
assert {inner.info.status, outer.info.status} == {"FINISHED"}
assert mlflow.artifacts.load_text(f"runs:/{outer.info.run_id}/notes/first.txt") == "of the first step"
