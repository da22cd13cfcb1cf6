"""Artifacts of sources: a folder on this machine, or MLflow's server."""

import os
import tempfile
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from stepwell.errors import StepwellException
from stepwell.files import paths
from stepwell.files.local import LocalFile
from stepwell.transfer.left import Left
from stepwell.transfer.mlflow.calls import ODD_ANSWER
from stepwell.transfer.reach import Reach, is_folder
from stepwell.transfer.sources import ArtifactFiles, SourceError, no_artifacts

# Files of a folder that go on together, and files of a run: links to folders that have links can show a few as many.
FILES_AT_ONCE = 1_000
FILES_MAX = 1_000_000
# Files that are fetched before they are sent on.
FETCHED_FILES = 64


class ServedArtifacts(Protocol):
    """A server that serves artifacts, which the user has named."""

    def path_of(self, uri: str) -> str | None:
        """Return where on the server the artifacts of a URI are; None when they are elsewhere."""
        ...

    def files(self, path: str, whose: str, left: Left) -> ArtifactFiles:
        """Return the artifacts below a path."""
        ...


def folder_artifacts(folder: Path, reach: Reach, left: Left, whose: str) -> ArtifactFiles:
    """Artifacts that lie in a folder; none when it does not exist. What cannot be one goes to `left`.

    `whose` says in the reasons which run it is about.
    """

    def leave_out(failure: StepwellException) -> None:
        if isinstance(failure, paths.LinkOutsideError):
            left.add(
                f"{whose}: a symbolic link leads outside of what is imported, to {failure.target}; if that may be read:"
                f" --allow-outside {failure.target}"
            )
        else:
            left.add(f"{whose}: {failure.message}")

    def files(_: Mapping[str, int]) -> Iterator[Sequence[LocalFile]]:
        if not os.path.lexists(folder):
            return
        reach.check(folder)
        found = (LocalFile(path, file) for path, file in paths.files_below(folder, leave_out, reach.roots))
        for _start in range(0, FILES_MAX, FILES_AT_ONCE):
            some = list(islice(found, FILES_AT_ONCE))
            if not some:
                return
            yield some
        if next(found, None) is not None:
            left.add(
                f"{whose}: {folder} has more than {FILES_MAX:,} files, perhaps by links in a circle; the rest"
            )

    return files


def mlflow_uri_artifacts(
    uri: str, base: Path, served: "Path | ServedArtifacts | None", reach: Reach, left: Left, whose: str
) -> ArtifactFiles:
    """Artifacts at an artifact URI of MLflow.

    Args:
        uri: of the run's artifacts: a path, file:..., mlflow-artifacts:..., or a place in a cloud.
        base: where relative paths begin.
        served: what is behind mlflow-artifacts:/, where it is known: a folder, or a server.
        reach: what may be read.
        left: is told of single files that cannot come.
        whose: says there which run it is about.
    """
    if not uri:
        return no_artifacts
    if served is not None and not isinstance(served, Path):
        path = served.path_of(uri)
        if path is not None:
            return served.files(path, whose, left)
        served = None
    place = local_place(uri, base, served)
    if place is None:
        return _failing(
            f"the artifacts are at {uri}; import from MLflow's server, or name the folder behind it, or the server "
            "that serves them (https://host:port), with --artifacts"
        )
    if is_folder(place):
        return folder_artifacts(place, reach, left, whose)
    # MLflow makes the folder with the first artifact. The run, its experiment, the store: one has to be there.
    if any(is_folder(around) for around in list(place.parents)[:3]):
        return no_artifacts
    return _failing(f"the artifacts are at {uri}, and there is no folder {place} here")


def local_place(uri: str, base: Path, served: Path | None) -> Path | None:
    """Return the folder on this machine that an artifact URI means; None when it is elsewhere."""
    parts = urllib.parse.urlsplit(uri)
    if not parts.scheme:
        return base / uri
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return base / urllib.parse.unquote(parts.path)
    if parts.scheme == "mlflow-artifacts" and served is not None:
        return served / urllib.parse.unquote(parts.path).lstrip("/")
    return None


def _failing(reason: str) -> ArtifactFiles:
    def files(_: Mapping[str, int]) -> Iterator[Sequence[LocalFile]]:
        raise SourceError(reason)

    return files


class ServerArtifacts:
    """Artifacts of a run on MLflow's server, fetched through it wherever they are. Use as `ArtifactFiles`.

    The server says no checksums, so a file that is here with the same size is taken for the same.

    Args:
        whose: says in the reasons which run it is about.
        listed: lists the folder `path`, from `page_token` on, as artifacts/list answers.
        fetched: writes the artifact of a path to a file.
        left: is told of files that cannot come.
    """

    def __init__(
        self,
        whose: str,
        listed: Callable[[Mapping[str, str]], Mapping[str, Any]],
        fetched: Callable[[str, Path], None],
        left: Left,
    ) -> None:
        self._whose = whose
        self._listed = listed
        self._fetched = fetched
        self._left = left

    def __call__(self, known: Mapping[str, int]) -> Iterator[Sequence[LocalFile]]:
        """See `ArtifactFiles`."""
        wanted = (path for path, size in self._files("") if known.get(path) != size)
        while some := list(islice(wanted, FETCHED_FILES)):
            with tempfile.TemporaryDirectory(prefix="stepwell-") as folder:
                yield [
                    file
                    for number, path in enumerate(some)
                    for file in self._file(path, Path(folder) / str(number))
                ]

    def _file(self, path: str, place: Path) -> Iterator[LocalFile]:
        try:
            paths.check_path(path)
            self._fetched(path, place)
        except StepwellException as failure:
            self._left.add(f"{self._whose}: {failure.message}")
        except SourceError as failure:
            self._left.add(f"{self._whose}, artifact {path!r}: {failure}")
        else:
            yield LocalFile(path, place)

    def _files(self, folder: str) -> Iterator[tuple[str, int]]:
        token = ""
        while True:
            request = {"path": folder, "page_token": token}
            try:
                answer = self._listed({name: value for name, value in request.items() if value})
                files = [_listed_file(file) for file in answer.get("files", ())]
                last, token = token, str(answer.get("next_page_token", ""))
            except (SourceError, *ODD_ANSWER) as failure:
                self._left.add(f"{self._whose}, artifacts in {folder or 'its root'!r}: {failure}")
                return
            for path, size in files:
                if size is not None:
                    yield path, size
                elif len(path) > paths.PATH_BYTES_MAX:
                    self._left.add(f"{self._whose}, artifacts in {path[:60]!r}...: its name is too long")
                elif path.startswith(f"{folder}/" if folder else "") and len(path) > len(folder):
                    yield from self._files(path)  # a folder below this one, and not in a circle
            if token in ("", last):
                return


def _listed_file(found: Any) -> tuple[str, int | None]:
    """Path and size of what a server lists; a folder has no size."""
    return str(found["path"]), None if found.get("is_dir") else int(found.get("file_size", 0))
