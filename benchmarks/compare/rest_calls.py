"""What a client of MLflow's REST interface asks of any server that has it, timed: one connection that is kept."""

import http.client
import json
import os
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from benchmarks.compare.rest import API
from benchmarks.measuring.surroundings import family, process_name

CHART_POINTS = 320  # a run; MLflow's pages ask for so many
PAGE_SIZE = 100
PIECE_BYTES = 1 << 20
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"


class Server:
    """One server on this machine; `process_id` is that of its first process, `experiment_id` where seeded runs are."""

    def __init__(self, port: int, process_id: int, experiment_id: str = "0") -> None:
        self.process_id = process_id
        self._experiment_id = experiment_id
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)

    def log_metric(self, calls: int) -> dict[str, Any]:
        """One point a call, one call after the other."""
        run_id = self._new_run()["run_id"]

        def log(step: int) -> None:
            point = {"key": "loss", "value": step / 7, "timestamp": 1_700_000_000_000 + step, "step": step}
            self._ask("POST", "/runs/log-metric", {"run_id": run_id, **point})

        return _timed(calls, log)

    def search(self, rounds: int) -> dict[str, Any]:
        """The first page of the runs of an experiment, the latest first, with all that they logged."""
        body = {"experiment_ids": [self._experiment_id], "max_results": PAGE_SIZE}
        body["order_by"] = ["attributes.start_time DESC"]

        def search(_: int) -> None:
            assert len(self._ask("POST", "/runs/search", body)["runs"]) == PAGE_SIZE

        return _timed(rounds, search)

    def chart(self, run_ids: Sequence[str], rounds: int, *, again: bool) -> dict[str, Any]:
        """Some points of a metric of runs; the same ones `again`, or a few more each time, so that nobody has them."""

        def read(number: int) -> None:
            points = CHART_POINTS + (0 if again else number)
            query = {"run_ids": run_ids, "metric_key": "loss", "max_results": points}
            path = f"/metrics/get-history-bulk-interval?{urlencode(query, doseq=True)}"
            assert len(self._ask("GET", path)["metrics"]) >= points * len(run_ids)

        return _timed(rounds, read)

    def artifact(self, size: int) -> dict[str, Any]:
        """One file of so many bytes through the server, up and down, and the memory that it took at most."""
        place = self._new_run()["artifact_uri"].split(":", 1)[1].lstrip("/")
        path = f"{ARTIFACTS}/{place}/large.bin"
        members = [each for each in family(self.process_id) if not process_name(each).startswith("postgres")]
        before = _reset_peaks(members)
        began = time.perf_counter()
        self._connection.request("PUT", path, _Zeros(size), {"Content-Length": str(size)})
        self._read("PUT", path)
        up = time.perf_counter()
        self._connection.request("GET", path)
        answer = self._connection.getresponse()
        count = 0
        while piece := answer.read(PIECE_BYTES):
            count += len(piece)
        down = time.perf_counter()
        assert count == size, count
        mib = size / 2**20
        return {
            "mib": round(mib),
            "up_mib_per_s": round(mib / (up - began)),
            "down_mib_per_s": round(mib / (down - up)),
            "memory_at_most_mib": round(_peaks(members)),
            "memory_before_mib": round(before),
        }

    def _new_run(self) -> dict[str, Any]:
        body = {"experiment_id": "0", "start_time": int(time.time() * 1_000)}
        info: dict[str, Any] = self._ask("POST", "/runs/create", body)["run"]["info"]
        return info

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        headers = {} if body is None else {"Content-Type": "application/json"}
        text = None if body is None else json.dumps(body)
        self._connection.request(method, API + path, text, headers)
        return json.loads(self._read(method, path))

    def _read(self, method: str, path: str) -> bytes:
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{method} {path} answered {answer.status}: {text[:500]!r}")
        return text


class _Zeros:
    """A file of bytes that cost nothing to make."""

    def __init__(self, size: int) -> None:
        self._left = size

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, at most a piece."""
        count = min(self._left, PIECE_BYTES)
        self._left -= count
        return bytes(count)


def _timed(rounds: int, call: Callable[[int], object]) -> dict[str, Any]:
    """Call something again and again, after once that nobody counts."""
    call(0)
    taken = []
    for number in range(1, rounds + 1):
        began = time.perf_counter()
        call(number)
        taken.append((time.perf_counter() - began) * 1_000)
    return {
        "rounds": rounds,
        "p50_ms": round(statistics.median(taken), 3),
        "max_ms": round(max(taken), 3),
    }


def _reset_peaks(process_ids: Sequence[int]) -> float:
    """Let the peaks of processes begin at what they have now; returns their sum, in MiB."""
    for each in process_ids:
        if os.access(f"/proc/{each}/clear_refs", os.W_OK):
            Path(f"/proc/{each}/clear_refs").write_text("5")
    return _peaks(process_ids)


def _peaks(process_ids: Sequence[int]) -> float:
    lines = (
        line
        for each in process_ids
        for line in Path(f"/proc/{each}/status").read_text().splitlines()
        if line.startswith("VmHWM:")
    )
    return sum(int(line.split()[1]) for line in lines) / 1024
