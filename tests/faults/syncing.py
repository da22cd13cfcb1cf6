"""`stepwell sync`, one or several at once."""

import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults.patience import PATIENCE_S
from tests.harness.content.files import files_below
from tests.harness.servers.processes import neutral_environment

REACH_S = "2"  # how long a sync looks for the server


@dataclass(frozen=True, slots=True)
class Synced:
    """How a sync ended: its exit code (1 when something is left), and a receipt for each spool."""

    exit_code: int
    receipts: list[dict[str, Any]]

    def total(self, what: str) -> int:
        """Sum up one number of all receipts."""
        return sum(receipt[what] for receipt in self.receipts)


def sync_at_once(*folders: Path, options: Sequence[str] = ()) -> list[Synced]:
    """Sync each of these folders of spools in a process of its own, all at the same time."""
    program = Path(sys.executable).with_name("stepwell")
    started = [
        subprocess.Popen(
            [program, "sync", str(folder), "--json", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**neutral_environment(), **_told(folder), "STEPWELL_REACH_TIMEOUT_S": REACH_S},
        )
        for folder in folders
    ]
    return [_end(process) for process in started]


def _told(folder: Path) -> dict[str, str]:
    """The settings of the training whose spools these are: each goes where it was logged for, if they name that."""
    described = next(folder.glob("*/writer.json"), None)
    return {"STEPWELL_TRACKING_URI": json.loads(described.read_text())["tracking_uri"]} if described else {}


def sync(folder: Path, *options: str) -> Synced:
    """Sync a folder of spools."""
    (synced,) = sync_at_once(folder, options=options)
    return synced


def _end(process: "subprocess.Popen[str]") -> Synced:
    try:
        output, log = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
    assert "Traceback" not in log, log
    assert process.returncode in (0, 1), log
    return Synced(process.returncode, [json.loads(line) for line in output.splitlines()])


def copy_spools(source: Path, target: Path) -> None:
    """Copy a folder of spools, while others may deliver from it."""

    def copy_if_there(file: str, to: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            shutil.copy2(file, to)

    with contextlib.suppress(shutil.Error, FileNotFoundError):  # folders that vanish on the way
        shutil.copytree(source, target, copy_function=copy_if_there)


def is_empty(folder: Path) -> bool:
    """Tell whether nothing waits in a folder of spools. Who is killed while it removes one leaves its shell behind."""
    return not any(path.name == "writer.json" for path in files_below(folder))
