"""Accelerate with StepwellTracker."""

import sys

import numpy as np
from accelerate import Accelerator

import stepwell
from stepwell.integrations.accelerate import StepwellTracker

tracker = StepwellTracker("first", experiment_name=sys.argv[1], tags={"x": "y"})
accelerator = Accelerator(log_with=tracker, cpu=True)
accelerator.init_trackers("ignored", config={"lr": 0.1, "adam": {"eps": 1}})
for step in range(3):
    accelerator.log({"loss": 1 / (step + 1), "phase": "train"}, step=step)
tracker.log_images({"pictures": [np.zeros((2, 2), np.uint8)]}, step=1)
accelerator.end_training()
run = stepwell.get_run(tracker.tracker.info.run_id)
assert (run.info.status, run.info.run_name) == ("FINISHED", "first")
assert run.data.params == {"lr": "0.1", "adam/eps": "1"}
assert (run.data.tags["x"], run.data.tags["phase"]) == ("y", "train")
assert [it.step for it in stepwell.get_metric_history(run.info.run_id, "loss")] == [0, 1, 2]
assert len(stepwell.StepwellClient().list_artifacts(run.info.run_id, "images")) == 2
assert stepwell.active_run() is None
