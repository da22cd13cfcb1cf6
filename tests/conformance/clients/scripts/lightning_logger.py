"""Lightning's Trainer with its MLFlowLogger: metrics at steps, hyperparameters, checkpoints."""

import os
import sys
import warnings

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import MLFlowLogger
from mlflow.tracking import MlflowClient

warnings.simplefilter("ignore")
name, folder = sys.argv[1:]
STEPS, EPOCHS = 20, 2


class Line(LightningModule):
    def __init__(self, width: int = 1, lr: float = 0.1) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.layer = torch.nn.Linear(width, 1)

    def training_step(self, batch):
        loss = torch.nn.functional.mse_loss(self.layer(batch), 2 * batch)
        self.log("train/loss", loss, on_step=True, on_epoch=True)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.hparams.lr)


logger = MLFlowLogger(
    experiment_name=name,
    run_name="line",
    tracking_uri=os.environ["MLFLOW_TRACKING_URI"],
    tags={"from": "lightning"},
    log_model="all",
)
trainer = Trainer(
    max_epochs=EPOCHS,
    logger=logger,
    log_every_n_steps=1,
    accelerator="cpu",
    enable_progress_bar=False,
    enable_model_summary=False,
    default_root_dir=folder,
    callbacks=[ModelCheckpoint(save_top_k=-1)],
)
trainer.fit(Line(), torch.utils.data.DataLoader(torch.rand(STEPS, 1, 1), batch_size=None))

client = MlflowClient()
run = client.get_run(logger.run_id)
assert run.info.status == "FINISHED", run.info
assert run.info.run_name == "line"
assert run.data.params == {"width": "1", "lr": "0.1"}, run.data.params
assert run.data.tags["from"] == "lightning"
history = client.get_metric_history(logger.run_id, "train/loss_step")
assert [point.step for point in history] == list(range(STEPS * EPOCHS)), history
assert len(client.get_metric_history(logger.run_id, "train/loss_epoch")) == EPOCHS
folders = [it.path for it in client.list_artifacts(logger.run_id)]
assert folders == [f"epoch={epoch}-step={STEPS * (epoch + 1)}" for epoch in range(EPOCHS)], folders
files = [it.path for it in client.list_artifacts(logger.run_id, folders[0])]
assert f"{folders[0]}/{folders[0]}.ckpt" in files, files
