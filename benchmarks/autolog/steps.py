"""What autologging adds to a training that logs every step: Lightning with ten metrics, Keras with two.

Of two networks: one whose step is so small (2 to 3 ms) that any cost shows, and one as people train, of convolutions
over 64 pictures of 32 x 32 (15 to 40 ms).

Added to a training that logs nowhere: of Lightning also what its own CSVLogger adds to the same, each step too, and
`nothing` what pairs of trainings differ by that are the same. What a step costs is told by the steps alone, from the
first one behind the run's first BEGUN_S to the last; what a fit costs before and after them is told beside it. A
difference of 1 % by the clock is hardly to be seen, so it also tells the processor time that there is no doubt about:
what our own code takes in the thread that trains, at each step, in one more fit (its clock makes that a little more),
and `beside`, of the tracker's threads, its server and the database, which take the processor from the training where
they share its cores.

Part of `benchmarks.autolog`; `measured` runs in a process that has the library, and the tracker's.
"""

import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from time import thread_time
from typing import Any

from benchmarks.measuring.pairs import Taken, added, in_turns, so_far
from benchmarks.measuring.surroundings import cpu_seconds, family

# Of the small network and of that of pictures.
STEPS = {"small": 1_000, "pictures": 100}
METRICS = 10
ROWS_OF_A_BATCH = 128
INPUTS = 64
PICTURES_OF_A_BATCH = 64
SIDE = 32
KINDS = 10
# A run begins (a stream, rows in the database) 0.2 s behind its first step, once for all of them.
BEGUN_S = 1.0
# The process of the tracker's server; none for one that logs to a file.
SERVER = os.environ.get("BENCHMARK_SERVER")


class Beside:
    """Processor time of the tracker's threads, of its server and the database; made before it has any threads."""

    def __init__(self) -> None:
        self._trains = _threads()

    def so_far_ms(self) -> float:
        """Return what they took until now, in milliseconds."""
        threads_ns = 0
        for each in _threads() - self._trains:
            with suppress(OSError):  # it has ended
                threads_ns += int(Path(f"/proc/self/task/{each}/schedstat").read_text().split()[0])
        return threads_ns / 1e6 + (1e3 * cpu_seconds(family(int(SERVER))) if SERVER else 0.0)


def _threads() -> set[str]:
    return set(os.listdir("/proc/self/task"))  # noqa: PTH208 - names are enough


