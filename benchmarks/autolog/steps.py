"""What autologging adds to a training that logs every step: Lightning with ten metrics, Keras with two.

Added to a training that logs nowhere: of Lightning also what its own CSVLogger adds to the same, each step too.

Part of `benchmarks.autolog`; `measured` runs in a process that has the library, and the tracker's.
"""

import json
import sys
import tempfile
from collections.abc import Callable
from importlib import import_module
from typing import Any

from benchmarks.measuring.pairs import added, in_turns

STEPS = 1_000
METRICS = 10
ROWS_OF_A_BATCH = 128
INPUTS = 64


def lightning() -> Callable[..., None]:
    """Return a fit of Lightning's Trainer: STEPS steps of a small network, METRICS metrics at each.

    It may be given whether Lightning's own CSVLogger logs them.
    """
    import pytorch_lightning
    import torch

    rows = torch.randn(STEPS * ROWS_OF_A_BATCH, INPUTS)
    data = torch.utils.data.TensorDataset(rows, rows.sum(dim=1, keepdim=True))

    class Network(pytorch_lightning.LightningModule):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            hidden = [torch.nn.Linear(256, 256), torch.nn.ReLU()]
            self.layers = torch.nn.Sequential(
                *(torch.nn.Linear(INPUTS, 256), torch.nn.ReLU(), *hidden, torch.nn.Linear(256, 1))
            )

        def training_step(self, batch: Any, _: int) -> Any:
            loss = torch.nn.functional.mse_loss(self.layers(batch[0]), batch[1])
            self.log_dict({f"metric_{number}": loss.detach() + number for number in range(METRICS)})
            return loss

        def configure_optimizers(self) -> Any:
            return torch.optim.Adam(self.parameters(), 1e-4)

    def fit(with_its_logger: bool = False) -> None:
        quiet = dict.fromkeys(("enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
        with tempfile.TemporaryDirectory() as folder:
            logger = with_its_logger and pytorch_lightning.loggers.CSVLogger(folder)
            trainer = pytorch_lightning.Trainer(
                max_epochs=1, accelerator="cpu", devices=1, logger=logger, log_every_n_steps=1, **quiet
            )
            train(trainer)

    def train(trainer: Any) -> None:
        trainer.fit(Network(), torch.utils.data.DataLoader(data, ROWS_OF_A_BATCH))

    return fit


def keras() -> Callable[[], None]:
    """Return a fit of Keras: STEPS steps of a small network, loss and error at each.

    With a callback that hears of each step, as the progress bar does, which Keras shows unless told otherwise: what
    Keras itself does for whoever hears of steps is no part of what is measured.
    """
    import keras as library
    import numpy as np

    rows = np.random.default_rng(1).normal(size=(STEPS * ROWS_OF_A_BATCH, INPUTS)).astype("float32")
    targets = rows.sum(axis=1, keepdims=True)

    class Hearing(library.callbacks.Callback):  # type: ignore[misc]
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            pass

    def fit() -> None:
        layers = [library.layers.Dense(256, activation="relu") for _ in range(2)]
        network = library.Sequential([library.Input((INPUTS,)), *layers, library.layers.Dense(1)])
        network.compile(optimizer="adam", loss="mse", metrics=["mae"])
        network.fit(rows, targets, ROWS_OF_A_BATCH, verbose=0, callbacks=[Hearing()])

    return fit


OPTIONS: dict[str, dict[str, Any]] = {
    "lightning": {"log_every_n_step": 1, "checkpoint": False},
    "keras": {"log_every_n_steps": 1, "log_every_epoch": False},
}
FLAVORS = {"lightning": "pytorch", "keras": "keras"}


def measured(library: str, tracker: str, rounds: int) -> dict[str, object]:
    """Fit with and without autologging, in turns, and say what it adds to a step.

    What is left for later is waited for between the fits.
    """
    module = import_module(tracker)
    flavor = import_module(f"{tracker}.{FLAVORS[library]}")
    module.set_experiment("autolog steps")
    fit = {"lightning": lightning, "keras": keras}[library]()

    def switch(is_on: bool) -> None:
        flavor.autolog(
            disable=not is_on, silent=True, log_models=False, log_datasets=False, **OPTIONS[library]
        )

    switch(False)
    fit()
    found = added(in_turns(fit, rounds, switch, getattr(module, "flush", lambda: None)), STEPS)
    if library == "lightning" and tracker == "stepwell":
        found["its_own_logger"] = _of_its_own_logger(fit, rounds)
    return found


def _of_its_own_logger(fit: Callable[..., None], rounds: int) -> dict[str, object]:
    is_on = False

    def switch(wanted: bool) -> None:
        nonlocal is_on
        is_on = wanted

    return added(in_turns(lambda: fit(is_on), rounds, switch), STEPS)


if __name__ == "__main__":
    print(json.dumps(measured(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
