"""What a run can tell about where it comes from: user, script or notebook, git commit.

Found once per process, because asking git takes a few milliseconds.
"""

import functools
import getpass
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from stepwell.entities import USER_TAG

SOURCE_NAME_TAG = "mlflow.source.name"
SOURCE_TYPE_TAG = "mlflow.source.type"
GIT_COMMIT_TAG = "mlflow.source.git.commit"
GIT_BRANCH_TAG = "mlflow.source.git.branch"
GIT_REPOSITORY_TAG = "mlflow.source.git.repoURL"

# A git that takes longer (a network drive) is not waited for.
GIT_TIMEOUT_S = 2.0


@functools.cache
def user() -> str:
    """Return the name of the user; 'unknown' where the system has none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "unknown"


@functools.cache
def system_tags() -> dict[str, str]:
    """Return the tags every run of this process gets; do not change the dict."""
    notebook = _notebook()
    return {
        USER_TAG: user(),
        SOURCE_NAME_TAG: notebook or sys.argv[0] or sys.executable,
        SOURCE_TYPE_TAG: "NOTEBOOK" if notebook else "LOCAL",
        **_git_tags(_folder()),
    }


def without_credentials(url: str) -> str:
    """Return a repository's URL without user and password; 'git@host:path' has none and stays."""
    parts = urlsplit(url)
    if not parts.scheme or "@" not in parts.netloc:
        return url
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _notebook() -> str | None:
    """Return the name of the notebook that runs this, if one does."""
    if "ipykernel" not in sys.modules:
        return None
    # Set by Jupyter and by VS Code; other notebooks do not tell.
    path = os.environ.get("JPY_SESSION_NAME") or _main_attribute("__vsc_ipynb_file__")
    return path or "notebook"


def _main_attribute(name: str) -> str | None:
    return getattr(sys.modules.get("__main__"), name, None)


def _folder() -> Path:
    """Return where the script is; where we are, if there is none."""
    script = Path(sys.argv[0]) if sys.argv[0] else None
    return script.parent if script is not None and script.is_file() else Path()


def _git_tags(folder: Path) -> dict[str, str]:
    commit_and_branch = _git(folder, "rev-parse", "HEAD", "--abbrev-ref", "HEAD").split()
    if len(commit_and_branch) != 2:
        return {}
    tags = dict(zip((GIT_COMMIT_TAG, GIT_BRANCH_TAG), commit_and_branch, strict=True))
    repository = _git(folder, "config", "--get", "remote.origin.url").strip()
    if repository:
        tags[GIT_REPOSITORY_TAG] = without_credentials(repository)
    return tags


def _git(folder: Path, *arguments: str) -> str:
    """Return what git says about a folder; nothing where there is no git or no repository."""
    command = ["git", "-C", str(folder), *arguments]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=GIT_TIMEOUT_S, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return ""
    return answer.stdout if answer.returncode == 0 else ""
