"""Autologging of Lightning, of both its packages, and of plain PyTorch: names and steps are MLflow's."""

import json
import logging
import pickle
from pathlib import Path
from typing import Any

import lightning.pytorch
import numpy as np
import pytest
import pytorch_lightning
import tensorboardX
import torch

import stepwell
from stepwell.autologging.calls import LoggedCall
from stepwell.autologging.pytorch import PyTorchOptions
from stepwell.autologging.pytorch.callback import COLLECTED, stacked
from stepwell.autologging.pytorch.first_batch import FirstBatch
from stepwell.delivery import kept
from tests.autologging.logged import files_of, points_of, run_of, runs_of

pytestmark = [pytest.mark.xdist_group("flavors"), pytest.mark.filterwarnings("ignore")]

PACKAGES = {"lightning": lightning.pytorch, "pytorch_lightning": pytorch_lightning}
QUIET = {
    "logger": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "accelerator": "cpu",
    "devices": 1,
    "num_sanity_val_steps": 1,
}


def network_of(package: Any, losses: Any = None) -> Any:
    """Return a module whose val_loss is what is given for each epoch."""

    class Network(package.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.save_hyperparameters({"of the module": 1})
            self.layer = torch.nn.Linear(3, 1)

        def forward(self, rows: torch.Tensor) -> torch.Tensor:
            return self.layer(rows)

        def training_step(self, batch: Any, number: int) -> torch.Tensor:
            loss = ((self(batch[0]) - batch[1]) ** 2).mean()
            self.log("train_loss", loss, on_step=True, on_epoch=True)
            self.log("number", float(number), on_step=True, on_epoch=False)
            return loss

        def validation_step(self, batch: Any, number: int) -> None:
            self.log("val_loss", float(losses[self.current_epoch]) if losses else 1.0)

        def test_step(self, batch: Any, number: int) -> None:
            self.log("test_loss", 0.25)

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=0.125, momentum=0.5)

    return Network()


def batches() -> Any:
    torch.manual_seed(3)
    data = torch.utils.data.TensorDataset(torch.randn(12, 3), torch.randn(12, 1))
    return torch.utils.data.DataLoader(data, batch_size=4)


@pytest.fixture(params=PACKAGES)
def package(request: pytest.FixtureRequest) -> Any:
    return PACKAGES[request.param]


def test_a_fit_and_a_test(experiment: str, package: Any, tmp_path: Path) -> None:
    stepwell.pytorch.autolog()
    network = network_of(package, losses=[0.5, 0.25, 0.75, 2.0])  # the last one is that of validate()
    trainer = package.Trainer(max_epochs=3, default_root_dir=tmp_path, enable_checkpointing=False, **QUIET)
    callbacks = list(trainer.callbacks)
    trainer.fit(network, batches(), batches())
    assert trainer.callbacks == callbacks
    assert not network._forward_hooks
    run = run_of(experiment)
    assert run.info.status == "FINISHED"
    assert run.data.tags["Mode"] == "training"
    defaults = {key: str(value) for key, value in network.configure_optimizers().defaults.items()}
    assert (defaults["lr"], defaults["momentum"]) == ("0.125", "0.5")
    assert run.data.params == {"epochs": "3", "optimizer_name": "SGD", **defaults}
    assert not run.inputs.dataset_inputs
    assert points_of(run.info.run_id, "val_loss") == [(0, 0.5), (1, 0.25), (2, 0.75)]
    for key in ("train_loss", "train_loss_step", "train_loss_epoch", "number"):
        assert [step for step, _ in points_of(run.info.run_id, key)] == [0, 1, 2]
    summary = stepwell.artifacts.load_text(f"runs:/{run.info.run_id}/model_summary.txt")
    assert "layer" in summary
    assert run.data.tags["mlflow.latest_checkpoint_artifact"] == "checkpoints/latest_checkpoint.pth"
    kept = stepwell.artifacts.load_text(f"runs:/{run.info.run_id}/checkpoints/latest_checkpoint_metrics.json")
    assert json.loads(kept)["val_loss"] == 0.25
    assert (json.loads(kept)["epoch"], json.loads(kept)["global_step"]) == (1, 6)
    loaded = stepwell.pyfunc.load_model(f"runs:/{run.info.run_id}/model")
    rows = np.ones((2, 3), dtype="float32")
    with torch.no_grad():
        np.testing.assert_allclose(loaded.predict(rows), network(torch.from_numpy(rows)).numpy())
    assert loaded.metadata.get_input_schema().to_dict()[0]["tensor-spec"]["shape"] == [-1, 3]
    trainer.validate(network, batches(), verbose=False)
    trainer.test(network, batches(), verbose=False)
    run = run_of(experiment)
    assert len(points_of(run.info.run_id, "val_loss")) == 3
    assert run.data.tags["Mode"] == "testing"
    assert points_of(run.info.run_id, "test_loss") == [(0, 0.25)]


