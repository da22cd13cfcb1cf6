"""Mutants of the trip of one point: `make mutants` breaks one station after the other and lists what no test notices.

Each mutant is a text of one file and what it becomes; the tests that guard the station run in a copy of the tree. In
nobody's CI: it takes half an hour.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
COPIED = (
    "client",
    "server",
    "protos",
    "tests",
    "benchmarks",
    "pyproject.toml",
    "README.md",
    "docs",
    "examples",
)
NOT_COPIED = shutil.ignore_patterns("node_modules", "__pycache__", ".chromium")
TESTS_S = 600


@dataclass(frozen=True, slots=True)
class Mutant:
    """`before` stands in `file` once; `tests` are those that ought to notice."""

    file: str
    before: str
    after: str
    tests: Sequence[str]


FAIR = ("tests/wire/test_many_writers.py", "tests/store/ingest/test_commit.py")
HELD = ("tests/unit/server/test_holding.py", "tests/wire/test_holding.py")
SECRETS = ("tests/client/offline/test_writer_secrets.py",)
DAMAGE, PROGRESS = ("tests/unit/client/test_spool_damage.py",), ("tests/unit/client/test_delivery.py",)
QUOTAS = (
    "tests/web/test_artifacts.py::test_parts_keep_to_quotas",
    "tests/web/test_artifacts.py::test_files_that_do_not_say_how_large_they_are_keep_to_quotas",
)
COMMIT = (
    "tests/store/ingest/test_commit.py",
    "tests/store/ingest/test_plain_commits.py",  # what goes the long way, too
    "tests/wire/test_ingest.py",
)
CHAOS = ("tests/faults/test_chaos.py",)
INGEST, STREAM = "server/stepwell_server/store/ingest", "server/stepwell_server/transport/ingest/servicer.py"
SQL, CHUNKS = "server/stepwell_server/store/sql", "server/stepwell_server/store/chunks"
TRANSPORT, CONTENT = "server/stepwell_server/transport", "server/stepwell_server/services/content"
DELIVERY = "client/stepwell/delivery"
SERVICE, SPOOL = "server/stepwell_server/services/ingest.py", "client/stepwell/spool"

MUTANTS = (
    Mutant(f"{SQL}/ingest.sql", "AND writer.position = given.first_position", "", COMMIT),
    Mutant(f"{SQL}/ingest.sql", "AND writer.position = given.first_position", "", CHAOS),
    Mutant(
        f"{SQL}/ingest.sql",
        "AND writer.position = given.first_position",
        "AND writer.position <= given.first_position",
        COMMIT,
    ),
    Mutant(
        f"{SQL}/ingest.sql",
        "SET position = given.end_position,",
        "SET position = given.end_position - 1,",
        COMMIT,
    ),
    Mutant(SERVICE, "if not 0 <= first < end:", "if not 0 <= first <= end:", COMMIT),
    Mutant(SERVICE, "if skipped > POSITIONS_SKIPPED_MAX:", "if False:", SECRETS),
    Mutant(SERVICE, "chosen = np.repeat(good, points.counts)", "chosen = np.repeat(good, 1)", COMMIT),
    Mutant(
        SERVICE,
        "entries = [entry for entry in batch.entries if",
        "entries = [entry for entry in () if",
        COMMIT,
    ),
    Mutant(STREAM, "if request.batch.first_position != self._resume_at:", "if False:", COMMIT),
    Mutant(STREAM, "self._generation += 1", "pass", COMMIT),
    Mutant(STREAM, "piece.position = outcomes[-1].position", "piece.position = outcomes[0].position", COMMIT),
    Mutant(STREAM, "if size > ACKNOWLEDGEMENT_BYTES_MAX and piece.rejected:", "if False:", SECRETS),
    Mutant(
        f"{INGEST}/lane.py",
        "                    if committing is not None:\n                        await committing\n",
        "",
        COMMIT,
    ),
    Mutant(f"{INGEST}/lane.py", "if len(group) > 1:", "if False:", COMMIT),
    Mutant(f"{INGEST}/points.py", "if stages.get(chain.key) is LifecycleStage.ACTIVE", "if True", COMMIT),
    Mutant(f"{INGEST}/points.py", "if settled:", "if False:", ("tests/store/search", *COMMIT)),
    Mutant(
        f"{INGEST}/fair_queue.py",
        "self._runs.move_to_end(run_id)",
        "pass",
        FAIR,
    ),
    Mutant(
        f"{INGEST}/preparing.py",
        "summaries.value_last, summaries.time_last_ms",
        "summaries.time_last_ms",
        COMMIT,
    ),
    Mutant(f"{INGEST}/preparing.py", "np.minimum.reduceat", "np.maximum.reduceat", COMMIT),
    Mutant(
        f"{INGEST}/writer.py",
        "await self._budget.take(size)",
        "pass",
        COMMIT,
    ),
    Mutant(
        "client/stepwell/errors.py",
        '"NOT_FOUND",\n        "INVALID',
        '"INVALID',
        ("tests/client/test_refusals.py",),
    ),
    Mutant(
        "client/stepwell/delivery/shipper.py",
        "if errors.is_final(failure):",
        "if False:",
        ("tests/client/test_refusals.py", "tests/client/offline/test_waiting.py"),
    ),
    Mutant(
        "server/stepwell_server/process/holding.py",
        "        self._shares[peer].give_back(size)\n",
        "",
        HELD,
    ),
    Mutant("server/stepwell_server/process/holding.py", "self._waiting_bytes += in_hand", "pass", HELD),
    Mutant(f"{TRANSPORT}/on_the_way.py", "if size <= SMALL_BYTES:", "if True:", HELD),
    Mutant(f"{TRANSPORT}/stream_holding.py", "if entries <= UNCOUNTED_REJECTIONS_MAX:", "if True:", HELD),
    Mutant(
        "server/stepwell_server/web/room.py",
        'await room.grow_to(len(message.get("body", b"")), streams=streams)',
        "pass",
        HELD,
    ),
    Mutant(f"{CONTENT}/multipart.py", "await self._require_room(content, arrival)", "pass", QUOTAS),
    Mutant(f"{CONTENT}/uploads.py", "if left < 0:", "if False:", QUOTAS),
    Mutant(
        f"{SQL}/leases.sql",
        "DELETE FROM awaited_writer WHERE run_id = ANY ($1::uuid[])",
        "SELECT FROM awaited_writer",
        ("tests/wire/test_leases.py",),
    ),
    Mutant(f"{SPOOL}/records.py", 'records[second].view("<i8")', 'records[first].view("<i8")', DAMAGE),
    Mutant(
        f"{SPOOL}/records.py", "return any(fields[-2:]) and sum(map(bool, fields)) > 1", "return True", DAMAGE
    ),
    Mutant(f"{SPOOL}/committed.py", "int(checksum, 16) == zlib.crc32(digits)", "checksum", DAMAGE),
    Mutant(
        f"{DELIVERY}/progress.py",
        "self._position = max(self._position, position)",
        "self._position = position",
        PROGRESS,
    ),
    Mutant(
        f"{DELIVERY}/progress.py",
        "self._on_the_way[0][1] <= position",
        "self._on_the_way[0][1] < position",
        PROGRESS,
    ),
    Mutant(
        f"{DELIVERY}/shipper.py",
        "if not self._shipment.believes(",
        "if False and not self._shipment.believes(",
        SECRETS,
    ),
    Mutant(
        f"{CHUNKS}/building.py",
        "& (smallest >= 0)",
        "& (smallest >= 1)",
        ("tests/unit/server/test_chunks.py",),
    ),
    Mutant(
        f"{CHUNKS}/building.py",
        "return (above <= INT32_MAX) & (below <= INT32_MAX)",
        "return above <= INT32_MAX",
        ("tests/unit/server/test_chunks.py",),
    ),
    Mutant(
        f"{SQL}/leases.sql",
        "HAVING max(until_ms)",
        "HAVING min(until_ms)",
        ("tests/store/ingest/test_leases.py",),
    ),
)


def survivors(mutants: Sequence[Mutant]) -> list[str]:
    """Try mutants; returns which no test noticed, and which are none any more."""
    found = []
    with tempfile.TemporaryDirectory(prefix="stepwell-mutants-") as folder:
        copy = Path(folder) / "tree"
        copy.mkdir()
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, copy / name, ignore=NOT_COPIED)
            elif source.exists():
                shutil.copy(source, copy / name)
        for number, mutant in enumerate(mutants, 1):
            problem = _tried(copy, mutant)
            print(f"{number}/{len(mutants)} {mutant.file}: {problem or 'noticed'}", flush=True)  # noqa: T201
            if problem:
                found.append(f"{mutant.file}: {mutant.before!r} -> {mutant.after!r}: {problem}")
    return found


def _tried(copy: Path, mutant: Mutant) -> str:
    """Return what is wrong with the tests, or with the mutant; nothing when a test fails."""
    file = copy / mutant.file
    original = file.read_text("utf-8")
    if original.count(mutant.before) < 1:
        return "there is no such text any more; mend the list"
    file.write_text(original.replace(mutant.before, mutant.after), "utf-8")
    path = os.pathsep.join(str(copy / name) for name in ("protos", "client", "server"))
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "2", "-p", "no:cacheprovider", *mutant.tests]
    try:
        done = subprocess.run(
            command,
            cwd=copy,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            timeout=TESTS_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return ""  # it hangs, which is noticed
    finally:
        file.write_text(original, "utf-8")
    if done.returncode == 0:
        return f"survives {' '.join(mutant.tests)}"
    return "" if b" failed" in done.stdout else f"the tests did not run: {done.stdout[-500:]!r}"


def main() -> None:
    """Try all mutants, or those whose file contains a text; ends with 1 when one survives."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="a part of a file's name")
    only = parser.parse_args().only
    found = survivors([mutant for mutant in MUTANTS if only in mutant.file])
    print("\n".join(found) or "every mutant was noticed")  # noqa: T201
    raise SystemExit(1 if found else 0)


if __name__ == "__main__":
    main()
