"""Autologging of Lightning in two processes, started in some way: one run, each point of it once.

    autolog_ranks EXPERIMENT ddp | ddp_spawn | torchrun

With ddp, Lightning starts this script once more for the other rank; torchrun starts it twice.
"""

import os
import subprocess
import sys

import torch
from lightning.pytorch import LightningModule, Trainer

import stepwell

STEPS = 10


class Line(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def forward(self, batch):
        return self.layer(batch)

    def training_step(self, batch, _):
        loss = torch.nn.functional.mse_loss(self(batch), 2 * batch)
        self.log("loss", loss, sync_dist=True)
        self.log("rows", torch.tensor(float(len(batch))), reduce_fx="sum", sync_dist=True)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def fit(strategy: str) -> None:
    stepwell.autolog(log_models=True)
    stepwell.pytorch.autolog(log_every_n_step=1)
    trainer = Trainer(
        max_epochs=2,
        devices=2,
        strategy=strategy,
        accelerator="cpu",
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Line(), torch.utils.data.DataLoader(torch.rand(20, 1), batch_size=2))


def check(experiment: str, way: str) -> None:
    (run,) = stepwell.search_runs(experiment_names=[experiment], output_format="list")
    assert run.info.status == "FINISHED", run.info
    assert run.data.params["optimizer_name"] == "SGD", run.data.params
    for key in ("loss", "rows"):
        steps = [point.step for point in stepwell.get_metric_history(run.info.run_id, key)]
        assert steps == list(range(1, STEPS + 1)), (key, steps)
    assert len(run.outputs.model_outputs) == 1, run.outputs
    loaded = stepwell.pyfunc.load_model(f"runs:/{run.info.run_id}/model")
    # What is spawned sees the rows, and the model is logged here.
    assert (loaded.metadata.signature is None) == (way == "ddp_spawn"), loaded.metadata
    assert loaded.predict(torch.ones(3, 1).numpy()).shape == (3, 1)


if __name__ == "__main__":
    experiment, way = sys.argv[1:]
    is_first = "LOCAL_RANK" not in os.environ
    if way == "torchrun" and is_first:
        command = [sys.executable, "-W", "ignore", "-m", "torch.distributed.run", "--standalone"]
        subprocess.run([*command, "--nproc-per-node", "2", __file__, experiment, way], check=True)
    else:
        stepwell.set_experiment(experiment)
        fit("ddp" if way == "torchrun" else way)
    if is_first:
        check(experiment, way)
