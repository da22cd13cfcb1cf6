"""What accounts and TLS cost: the log call, ingest, searches and REST, without `--auth`, with it, and with TLS beside.

    python -m benchmarks.access [--rounds 5] [--points 2000000]

The servers run beside each other, each on an embedded PostgreSQL of its own, and every round asks all of them, in turn:
the ratios are of one run. The caller has a token of an account that is no admin's, so each call is looked at. Prints
JSON: microseconds of a log call, points a second from the log call to the commit, milliseconds of a page of 100 runs
and of a REST call over one connection; `authentication_ms` is what the latter takes longer with a token.
"""

import argparse
import http.client
import json
import os
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

import stepwell
from benchmarks.measuring.surroundings import surroundings
from stepwell import StepwellClient
from stepwell.commands.access.server import ask, level_of
from stepwell.delivery import logs
from stepwell_api.v1 import access_pb2 as pb
from tests.harness.servers.processes import ServerProcess

PASSWORD = "of a benchmark alone"
LOG_CALLS = 20_000
SEARCHES = 40
RUNS = 100
REST_CALLS = 300
KINDS = ("open", "auth", "auth_tls")


class Subject:
    """One server, and who calls it."""

    def __init__(self, kind: str, folder: Path, stack: ExitStack) -> None:
        options = ["--data", str(folder / kind)]
        options += ["--auth"] if kind != "open" else []
        self.authority = ""
        if kind == "auth_tls":
            made = folder / "certificates"
            command = [str(Path(sys.executable).with_name("stepwell")), "certificates", "make"]
            subprocess.run([*command, "--out", str(made)], check=True, capture_output=True)
            options += ["--tls-cert", str(made / "server.pem"), "--tls-key", str(made / "server-key.pem")]
            self.authority = str(made / "ca.pem")
        self.kind = kind
        self._server = stack.enter_context(
            ServerProcess(*options, environment={"STEPWELL_ADMIN_PASSWORD": PASSWORD})
        )
        self.uri = self._server.url
        self.token = ""
        self.figures: dict[str, list[float]] = {
            name: [] for name in ("log_call_us", "points_per_s", "search_ms", "rest_ms")
        }

    @contextmanager
    def chosen(self, **shown: str) -> Iterator[None]:
        """Have the client speak to this server, as its caller."""
        settings = {"STEPWELL_TRACKING_TOKEN": self.token, "STEPWELL_TLS_CA": self.authority, **shown}
        os.environ.update(settings)
        stepwell.set_tracking_uri(self.uri)
        try:
            yield
        finally:
            for name in settings:
                os.environ.pop(name, None)

    def prepare(self) -> None:
        """Make an account that is no admin's, its token, and runs to search."""
        if self.kind != "open":
            with self.chosen(
                STEPWELL_TRACKING_TOKEN="",
                STEPWELL_TRACKING_USERNAME="admin",
                STEPWELL_TRACKING_PASSWORD=PASSWORD,
            ):
                ask(lambda it: it.accounts.AddUser(pb.AddUserRequest(name="ann", is_service=True)))
                ask(lambda it: it.access.SetDefaultLevel(pb.SetDefaultLevelRequest(level=level_of("write"))))
                request = pb.CreateTokenRequest(name="bench", scope=pb.TOKEN_SCOPE_WRITE, account="ann")
                self.token = ask(lambda it: it.access.CreateToken(request)).secret
        with self.chosen():
            client = StepwellClient()
            for number in range(RUNS):
                # At once, and not by a stream, which would outlast the credential.
                client.create_run("0", run_name=f"run {number}", tags={"number": str(number)})

    def measure(self, points: int) -> None:
        """Measure everything once."""
        with self.chosen():
            with stepwell.start_run():
                self._note("log_call_us", self._log_calls() / LOG_CALLS * 1e6)
                self._note("points_per_s", points / self._load(points))
            client, began = StepwellClient(), time.perf_counter()
            for _ in range(SEARCHES):
                client.search_runs(["0"], filter_string="tags.number != '5'", max_results=100)
            self._note("search_ms", (time.perf_counter() - began) / SEARCHES * 1e3)
            self._note("rest_ms", self._rest() * 1e3)

    def _note(self, name: str, figure: float) -> None:
        self.figures[name].append(figure)

    def _log_calls(self) -> float:
        began = time.perf_counter()
        for step in range(LOG_CALLS):
            stepwell.log_metric("loss", 0.5, step=step)
        took = time.perf_counter() - began
        stepwell.flush()
        return took

    def _load(self, points: int) -> float:
        steps = np.arange(points)
        values = np.linspace(1, 0, points)
        began = time.perf_counter()
        stepwell.log_series("loaded", values, steps=steps)
        stepwell.flush()
        return time.perf_counter() - began

    def _rest(self) -> float:
        """Seconds of a call over one connection: the median, after the first."""
        place = urlsplit(self.uri)
        assert place.hostname is not None
        if self.authority:
            trusted = ssl.create_default_context(cafile=self.authority)
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                place.hostname, place.port, context=trusted
            )
        else:
            connection = http.client.HTTPConnection(place.hostname, place.port)
        shown = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        times = []
        for _ in range(REST_CALLS):
            began = time.perf_counter()
            connection.request("GET", "/api/2.0/mlflow/experiments/get?experiment_id=0", headers=shown)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200
            times.append(time.perf_counter() - began)
        connection.close()
        return statistics.median(times[1:])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--points", type=int, default=2_000_000)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="stepwell-access-")))
        folder.chmod(0o755)
        os.environ["STEPWELL_SPOOL_DIR"] = str(folder / "spool")
        subjects = [Subject(kind, folder, stack) for kind in options.kinds]
        for subject in subjects:
            subject.prepare()
        for _ in range(options.rounds):
            for subject in subjects:
                subject.measure(options.points)
        logs.rest_all()
    print(json.dumps({**surroundings(), "results": _results(subjects)}, indent=1))


def _results(subjects: list[Subject]) -> dict[str, Any]:
    medians = {
        it.kind: {name: statistics.median(found) for name, found in it.figures.items()} for it in subjects
    }
    results: dict[str, Any] = dict(medians)
    plain = medians.get("open")
    if plain:
        for kind in medians.keys() - {"open"}:
            found = medians[kind]
            results[f"{kind}_to_open"] = {
                "log_call": found["log_call_us"] / plain["log_call_us"],
                "ingest": found["points_per_s"] / plain["points_per_s"],
                "search": plain["search_ms"] / found["search_ms"],
                "authentication_ms": found["rest_ms"] - plain["rest_ms"],
            }
    return results


if __name__ == "__main__":
    main()
