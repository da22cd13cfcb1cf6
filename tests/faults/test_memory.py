"""The server is away for longer than the client's memory could hold what is logged; every point arrives, once."""

import json
import subprocess
import sys

from tests.faults.accounting import rows
from tests.faults.patience import PATIENCE_S
from tests.faults.training import ROOT
from tests.harness.network.proxy import Proxy
from tests.harness.servers.processes import ServerProcess, neutral_environment

POINTS = 3_000_000
RECORD_BYTES = 56
# What logging may add to a process, however much waits: 40 MiB, of what would be 92 MiB.
GROWTH_BYTES_MAX = 40 * 2**20

PROGRAM = f"""
import json, resource, sys, time
import stepwell

def peak_bytes():
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

with stepwell.start_run() as run:
    stepwell.log_metric("loss", 0.0, step=0)
    stepwell.flush()
    before = peak_bytes()
    print(run.info.run_id, flush=True)
    sys.stdin.readline()
    for step in range(1, {POINTS}):
        stepwell.log_metric("loss", step / 8, step=step)
    print(json.dumps({{"growth": peak_bytes() - before, "waiting": stepwell.health().waiting}}), flush=True)
    sys.stdin.readline()
    receipt, give_up = stepwell.flush(), time.monotonic() + {PATIENCE_S}
    while receipt.waiting and time.monotonic() < give_up:  # flush() does not wait for a server that is away
        time.sleep(0.1)
        receipt = stepwell.flush()
print(json.dumps({{"committed": receipt.committed, "waiting": receipt.waiting, "growth": peak_bytes() - before}}))
"""


def test_a_server_that_is_away_for_longer_than_memory_could_hold(
    shared_server: ServerProcess, tmp_path: object
) -> None:
    assert POINTS * RECORD_BYTES > 2 * GROWTH_BYTES_MAX
    with Proxy(shared_server.port) as proxy:
        environment = {
            **neutral_environment(),
            "STEPWELL_TRACKING_URI": proxy.tracking_uri,
            "STEPWELL_SPOOL_DIR": f"{tmp_path}/spool",
        }
        with subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=ROOT,
        ) as process:
            run_id = process.stdout.readline().strip()
            proxy.refuse()
            process.stdin.write("\n")
            process.stdin.flush()
            away = json.loads(process.stdout.readline())
            proxy.heal()
            output, _ = process.communicate("\n", 3 * PATIENCE_S)
    assert away["waiting"] >= POINTS - 1
    assert away["growth"] <= GROWTH_BYTES_MAX
    delivered = json.loads(output)
    assert (delivered["committed"], delivered["waiting"]) == (POINTS, 0)
    assert delivered["growth"] <= GROWTH_BYTES_MAX
    query = (
        "SELECT count(*), count(DISTINCT step), min(step), max(step), bool_and(value = step / 8.0::float8) "
        "FROM metric_points WHERE run_id = $1"
    )
    assert rows(shared_server.store, query, run_id) == [(POINTS, POINTS, 0, POINTS - 1, True)]
