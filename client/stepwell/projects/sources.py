"""Where projects come from: folders, and git repositories, which the program `git` fetches."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from stepwell.errors import StepwellException, invalid
from stepwell.runs.context import GIT_BRANCH_TAG, GIT_COMMIT_TAG, GIT_REPOSITORY_TAG, without_credentials

# A fetch that takes longer is given up; submodules included.
FETCH_TIMEOUT_S = 1_800.0
_REMOTE = re.compile(r"(https?|ssh|git|git\+ssh)://|[\w.-]+@[\w.-]+:")
_COMMIT = re.compile(r"[0-9a-f]{40}")
# What git may speak; `ext` would run any command that an address names.
_ENVIRONMENT = {"GIT_TERMINAL_PROMPT": "0", "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh"}


@dataclass(frozen=True, slots=True)
class Source:
    """A project's code: the folder it lies in, how it is named, and tags that say which state of it this is."""

    folder: Path
    name: str
    tags: dict[str, str] = field(default_factory=dict)


@contextmanager
def source_of(uri: str, version: str | None, storage: Path | None = None) -> Iterator[Source]:
    """Yield a project's code; what was fetched for that is removed at the end.

    Args:
        uri: a folder, file://, or a git repository (https, ssh, git, file; git@host:path), with #subdirectory.
        version: a commit, branch or tag of the repository.
        storage: where to put what is fetched; the temporary folder if not given.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE when there is no such folder, repository or version; NOT_IMPLEMENTED
            when there is no git.
    """
    address, _, below = uri.partition("#")
    if version is not None and (not version or version.startswith("-")):
        raise invalid(f"The version is {version!r}; give a commit, branch or tag.")
    if _REMOTE.match(address):
        with _fetched(address, version, storage) as (folder, tags):
            yield Source(_below(folder, below, uri), without_credentials(uri), tags)
        return
    folder = _local(address)
    if version is None:
        inside = _below(folder, below, uri)
        tags = _state(inside)
        yield Source(inside, f"{_repository(inside)}" if tags else str(inside), tags)
        return
    with _fetched(folder.as_uri(), version, storage) as (copy, tags):
        yield Source(_below(copy, below, uri), uri, tags)


def _local(address: str) -> Path:
    if address.startswith("file://"):
        address = unquote(urlsplit(address).path)
    elif "://" in address:
        raise invalid(
            f"A project is a folder or a git repository (https://, ssh://, git://, file://, git@host:path), not "
            f"{address!r}."
        )
    folder = Path(address).expanduser().resolve()
    if not folder.is_dir():
        raise invalid(f"There is no folder {folder} with a project.")
    return folder


def _below(folder: Path, below: str, uri: str) -> Path:
    if not below:
        return folder
    inside = (folder / below).resolve()
    if not inside.is_relative_to(folder.resolve()) or not inside.is_dir():
        raise invalid(f"There is no folder {below!r} in {uri.partition('#')[0]}.")
    return inside


@contextmanager
def _fetched(
    address: str, version: str | None, storage: Path | None
) -> Iterator[tuple[Path, dict[str, str]]]:
    if storage is not None:
        storage.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="stepwell-project-", dir=storage))
    try:
        branch = _fetch(folder, address, version)
        tags = {GIT_COMMIT_TAG: _git(folder, "rev-parse", "HEAD").strip()}
        tags[GIT_REPOSITORY_TAG] = without_credentials(address)
        yield folder, {**tags, **({GIT_BRANCH_TAG: branch} if branch else {})}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _fetch(folder: Path, address: str, version: str | None) -> str | None:
    """Put one state of a repository into a folder; returns the branch, if the version names one."""
    _git(folder, "init", "--quiet")
    # A server may refuse to send a commit by its number, or only a part of the history: then all of it comes.
    wanted = version or "HEAD"
    try:
        _git(folder, "fetch", "--quiet", "--depth", "1", "--", address, wanted)
        _git(folder, "checkout", "--quiet", "--detach", "FETCH_HEAD")
    except StepwellException:
        _git(folder, "fetch", "--quiet", "--tags", "--", address, "+refs/heads/*:refs/remotes/origin/*")
        try:
            _git(folder, "checkout", "--quiet", "--detach", wanted, "--")
        except StepwellException:
            raise invalid(
                f"{without_credentials(address)} has no commit, branch or tag {wanted!r}."
            ) from None
    _git(folder, "submodule", "--quiet", "update", "--init", "--recursive")
    if version is None or _COMMIT.fullmatch(version):
        return None
    return version if _git(folder, "ls-remote", "--heads", "--", address, f"refs/heads/{version}") else None


def _git(folder: Path, *arguments: str) -> str:
    try:
        answer = subprocess.run(  # noqa: S603
            ["git", *arguments],  # noqa: S607
            cwd=folder,
            env={**os.environ, **_ENVIRONMENT},
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=FETCH_TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError:
        raise StepwellException(
            "A project in a git repository needs the program git, which is not installed here.",
            "NOT_IMPLEMENTED",
        ) from None
    except subprocess.TimeoutExpired:
        raise invalid(f"git did not end within {FETCH_TIMEOUT_S:g} s.") from None
    if answer.returncode:
        said = without_credentials(" ".join(answer.stderr.split()))
        raise invalid(f"git {arguments[0]} failed: {said or answer.returncode}")
    return answer.stdout


def _state(folder: Path) -> dict[str, str]:
    """Return the commit and the repository of a folder; nothing where it is in none."""
    try:
        tags = {GIT_COMMIT_TAG: _git(folder, "rev-parse", "HEAD").strip()}
    except StepwellException:
        return {}
    with suppress(StepwellException):
        tags[GIT_REPOSITORY_TAG] = without_credentials(
            _git(folder, "config", "--get", "remote.origin.url").strip()
        )
    return tags


def _repository(folder: Path) -> str:
    """Return the name of a project in a repository on this machine, as MLflow writes it."""
    top = Path(_git(folder, "rev-parse", "--show-toplevel").strip())
    below = folder.resolve().relative_to(top.resolve()).as_posix()
    return top.as_uri() + ("" if below == "." else f"#{below}")