def test_metrics_of_steps_and_an_early_stop(experiment: str, tmp_path: Path) -> None:
    package = lightning.pytorch
    stepwell.pytorch.autolog(
        log_every_n_step=2, log_every_n_epoch=2, checkpoint_save_best_only=False, checkpoint_save_freq=4
    )
    stopping = package.callbacks.EarlyStopping("val_loss", patience=1)
    trainer = package.Trainer(max_epochs=9, default_root_dir=tmp_path, callbacks=[stopping], **QUIET)
    trainer.fit(network_of(package, losses=[0.5, 0.25, 0.75, 0.875]), batches(), batches())
    run = run_of(experiment)
    assert [step for step, _ in points_of(run.info.run_id, "number")] == [1, 3, 5, 7, 9]
    assert points_of(run.info.run_id, "number")[1][1] == 2.0  # the third batch is number 2
    assert [step for step, _ in points_of(run.info.run_id, "train_loss_step")] == [1, 3, 5, 7, 9]
    assert points_of(run.info.run_id, "val_loss") == [(1, 0.25)]
    params = run.data.params
    assert (params["monitor"], params["mode"], params["patience"]) == ("val_loss", "min", "1")
    assert {"min_delta", "stopped_epoch"} < set(params)
    expected = {"stopped_epoch": 2.0, "restored_epoch": 1.0, "best_score": 0.25, "wait_count": 1.0}
    assert {key: run.data.metrics[key] for key in expected} == expected
    assert files_of(run.info.run_id, "checkpoints") == {f"checkpoints/global_step_{it}" for it in (4, 8)}
    assert len(files_of(run.info.run_id, "restored_model_checkpoint")) == 1
    again = stepwell.pytorch.load_checkpoint(torch_loader(), run.info.run_id, global_step=4)
    assert again["global_step"] == 4


def test_the_step_behind_which_a_callback_of_the_users_fails(
    experiment: str, package: Any, tmp_path: Path
) -> None:
    class Failing(package.Callback):
        def on_train_batch_end(
            self, trainer: Any, module: Any, outputs: Any, batch: Any, number: int
        ) -> None:
            assert COLLECTED in vars(trainer._logger_connector)
            if number == 1:
                raise ArithmeticError("enough")

    stepwell.pytorch.autolog(log_every_n_step=1, log_models=False, checkpoint=False)
    trainer = package.Trainer(
        max_epochs=1, callbacks=[Failing()], default_root_dir=tmp_path, enable_checkpointing=False, **QUIET
    )
    with pytest.raises(ArithmeticError, match="enough"):
        trainer.fit(network_of(package), batches())
    assert COLLECTED not in vars(trainer._logger_connector)
    run = run_of(experiment)
    assert run.info.status == "FAILED"
    assert points_of(run.info.run_id, "number") == [(1, 0.0), (2, 1.0)]


