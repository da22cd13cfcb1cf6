"""`pytorch.log_model` of a large model, beside writing and uploading the bare file.

    python -m benchmarks.models.torch [--size-mb 100] [--rounds 3]     torch has to be installed

A real server on a folder (embedded PostgreSQL, fsync on) and a client in a process of its own. Each round has new
random weights, so that nothing is there already, and does both, one after the other, in turns first and second:

* bare: `torch.save` of the model into a temporary folder, and `log_artifact` of that file
* model: `stepwell.pytorch.log_model` of it: the same file, with its description, environment and id

The clock runs until all is committed. Prints JSON; `ratio` is model / bare, the median over rounds.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.artifacts.moving import MB, in_process, servers
from benchmarks.measuring.surroundings import surroundings

LAYERS = 8


def measure(uri: str, size: int, rounds: int) -> list[dict[str, float]]:
    """Log models of a size in bytes both ways; returns the seconds of each round."""
    import stepwell

    stepwell.set_tracking_uri(uri)
    seconds = []
    with stepwell.start_run():
        _model(_network(10**5))  # what a process does once: imports, connections, the names of distributions
        for number in range(rounds):
            ways = [("bare_s", _bare), ("model_s", _model)]
            found = {name: way(_network(size)) for name, way in (ways if number % 2 else ways[::-1])}
            seconds.append({**found, "ratio": found["model_s"] / found["bare_s"]})
    return seconds


def _network(size: int) -> Any:
    """Return a network whose weights have about that many bytes."""
    import torch

    side = int((size / 4 / LAYERS) ** 0.5)
    return torch.nn.Sequential(*(torch.nn.Linear(side, side, bias=False) for _ in range(LAYERS)))


def _bare(model: Any) -> float:
    import torch

    import stepwell

    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.pth")
        torch.save(model, path)
        stepwell.log_artifact(path, "bare")
    return time.perf_counter() - started


def _model(model: Any) -> float:
    import stepwell

    started = time.perf_counter()
    stepwell.pytorch.log_model(model, name="model")
    return time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size-mb", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    where = surroundings()
    with tempfile.TemporaryDirectory() as name, servers(Path(name), "folder") as (server, _):
        found = in_process(measure, server.tracking_uri, arguments.size_mb * MB, arguments.rounds)
    medians = {key: round(median(one[key] for one in found), 3) for key in found[0]}
    print(json.dumps({**where, "size_mb": arguments.size_mb, "medians": medians, "rounds": found}, indent=2))


if __name__ == "__main__":
    main()
