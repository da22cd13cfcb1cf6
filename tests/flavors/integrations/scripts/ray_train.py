"""Ray Train with two workers: each logs to a run that all of them join, and those of rank 0 are what is there once."""

import sys
from pathlib import Path

import ray
from ray import train
from ray.train import RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer

import stepwell

name = sys.argv[1]


def loop(config):
    import torch.distributed

    from stepwell.integrations.ray import setup_stepwell

    logged = setup_stepwell(config, experiment_name=name)
    for step in range(3):
        total = torch.ones(1)
        torch.distributed.all_reduce(total)
        logged.log_metric("workers", float(total), step=step)
        train.report({"loss": config["x"] * step})
    logged.end_run()


ray.init(num_cpus=3, include_dashboard=False, log_to_driver=False)
TorchTrainer(
    loop,
    train_loop_config={"x": 1.0},
    scaling_config=ScalingConfig(num_workers=2),
    run_config=RunConfig(storage_path=str(Path("ray").resolve()), name="train"),
).fit()
(run,) = stepwell.search_runs(experiment_names=[name], output_format="list")
assert run.info.status == "FINISHED", run.info
assert run.data.params["x"] == "1.0", run.data.params
history = stepwell.get_metric_history(run.info.run_id, "workers")
assert [(point.step, point.value) for point in history] == [(0, 2.0), (1, 2.0), (2, 2.0)], history
