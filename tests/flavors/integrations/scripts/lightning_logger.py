"""Lightning's Trainer with StepwellLogger: steps, params, pictures, checkpoints; in a run of its own or not."""

import sys
from importlib import import_module

import numpy as np
import torch

name, package = sys.argv[1:]
pl = import_module(package)
callbacks = import_module(f"{package}.callbacks")

import stepwell  # noqa: E402 - after the package, which decides whose logger it is
from stepwell.integrations.lightning import StepwellLogger  # noqa: E402

STEPS, EPOCHS = 20, 2
QUIET = {"accelerator": "cpu", "enable_progress_bar": False, "enable_model_summary": False}


class Line(pl.LightningModule):
    def __init__(self, width: int = 1, optimizer: object = None) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.layer = torch.nn.Linear(width, 1)

    def training_step(self, batch):
        loss = torch.nn.functional.mse_loss(self.layer(batch), 2 * batch)
        self.log("train/loss", loss, on_step=True, on_epoch=True)
        if self.global_step == 0 and hasattr(self.logger, "log_image"):
            self.logger.log_image("pictures", [np.zeros((4, 4), np.uint8)], step=0)
        return loss

    def test_step(self, batch):
        self.log("test_loss", torch.nn.functional.mse_loss(self.layer(batch), 2 * batch))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.hparams.optimizer["lr"])


data = torch.utils.data.DataLoader(torch.rand(STEPS, 1, 1), batch_size=None)
model = Line(optimizer={"lr": 0.1})
logger = StepwellLogger(name, run_name="line", tags={"from": package}, log_model="all", save_dir="out")
trainer = pl.Trainer(
    max_epochs=EPOCHS,
    logger=logger,
    log_every_n_steps=1,
    callbacks=[callbacks.ModelCheckpoint(save_top_k=-1)],
    **QUIET,
)
trainer.fit(model, data)
trainer.test(model, data, verbose=False)
assert stepwell.active_run() is None
client = stepwell.StepwellClient()
run = client.get_run(logger.run_id)
assert (run.info.status, run.info.run_name, run.data.tags["from"]) == ("FINISHED", "line", package)
assert run.data.params == {"width": "1", "optimizer/lr": "0.1"}, run.data.params
assert run.data.metrics.keys() == {"epoch", "test_loss", "train/loss_step", "train/loss_epoch"}
history = client.get_metric_history(logger.run_id, "train/loss_step")
assert [point.step for point in history] == list(range(STEPS * EPOCHS)), history
files = [it.path for it in client.list_artifacts(logger.run_id, "checkpoints")]
assert files == [
    f"checkpoints/{it}" for it in ("best.json", "epoch=0-step=20.ckpt", "epoch=1-step=40.ckpt")
], files
assert len(client.list_artifacts(logger.run_id, "images")) == 2

with stepwell.start_run() as outer:
    inner = StepwellLogger()
    pl.Trainer(max_epochs=1, logger=inner, enable_checkpointing=False, **QUIET).fit(
        Line(optimizer={"lr": 1}), data
    )
    assert inner.run_id == outer.info.run_id
    assert stepwell.active_run() is outer
