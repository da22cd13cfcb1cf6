"""Ray Tune with StepwellLoggerCallback in the driver, and setup_stepwell inside of trials."""

import sys
from pathlib import Path

import ray
from ray import tune

import stepwell
from stepwell.integrations.ray import StepwellLoggerCallback

name = sys.argv[1]


def train(config):
    from stepwell.integrations.ray import setup_stepwell

    logged = setup_stepwell(config, experiment_name=f"{name} inside")
    for step in range(3):
        logged.log_metric("inside", config["x"] * step, step=step)
        tune.report({"loss": config["x"] * step, "nested": {"a": 1}})
    logged.end_run()


ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
callback = StepwellLoggerCallback(experiment_name=name, tags={"a": "b"}, save_artifact=True)
tune.Tuner(
    train,
    param_space={"x": tune.grid_search([1.0, 2.0])},
    run_config=tune.RunConfig(storage_path=str(Path("ray").resolve()), verbose=0, callbacks=[callback]),
).fit()
client = stepwell.StepwellClient()
for experiment, metric, steps in ((name, "loss", [1, 2, 3]), (f"{name} inside", "inside", [0, 1, 2])):
    runs = stepwell.search_runs(experiment_names=[experiment], output_format="list")
    assert sorted(run.data.params["x"] for run in runs) == ["1.0", "2.0"]
    for run in runs:
        assert run.info.status == "FINISHED", run.info
        history = client.get_metric_history(run.info.run_id, metric)
        assert [point.step for point in history] == steps, history
        if experiment == name:
            assert run.data.metrics["nested/a"] == 1.0
            assert run.data.tags["a"] == "b"
