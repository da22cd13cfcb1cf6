"""Lightning's Trainer in two processes: that of rank 0 logs, and the other makes no run."""

import sys

import torch
from lightning.pytorch import LightningModule, Trainer

import stepwell
from stepwell.integrations.lightning import StepwellLogger


class Line(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.layer = torch.nn.Linear(1, 1)

    def training_step(self, batch):
        loss = torch.nn.functional.mse_loss(self.layer(batch), 2 * batch)
        self.log("loss", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


if __name__ == "__main__":
    trainer = Trainer(
        max_epochs=1,
        devices=2,
        strategy="ddp_spawn",
        accelerator="cpu",
        logger=StepwellLogger(sys.argv[1]),
        log_every_n_steps=1,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Line(), torch.utils.data.DataLoader(torch.rand(20, 1), batch_size=2))
    (run,) = stepwell.search_runs(experiment_names=[sys.argv[1]], output_format="list")
    assert run.info.status == "FINISHED"
    history = stepwell.get_metric_history(run.info.run_id, "loss")
    assert [point.step for point in history] == list(range(5)), history
