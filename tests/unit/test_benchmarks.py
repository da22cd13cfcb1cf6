"""The programs behind the speed claims: their tables hold what was measured."""

import signal
import subprocess
import sys
from pathlib import Path

from benchmarks.compare.table import write_comparison
from benchmarks.measuring.table import write_table
from stepwell_server.store.postgres.embedded import running_url

AROUND = {
    "commit": "abc",
    "time": "now",
    "cores": 2,
    "machine": "x86_64",
    "memory_gib": 23.5,
    "system": "Linux",
    "python": "3.11",
    "workers": 1,
    "postgresql": "embedded",
    "load_before": 0.1,
    "scale": 1.0,
    "durable": "committed",
}
# A benchmark that has a server, and tells where it is.
SERVING = """
import sys, time
from benchmarks.ingest import ServerProcess
with ServerProcess("--data", sys.argv[1]):
    print("ready", flush=True)
    time.sleep(60)
"""
COSTS = {"server_core_share": 0.25, "postgresql_core_share": 0.125, "server_mib": 70}


def test_figures_stand_between_their_marks(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text("before\n<!-- figures begin -->\nold\n<!-- figures end -->\nafter\n")
    results = {
        "one_fast_loop": {"points_per_second": 1_234_567, **COSTS},
        "sixteen_jobs": {"points_per_second": 32_000, "lag_p99_ms": 250.4, **COSTS},
        "stations": {"stations": {"decoding": {"points_per_cpu_second": 7_000_000}}},
        "disk": {"float32": {"bytes_per_point": 8.5, "points_per_chunk": 4_000}},
        "growth": {"points_between": 50_000_000, "ratio": {"bulk": 0.95}},
    }
    write_table(page, {**AROUND, "results": results})
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    for expected in (
        "1,234,567",
        "| sixteen jobs | 32,000 | 250 ms | 0.25 |",
        "7,000,000",
        "8.5",
        "50,000,000",
    ):
        assert expected in text


def test_the_comparison_says_what_was_durable(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text("<!-- comparison begin --><!-- comparison end -->")
    results = {
        "stepwell": {"durable": "committed", "1 clients": {"points_per_second": 500_000}},
        "peer": {"durable": "in memory", "4 clients": {"points_per_second": 20_000}},
    }
    report = {**AROUND, "batch": "1,000 points", "results": results, "ratios": {"to peer, 1 clients": 25.0}}
    write_comparison(page, report)
    assert "| stepwell | 500,000 |  |  | committed |" in page.read_text()
    assert "| peer |  | 20,000 |  | in memory |" in page.read_text()
    assert "| Stepwell to peer, 1 clients | 25.0 |" in page.read_text()


def test_a_benchmark_that_a_time_out_ends_leaves_no_database_behind(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    command = [sys.executable, "-c", SERVING, str(tmp_path / "data")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as benchmark:
        assert benchmark.stdout
        assert benchmark.stdout.readline() == b"ready\n"
        assert running_url(tmp_path / "data")
        benchmark.send_signal(signal.SIGTERM)
    assert running_url(tmp_path / "data") is None
