"""What a log call costs, and what survives `kill -9`: Stepwell and its peers, one after the other, in one run.

    python -m benchmarks.compare.log_calls [--quick] [--only stepwell,wandb] [--markdown FILE]

Each tracker logs one metric, as its documentation says, from a process of its own: 20,000 calls as fast as it goes (or
as many as it makes in 20 s), each timed; then 2,000 calls at 1 kHz and `kill -9` right after the last one returned,
whereupon the tracker's own reader counts the points that can be read. Stepwell and MLflow log to their own servers,
on one PostgreSQL; the others into their files. Each is installed from PyPI into a virtual environment of its own; one
that cannot be is reported with the reason. Prints JSON.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.compare.__main__ import postgres, with_database
from benchmarks.compare.loggers import RATE_HZ, TRACKERS
from benchmarks.compare.peers import PEERS, environment_at, running_peer
from benchmarks.compare.table import write_log_calls
from benchmarks.measuring.surroundings import surroundings
from stepwell_server.process.logs import set_up_logs
from tests.harness.servers.processes import ServerProcess

PROGRAM = Path(__file__).with_name("loggers.py")
SURVIVORS_OF = 2_000
WITH_SERVER = ("stepwell", "mlflow")
PROGRAM_TIMEOUT_S = 300


@contextmanager
def server_of(tracker: str, store: str) -> Iterator[dict[str, str]]:
    """Run the tracker's server while the context lasts, if it has one; yields what tells the client where it is."""
    if tracker == "stepwell":
        with ServerProcess("--store", store) as server:
            yield {"STEPWELL_TRACKING_URI": server.tracking_uri}
    elif tracker == "mlflow":
        (peer,) = (peer for peer in PEERS if peer.name == "mlflow")
        with running_peer(peer, store) as port:
            yield {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{port}"}
    else:
        yield {}


def measure(tracker: str, store: str, calls: int) -> dict[str, Any]:
    """Time the tracker's calls, kill it, count."""
    python = Path(sys.executable) if tracker == "stepwell" else environment_at(tracker) / "bin/python"
    with server_of(tracker, store) as environment:
        found = run(python, tracker, "time", environment, calls)
        with tempfile.TemporaryDirectory(prefix="stepwell-compare-") as folder:
            run(python, tracker, "die", environment, SURVIVORS_OF, folder)
            found["survivors"] = run(python, tracker, "count", environment, folder=folder)
    return {**found, "survivors_of": SURVIVORS_OF, "rate_hz": RATE_HZ}


def run(
    python: Path,
    tracker: str,
    what: str,
    environment: dict[str, str],
    calls: int | None = None,
    folder: str | None = None,
) -> Any:
    """Run the program for one tracker and return its answer, the last line of what it prints."""
    with tempfile.TemporaryDirectory(prefix="stepwell-compare-") as own:
        folder = folder or own
        done = subprocess.run(
            [python, PROGRAM, tracker, what, folder, *([] if calls is None else [str(calls)])],
            env={**os.environ, **environment, "HOME": own, "STEPWELL_SPOOL_DIR": f"{folder}/spool"},
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=PROGRAM_TIMEOUT_S,
            check=False,
        )
    if done.returncode != (-9 if what == "die" else 0):
        raise RuntimeError(
            f"{tracker} {what} ended with {done.returncode}: {(done.stderr or done.stdout)[-1_000:]}"
        )
    return None if what == "die" else json.loads(done.stdout.splitlines()[-1])


async def compare(trackers: list[str], calls: int) -> dict[str, dict[str, Any]]:
    """Measure one after the other; what cannot be measured is reported with its reason."""
    found: dict[str, dict[str, Any]] = {}
    async with postgres() as store:
        for tracker in trackers:
            print(f"measuring {tracker} ...", file=sys.stderr, flush=True)
            try:
                found[tracker] = await with_database(
                    store, f"compare_{tracker}", lambda url, tracker=tracker: measure(tracker, url, calls)
                )
            except (RuntimeError, subprocess.SubprocessError) as error:
                found[tracker] = {"not_measured": str(error)}
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the timed calls")
    parser.add_argument("--only", default=",".join(TRACKERS), help="which trackers, in this order")
    parser.add_argument("--markdown", type=Path, help="write the table into this file too")
    arguments = parser.parse_args()
    set_up_logs("text", "warning")  # on standard error; standard output is the JSON
    around = surroundings()
    found = asyncio.run(compare(arguments.only.split(","), 2_000 if arguments.quick else 20_000))
    report = {**around, "results": found}
    print(json.dumps(report, indent=1))
    if arguments.markdown:
        write_log_calls(arguments.markdown, report)


if __name__ == "__main__":
    main()
