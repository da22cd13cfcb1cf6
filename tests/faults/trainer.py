"""A training program for fault tests: logs what `script` says and keeps a record of what the log calls promised.

The record is a file (see `training.Record`): the run's id, and the number of calls that returned, written after each
call straight into the kernel's memory, so that it survives `kill -9` as the spool has to.
"""

import argparse
import dataclasses
import faulthandler
import json
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.faults.script import LogCall, log_call
from tests.faults.training import Record
from tests.harness.network.names import know

PACE_EVERY_CALLS = 20
INSIST_S = 0.1  # between two tries of a call that is refused because the run is deleted


def main() -> None:
    """Log; then end the run and print the receipt as JSON."""
    faulthandler.register(signal.SIGUSR1)
    options = parse(sys.argv[1:])
    if options.clock_back_at:
        turn_clock_back(Path(options.record), options.clock_back_at)
    if options.name:
        know(options.name, options.addresses, options.dns_port)
    import stepwell

    if options.keepalive_ms:
        shorten_keepalive(options.keepalive_ms)
    record = Record.create(Path(options.record))
    with stepwell.start_run(run_name=f"seed {options.seed}") as run:
        record.write_run_id(run.info.run_id)
        told = wait_to_be_told() if options.wait else None
        log(options, record, told)
        if told:
            told.wait()
        receipt = stepwell.flush() if options.leave else stepwell.end_run()
    sys.stdout.write(json.dumps(dataclasses.asdict(receipt)))


def parse(arguments: list[str]) -> argparse.Namespace:
    """Take the command line apart."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--record", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--rank", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first call")
    parser.add_argument("--calls", type=int, required=True, help="how many, at most")
    parser.add_argument("--pace", type=int, default=0, help="calls a second; 0 is as fast as it goes")
    parser.add_argument("--wait", action="store_true", help="a line on standard input ends it, and only that")
    parser.add_argument(
        "--clock-back-at", type=int, nargs="*", help="numbers of returned calls when the clock is set back"
    )
    parser.add_argument(
        "--keepalive-ms", type=int, default=0, help="how soon the client asks for signs of life"
    )
    parser.add_argument("--name", help="a name that only this process knows, see `names.know`")
    parser.add_argument("--addresses", nargs="*", default=())
    parser.add_argument("--dns-port", type=int, default=0)
    parser.add_argument("--leave", action="store_true", help="leave the run without ending it by a call")
    return parser.parse_args(arguments)


def wait_to_be_told() -> threading.Event:
    """Return what is set when a line comes on standard input."""
    told = threading.Event()

    def wait() -> None:
        sys.stdin.readline()
        told.set()

    threading.Thread(target=wait, daemon=True).start()
    return told


def log(options: argparse.Namespace, record: Record, told: threading.Event | None) -> None:
    """Make the calls, at the pace that was asked for, until all are made or somebody says that it is enough."""
    started = time.monotonic()
    for done, number in enumerate(range(options.first, options.first + options.calls)):
        if told and told.is_set():
            return
        call = log_call(options.seed, options.rank, number)
        if not insist(partial(make, call, own_times=not options.clock_back_at), told):
            return
        record.write_calls(done + 1)
        if options.pace and done % PACE_EVERY_CALLS == 0:
            time.sleep(max(0.0, started + done / options.pace - time.monotonic()))


def make(call: LogCall, *, own_times: bool) -> None:
    """Make one call of the script, with its time or that of the clock."""
    import stepwell

    time_ms = call.time_ms if own_times else None
    if len(call.metrics) == 1:
        ((key, value),) = call.metrics.items()
        stepwell.log_metric(key, value, step=call.step, timestamp=time_ms)
    elif call.metrics:
        stepwell.log_metrics(call.metrics, step=call.step, timestamp=time_ms)
    if call.params:
        stepwell.log_params(call.params)
    if call.tags:
        stepwell.set_tags(call.tags)


def insist(call: Callable[[], None], told: threading.Event | None) -> bool:
    """Make a call again while the run is deleted, until somebody says that it is enough; tells if it was made."""
    import stepwell

    while True:
        try:
            call()
        except stepwell.StepwellException as failure:
            if failure.error_code != "INVALID_STATE" or told is None:
                raise
        else:
            return True
        if told.wait(INSIST_S):
            return False


def turn_clock_back(record: Path, moments: list[int]) -> None:
    """Let this process's wall clock jump back by a day whenever so many calls returned. Before stepwell is imported."""
    real_time, real_time_ns = time.time, time.time_ns

    def lag_s() -> int:
        calls = Record(record).calls if record.exists() else 0
        return 86_400 * sum(calls >= moment for moment in moments)

    time.time = lambda: real_time() - lag_s()
    time.time_ns = lambda: real_time_ns() - lag_s() * 10**9


def shorten_keepalive(milliseconds: int) -> None:
    """Find half-open connections sooner than in half a minute, because a test waits."""
    from stepwell.wire import channels

    own = {
        "grpc.keepalive_time_ms": milliseconds,
        "grpc.keepalive_timeout_ms": 1_000,
        "grpc.http2.ping_timeout_ms": 1_000,
    }
    channels._OPTIONS = tuple((name, own.get(name, value)) for name, value in channels._OPTIONS)


if __name__ == "__main__":
    main()
