"""Environments of other programs: made when first asked for, kept in the tree in a folder that git ignores.

Each has what its file of requirements names, and this package as it is in the tree.
"""

import fcntl
import hashlib
import json
import os
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
INSTALL_S = 1_800


@dataclass(frozen=True)
class Environments:
    """A kind of them: the folder that they are kept in, of the tree; that of their requirements; our extras in them."""

    folder: str
    requirements: Path
    extras: tuple[str, ...]

    def python_of(self, name: str) -> Path:
        """Return the Python of an environment, made if it is not there or its requirements have changed."""
        folder = ROOT / self.folder
        folder.mkdir(exist_ok=True)
        place = folder / name
        with (folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            made_of = place / "made-of"
            wanted = self._fingerprint(name)
            if not made_of.exists() or made_of.read_text() != wanted:
                self._make(place, name)
                made_of.write_text(wanted)
        return place / "bin" / "python"

    def _fingerprint(self, name: str) -> str:
        """What an environment depends on: its requirements, our dependencies and entry points, the Python."""
        ours = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        extras = [ours["optional-dependencies"][extra] for extra in self.extras]
        parts = (sys.version, ours["dependencies"], extras, ours["entry-points"])
        text = (self.requirements / f"{name}.txt").read_text() + json.dumps(parts)
        return hashlib.sha256(text.encode()).hexdigest()

    def _make(self, place: Path, name: str) -> None:
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True, timeout=INSTALL_S)
        command = [place / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check"]
        ours = f"{ROOT}[{','.join(self.extras)}]" if self.extras else str(ROOT)
        subprocess.run(
            [*command, "-r", str(self.requirements / f"{name}.txt"), "-e", ours],
            check=True,
            timeout=INSTALL_S,
            env={**os.environ, "HATCH_BUILD_NO_HOOKS": "true"},  # nobody looks at the page there
        )