def test_a_lightning_that_is_not_known_is_asked_for_metrics(
    experiment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stepwell.autologging.pytorch.callback.COLLECTED", "of_another_version")
    stepwell.pytorch.autolog(log_every_n_step=1, log_models=False, checkpoint=False)
    trainer = pytorch_lightning.Trainer(
        max_epochs=1, default_root_dir=tmp_path, enable_checkpointing=False, **QUIET
    )
    trainer.fit(network_of(pytorch_lightning), batches())
    run = run_of(experiment)
    assert run.info.status == "FINISHED"
    assert points_of(run.info.run_id, "number") == [(1, 0.0), (2, 1.0), (3, 2.0)]


def test_metrics_of_another_device_are_fetched_together_and_later(
    experiment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Elsewhere(torch.Tensor):
        is_cpu = False

        def __float__(self) -> float:
            raise AssertionError("fetched by itself")

    one, other = (torch.tensor(value).as_subclass(Elsewhere) for value in (1.5, 2.5))
    assert stacked({"one": one, "other": 2.5}) is None
    found = stacked({"one": one, "other": other})
    monkeypatch.setattr(kept, "KEPT_S", 3_600.0)
    with stepwell.start_run() as run:
        call = LoggedCall("pytorch", PyTorchOptions())
        call.log_waiting_step(("one", "other"), found, 1)
        call.log_waiting_step(("one", "other"), found, 2)
        found += 1
        assert stepwell.flush().waiting == 0
    assert points_of(run.info.run_id, "one") == [(1, 2.5), (2, 2.5)]
    assert points_of(run.info.run_id, "other") == [(1, 3.5), (2, 3.5)]


def test_checkpoints_of_epochs_with_weights_alone(experiment: str, tmp_path: Path) -> None:
    stepwell.pytorch.autolog(
        log_models=False, checkpoint_save_best_only=False, checkpoint_save_weights_only=True
    )
    given = {"default_root_dir": tmp_path, "enable_checkpointing": False, **QUIET}
    lightning.pytorch.Trainer(max_epochs=2, **given).fit(network_of(lightning.pytorch), batches())
    run_id = run_of(experiment).info.run_id
    assert files_of(run_id, "checkpoints") == {"checkpoints/epoch_0", "checkpoints/epoch_1"}
    names = {f"checkpoints/epoch_1/{name}" for name in ("checkpoint.weights.pth", "checkpoint_metrics.json")}
    assert files_of(run_id, "checkpoints/epoch_1") == names


def torch_loader() -> Any:
    class Loader:
        @staticmethod
        def load_from_checkpoint(path: str) -> Any:
            return torch.load(path, weights_only=False)

    return Loader


def test_the_callback_goes_to_other_processes(experiment: str) -> None:
    from stepwell.autologging.pytorch.callback import callback_for

    with stepwell.start_run() as run:
        call = LoggedCall("pytorch", PyTorchOptions())
        again = pickle.loads(pickle.dumps(callback_for(pytorch_lightning, call, None)))
        again._call.log_metrics({"loss": 0.5}, step=3)
    assert isinstance(again, pytorch_lightning.Callback)
    assert points_of(run.info.run_id, "loss") == [(3, 0.5)]


def test_what_goes_wrong_is_told_once(
    experiment: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stepwell.pytorch.autolog(checkpoint_monitor="beauty", log_models=False)
    trainer = pytorch_lightning.Trainer(
        max_epochs=2, default_root_dir=tmp_path, enable_checkpointing=False, **QUIET
    )
    with caplog.at_level(logging.WARNING, logger="stepwell"):
        trainer.fit(network_of(pytorch_lightning), batches(), batches())
    run = run_of(experiment)
    assert run.info.status == "FINISHED"
    assert caplog.text.count("beauty") == 1
    with pytest.raises(stepwell.StepwellException, match="checkpoint_mode"):
        stepwell.pytorch.autolog(checkpoint_mode="largest")
    with pytest.raises(stepwell.StepwellException, match="log_every_n_step"):
        stepwell.pytorch.autolog(log_every_n_step=0)


def test_a_summary_writer_logs_as_well(experiment: str, tmp_path: Path) -> None:
    stepwell.pytorch.autolog()
    writer = tensorboardX.SummaryWriter(str(tmp_path))
    for step in range(3):
        writer.add_scalar("loss/train", torch.tensor(0.5 * step), step)
    writer.add_scalars("both", {"a": 1.0, "b": 2.0}, 7)
    writer.add_hparams({"lr": 0.125, "layers": 2}, {"best": 0.75})
    writer.add_histogram("weights", np.arange(10.0), 2)
    writer.add_image("first one", np.zeros((3, 4, 5), dtype="uint8"), 1)
    writer.close()
    assert stepwell.active_run() is None
    (run,) = runs_of(experiment)
    assert run.info.status == "FINISHED"
    assert run.data.tags["mlflow.autologging"] == "pytorch"
    assert points_of(run.info.run_id, "loss/train") == [(0, 0.0), (1, 0.5), (2, 1.0)]
    assert points_of(run.info.run_id, "both/b") == [(7, 2.0)]
    assert run.data.params == {"lr": "0.125", "layers": "2"}
    assert points_of(run.info.run_id, "best") == [(0, 0.75)]
    assert len(files_of(run.info.run_id, "images")) == 2  # and a small one
    assert stepwell.StepwellClient().histogram_keys(run.info.run_id) == ["weights"]
    assert [path for path in tmp_path.rglob("events.*") if path.stat().st_size]


def test_of_a_summary_writer_each_so_many_steps(experiment: str, tmp_path: Path) -> None:
    stepwell.pytorch.autolog(log_every_n_step=3)
    with stepwell.start_run(), tensorboardX.SummaryWriter(str(tmp_path)) as writer:
        for step in range(7):
            writer.add_scalar("loss", float(step), step)
    assert points_of(run_of(experiment).info.run_id, "loss") == [(0, 0.0), (3, 3.0), (6, 6.0)]


def test_a_watched_module(experiment: str) -> None:
    network = torch.nn.Sequential(torch.nn.Linear(2, 1, bias=False))
    other = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.0)
    others = torch.optim.SGD(other.parameters(), lr=0.0)
    with stepwell.start_run() as run, stepwell.pytorch.watch(network, every=2, histograms=True) as watch:
        for number in range(1, 6):
            optimizer.zero_grad()
            (network(torch.tensor([[3.0, 4.0]])) * number).sum().backward()
            optimizer.step()
            others.step()
    assert watch.steps == 5
    expected = [(2, pytest.approx(10.0)), (4, pytest.approx(20.0))]
    assert points_of(run.info.run_id, "gradient_norm") == expected
    assert points_of(run.info.run_id, "gradient_norm/0.weight") == expected
    norm = float(torch.linalg.vector_norm(network[0].weight.detach()))
    assert points_of(run.info.run_id, "weight_norm") == [(2, pytest.approx(norm)), (4, pytest.approx(norm))]
    kept = stepwell.StepwellClient().histogram_keys(run.info.run_id)
    assert sorted(kept) == ["gradient_norm/0.weight", "weight_norm/0.weight"]
    optimizer.step()
    assert watch.steps == 5
    with pytest.raises(stepwell.StepwellException, match="not dict"):
        stepwell.pytorch.watch({})


def test_turning_it_off_gives_everything_back() -> None:
    places = [(package.Trainer, name) for package in PACKAGES.values() for name in ("fit", "test")] + [
        (tensorboardX.SummaryWriter, name) for name in ("add_scalar", "add_hparams", "close")
    ]
    before = [vars(owner)[name] for owner, name in places]
    stepwell.pytorch.autolog()
    assert all(vars(owner)[name] is not it for (owner, name), it in zip(places, before, strict=True))
    stepwell.autolog(disable=True)
    assert all(vars(owner)[name] is it for (owner, name), it in zip(places, before, strict=True))


def test_the_wait_for_a_first_batch_goes_along_to_other_processes(caplog: pytest.LogCaptureFixture) -> None:
    module, first = torch.nn.Linear(2, 1), FirstBatch()
    first.follow(module)
    copy = pickle.loads(pickle.dumps(module))
    copy(torch.ones(3, 2))
    assert not first.found
    module(torch.ones(7, 2))
    assert [part.shape for part in first.found] == [(5, 2), (5, 1)]
    assert not module._forward_hooks
    loss, first = torch.nn.Flatten(0), FirstBatch()
    loss.forward = lambda batch: batch.sum()  # type: ignore[method-assign]
    first.follow(loss)
    loss(torch.ones(3))
    assert not first.found
    assert not caplog.text