class Steps:
    """What a step of a fit takes: from the same place in the first one behind BEGUN_S to that in the last."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self.beside: Beside | None = None
        self.begin()

    def begin(self) -> None:
        """Forget the fit before."""
        self._number = 0
        self._first: tuple[int, float, Taken] | None = None

    def step(self) -> None:
        """Note that a step is at this place."""
        self._number += 1
        now = so_far()
        if self._number == 1:
            self._begun_ms = now.clock
        if self._first is None and now.clock > self._begun_ms + 1e3 * BEGUN_S:
            self._first = self._number, self._beside_ms(), so_far()
        if self._number == self._steps:
            self._last = now, self._beside_ms()

    def taken(self) -> tuple[Taken, float]:
        """Return what each took, and what was taken beside it, in milliseconds of processor."""
        assert self._first
        (first, beside_since, since), (until, beside) = self._first, self._last
        steps = self._steps - first
        return until.without(since).of_each(steps), (beside - beside_since) / steps

    def _beside_ms(self) -> float:
        return self.beside.so_far_ms() if self.beside else 0.0


def lightning(network: str, noted: Steps) -> Callable[..., None]:
    """Return a fit of Lightning's Trainer: STEPS steps of a network, METRICS metrics at each.

    It may be given whether Lightning's own CSVLogger logs them.
    """
    import pytorch_lightning
    import torch

    is_small, steps = network == "small", STEPS[network]
    size = ROWS_OF_A_BATCH if is_small else PICTURES_OF_A_BATCH
    if is_small:
        rows = torch.randn(steps * size, INPUTS)
        targets = rows.sum(dim=1, keepdim=True)
        loss_of = torch.nn.functional.mse_loss
    else:
        rows = torch.randn(steps * size, 3, SIDE, SIDE)
        targets = torch.randint(KINDS, (steps * size,))
        loss_of = torch.nn.functional.cross_entropy
    data = torch.utils.data.TensorDataset(rows, targets)

    def layers() -> Any:
        if is_small:
            hidden = [torch.nn.Linear(256, 256), torch.nn.ReLU()]
            found = (torch.nn.Linear(INPUTS, 256), torch.nn.ReLU(), *hidden, torch.nn.Linear(256, 1))
        else:
            sides = ((3, 16), (16, 32), (32, 64))
            each = (
                (torch.nn.Conv2d(*it, 3, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2)) for it in sides
            )
            last = torch.nn.Linear(64 * (SIDE // 8) ** 2, KINDS)
            found = (*(it for block in each for it in block), torch.nn.Flatten(), last)
        return torch.nn.Sequential(*found)

    class Network(pytorch_lightning.LightningModule):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.layers = layers()

        def training_step(self, batch: Any, _: int) -> Any:
            noted.step()
            loss = loss_of(self.layers(batch[0]), batch[1])
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
        trainer.fit(Network(), torch.utils.data.DataLoader(data, size))

    return fit


def keras(network: str, noted: Steps) -> Callable[[], None]:
    """Return a fit of Keras: STEPS steps of a network, loss and another metric at each.

    With a callback that hears of each step, as the progress bar does, which Keras shows unless told otherwise: what
    Keras itself does for whoever hears of steps is no part of what is measured.
    """
    import keras as library
    import numpy as np

    is_small, steps = network == "small", STEPS[network]
    size = ROWS_OF_A_BATCH if is_small else PICTURES_OF_A_BATCH
    shape = (INPUTS,) if is_small else (SIDE, SIDE, 3)
    generator = np.random.default_rng(1)
    rows = generator.normal(size=(steps * size, *shape)).astype("float32")
    targets = rows.sum(axis=1, keepdims=True) if is_small else generator.integers(KINDS, size=len(rows))

    class Hearing(library.callbacks.Callback):  # type: ignore[misc]
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            noted.step()

    def layers() -> list[Any]:
        kinds = library.layers
        if is_small:
            return [*(kinds.Dense(256, activation="relu") for _ in range(2)), kinds.Dense(1)]
        found: list[Any] = []
        for channels in (16, 32, 64):
            found += [kinds.Conv2D(channels, 3, padding="same", activation="relu"), kinds.MaxPooling2D()]
        return [*found, kinds.Flatten(), kinds.Dense(KINDS, activation="softmax")]

    def fit() -> None:
        made = library.Sequential([library.Input(shape), *layers()])
        loss, metric = ("mse", "mae") if is_small else ("sparse_categorical_crossentropy", "accuracy")
        made.compile(optimizer="adam", loss=loss, metrics=[metric])
        made.fit(rows, targets, size, verbose=0, callbacks=[Hearing()])

    return fit


OPTIONS: dict[str, dict[str, Any]] = {
    "lightning": {"log_every_n_step": 1, "checkpoint": False},
    "keras": {"log_every_n_steps": 1, "log_every_epoch": False},
}
FLAVORS = {"lightning": "pytorch", "keras": "keras"}
# Where our code is asked at each step: module, class and method.
ASKED = {
    "lightning": ("stepwell.autologging.pytorch.callback", "_Teller", "_log_step"),
    "keras": ("stepwell.autologging.calls", "LoggedCall", "log_step"),
}


def measured(library: str, tracker: str, rounds: int) -> dict[str, object]:
    """Say of each network what autologging adds to a step of it."""
    return {network: _measured(library, network, tracker, rounds) for network in STEPS}


def _measured(library: str, network: str, tracker: str, rounds: int) -> dict[str, object]:
    """Fit with and without autologging, in turns, and say what it adds to a step.

    What is left for later is waited for between the fits.
    """
    noted = Steps(STEPS[network])
    fit = {"lightning": lightning, "keras": keras}[library](network, noted)
    fit()
    noted.beside = Beside()
    module = import_module(tracker)
    flavor = import_module(f"{tracker}.{FLAVORS[library]}")
    module.set_experiment("autolog steps")

    def switch(is_on: bool) -> None:
        flavor.autolog(
            disable=not is_on, silent=True, log_models=False, log_datasets=False, **OPTIONS[library]
        )

    switch(False)
    fit()
    found = _added(fit, noted, rounds, switch, getattr(module, "flush", lambda: None))
    if tracker == "stepwell":
        switch(True)
        found["own_code"] = _own(library, fit, noted)
        switch(False)
        found["nothing"] = _added(fit, noted, rounds, lambda _: None, lambda: None)
    if library == "lightning" and tracker == "stepwell":
        with_its_logger = False

        def switch_its_logger(wanted: bool) -> None:
            nonlocal with_its_logger
            with_its_logger = wanted

        found["its_own_logger"] = _added(
            lambda: fit(with_its_logger), noted, rounds, switch_its_logger, lambda: None
        )
    return found


def _own(library: str, fit: Callable[[], object], noted: Steps) -> dict[str, float]:
    module, owner, name = ASKED[library]
    asked = getattr(import_module(module), owner)
    plain, found = getattr(asked, name), []

    def timed(*given: Any) -> None:
        before = thread_time()
        plain(*given)
        found.append(thread_time() - before)

    setattr(asked, name, timed)
    try:
        noted.begin()
        fit()
    finally:
        setattr(asked, name, plain)
    a_step_us = 1e3 * noted.taken()[0].thread
    own_us = 1e6 * statistics.mean(found)
    return {
        "of_a_step_us": round(a_step_us),
        "own_us": round(own_us, 1),
        "own_median_us": round(1e6 * statistics.median(found), 1),
        "own_percent": round(100 * own_us / a_step_us, 2),
    }


def _added(
    fit: Callable[[], object],
    noted: Steps,
    rounds: int,
    switch: Callable[[bool], object],
    settle: Callable[[], object],
) -> dict[str, object]:
    of_steps: dict[bool, list[Taken]] = {False: [], True: []}
    beside: dict[bool, list[float]] = {False: [], True: []}
    turned_on = False

    def turn(is_on: bool) -> None:
        nonlocal turned_on
        turned_on = is_on
        switch(is_on)

    def fit_noted() -> None:
        noted.begin()
        fit()
        a_step, beside_it = noted.taken()
        of_steps[turned_on].append(a_step)
        beside[turned_on].append(beside_it)

    whole = added(in_turns(fit_noted, rounds, turn, settle))
    pairs = list(zip(of_steps[False], of_steps[True], strict=True))
    adds_beside = [with_ - without for without, with_ in zip(beside[False], beside[True], strict=True)]
    shares = [100 * more / without.clock for more, (without, _) in zip(adds_beside, pairs, strict=True)]
    return {
        "a_step": added(pairs)
        | {
            "adds_beside_ms": round(statistics.median(adds_beside), 3),
            "adds_beside_percent": round(statistics.median(shares), 2),
        },
        "a_fit": whole,
    }


if __name__ == "__main__":
    print(json.dumps(measured(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
