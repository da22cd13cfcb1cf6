# ruff: noqa: D102 - the methods are described once, in Tracker
"""One tracker, one metric: run by the tracker's own Python, so there is nothing here but it and the standard library.

    PYTHON loggers.py TRACKER time FOLDER CALLS    times each log call, ends the run; prints JSON
    PYTHON loggers.py TRACKER die FOLDER CALLS     logs at 1 kHz and kills itself (-9) when the last call has returned
    PYTHON loggers.py TRACKER count FOLDER         prints how many points the tracker's own reader finds

`FOLDER` is where it keeps its files; those with a server find it through the environment.
"""

import contextlib
import importlib.metadata
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

KEY = "loss"
RATE_HZ = 1_000
# A call that takes milliseconds is timed less often.
SECONDS_MAX = 20.0

Log = Callable[[int, float], object]


class Tracker(Protocol):
    """How a tracker logs and reads. `PACKAGE` is its distribution."""

    PACKAGE: str

    def start(self, folder: Path) -> Log:
        """Start a run and return what logs a point of it."""
        ...

    def end(self) -> None:
        """End the run in order."""
        ...

    def count(self, folder: Path) -> int:
        """Return how many points of the run that was killed can be read."""
        ...


class Stepwell:
    """Against its server; what was left behind is delivered by `stepwell sync`."""

    PACKAGE = "stepwell"

    def start(self, folder: Path) -> Log:
        import stepwell

        (folder / "run").write_text(stepwell.start_run().info.run_id)
        return lambda step, value: stepwell.log_metric(KEY, value, step=step)

    def end(self) -> None:
        import stepwell

        stepwell.end_run()

    def count(self, folder: Path) -> int:
        import stepwell

        program = Path(sys.executable).with_name("stepwell")
        subprocess.run([program, "sync", os.environ["STEPWELL_SPOOL_DIR"]], check=True, stdout=sys.stderr)
        return len(stepwell.get_metric_history((folder / "run").read_text(), KEY))


class MLflow:
    """Against its server."""

    PACKAGE = "mlflow"

    def start(self, folder: Path) -> Log:
        import mlflow

        (folder / "run").write_text(mlflow.start_run().info.run_id)
        return lambda step, value: mlflow.log_metric(KEY, value, step=step)

    def end(self) -> None:
        import mlflow

        mlflow.end_run()

    def count(self, folder: Path) -> int:
        from mlflow import MlflowClient

        return len(MlflowClient().get_metric_history((folder / "run").read_text(), KEY))


class Trackio:
    """Into its local SQLite file."""

    PACKAGE = "trackio"

    def start(self, folder: Path) -> Log:
        os.environ["TRACKIO_DIR"] = str(folder)
        import trackio

        trackio.init(project="compare", name="run", embed=False)
        return lambda step, value: trackio.log({KEY: value}, step=step)

    def end(self) -> None:
        import trackio

        trackio.finish()

    def count(self, folder: Path) -> int:
        os.environ["TRACKIO_DIR"] = str(folder)
        from trackio.sqlite_storage import SQLiteStorage

        return sum(KEY in row for row in SQLiteStorage.get_logs("compare", "run"))


class Wandb:
    """Offline: into its transaction log."""

    PACKAGE = "wandb"

    def start(self, folder: Path) -> Log:
        import wandb

        run = wandb.init(
            project="compare", mode="offline", dir=str(folder), settings=wandb.Settings(silent=True)
        )
        return lambda step, value: run.log({KEY: value}, step=step)

    def end(self) -> None:
        import wandb

        wandb.finish()

    def count(self, folder: Path) -> int:
        # Its reader is a part of its Go program; the file is a log as LevelDB has it, of its protobuf messages.
        from wandb.proto.wandb_internal_pb2 import Record

        records = map(Record.FromString, leveldb_records(next(folder.rglob("*.wandb")).read_bytes()))
        return sum(
            KEY in {item.key or "/".join(item.nested_key) for item in record.history.item}
            for record in records
        )


class TensorBoardX:
    """Into an event file, read by TensorBoard."""

    PACKAGE = "tensorboardX"

    def start(self, folder: Path) -> Log:
        from tensorboardX import SummaryWriter

        self._writer = SummaryWriter(str(folder))
        return lambda step, value: self._writer.add_scalar(KEY, value, step)

    def end(self) -> None:
        self._writer.close()

    def count(self, folder: Path) -> int:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        events = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
        return len(events.Scalars(KEY))


class SwanLab:
    """Offline: into its backup file."""

    PACKAGE = "swanlab"

    def start(self, folder: Path) -> Log:
        import swanlab

        swanlab.init(project="compare", mode="offline", log_dir=str(folder))
        return lambda step, value: swanlab.log({KEY: value}, step=step)

    def end(self) -> None:
        import swanlab

        swanlab.finish()

    def count(self, folder: Path) -> int:
        from swanlab.exceptions import DataStoreError
        from swanlab.proto.swanlab.record.v1.record_pb2 import Record
        from swanlab.sdk.internal.core_python.store import DataStoreReader

        reader, found = DataStoreReader(), 0
        reader.open(next(folder.rglob("*.swanlab")))
        # The record that was being written is cut off; the others come before it.
        with contextlib.suppress(DataStoreError):
            while (data := reader.scan()) is not None:
                record = Record.FromString(data)
                found += record.HasField("scalar") and record.scalar.key == KEY
        return found


class Aim:
    """Into its local store."""

    PACKAGE = "aim"

    def start(self, folder: Path) -> Log:
        from aim import Run

        self._run = Run(repo=str(folder), system_tracking_interval=None, capture_terminal_logs=False)
        return lambda step, value: self._run.track(value, name=KEY, step=step)

    def end(self) -> None:
        self._run.close()

    def count(self, folder: Path) -> int:
        from aim import Repo, Run
        from aim.storage.context import Context

        repo = Repo(str(folder))
        (run_hash,) = repo.list_all_runs()
        # It opens what a killed process left only with its lock broken.
        run = Run(run_hash, repo=repo, force_resume=True, system_tracking_interval=None)
        return len(run.get_metric(KEY, Context({})).values.sparse_list()[0])


def leveldb_records(data: bytes) -> Iterator[bytes]:
    """The whole records of a log file as LevelDB has it: blocks of 32 KiB, chunks with a checksum, length and type."""
    block, head, record = 32_768, 7, b""
    at = head  # the file's own header
    while at + head <= len(data):
        if block - at % block < head:
            at += block - at % block
            continue
        length, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        chunk = data[at + head : at + head + length]
        if kind == 0 or len(chunk) < length:
            return
        record = chunk if kind in (1, 2) else record + chunk  # 1 whole, 2 first, 3 middle, 4 last
        if kind in (1, 4):
            yield record
        at += head + length


TRACKERS: dict[str, type[Any]] = {
    "stepwell": Stepwell,
    "mlflow": MLflow,
    "trackio": Trackio,
    "wandb": Wandb,
    "tensorboardx": TensorBoardX,
    "swanlab": SwanLab,
    "aim": Aim,
}


def time_calls(log: Log, calls: int) -> list[int]:
    """Time each call, in nanoseconds, until all are made or the time is over."""
    clock, taken, give_up = time.perf_counter_ns, [], time.monotonic() + SECONDS_MAX
    for step in range(calls):
        value = step / 3
        begun = clock()
        log(step, value)
        taken.append(clock() - begun)
        if step % 100 == 0 and time.monotonic() > give_up:
            break
    return taken


def die(log: Log, calls: int) -> None:
    """Log at a steady pace; then leave as `kill -9` leaves."""
    started = time.monotonic()
    for step in range(calls):
        log(step, step / 3)
        time.sleep(max(0.0, started + (step + 1) / RATE_HZ - time.monotonic()))
    os.kill(os.getpid(), signal.SIGKILL)


def percentiles(nanoseconds: list[int]) -> dict[str, float]:
    """Median, 99 %, 99.9 % and maximum, in microseconds."""
    ordered = sorted(nanoseconds)
    at = {"median": 0.5, "p99": 0.99, "p99.9": 0.999, "max": 1.0}
    return {
        name: round(ordered[min(int(share * len(ordered)), len(ordered) - 1)] / 1_000, 2)
        for name, share in at.items()
    }


def main() -> None:
    """Do what the command line says; the answer is the last line of standard output."""
    name, what, folder, *rest = sys.argv[1:]
    tracker: Tracker = TRACKERS[name]()
    if what == "count":
        answer: Any = tracker.count(Path(folder))
    else:
        log = tracker.start(Path(folder))
        if what == "die":
            die(log, int(rest[0]))
        taken = time_calls(log, int(rest[0]))
        begun = time.monotonic()
        tracker.end()
        answer = {
            "version": importlib.metadata.version(tracker.PACKAGE),
            "calls": len(taken),
            "microseconds": percentiles(taken),
            "end_s": round(time.monotonic() - begun, 2),
        }
    sys.stdout.write("\n" + json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
