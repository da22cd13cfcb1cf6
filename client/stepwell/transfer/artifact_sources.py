"""Artifacts of sources: a folder on this machine, or MLflow's server."""

import tempfile
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from stepwell.files import paths
from stepwell.files.local import LocalFile
from stepwell.transfer.sources import ArtifactFiles, ArtifactsOutOfReachError, no_artifacts

# Files that are fetched before they are sent on.
FETCHED_FILES = 64


def folder_artifacts(folder: Path) -> ArtifactFiles:
    """Artifacts that lie in a folder; none when it does not exist."""

    def files(_: Mapping[str, int]) -> Iterator[Sequence[LocalFile]]:
        if folder.is_dir():
            yield [LocalFile(path, file) for path, file in paths.files_below(folder)]

    return files


def mlflow_uri_artifacts(uri: str, base: Path, served: Path | None) -> ArtifactFiles:
    """Artifacts at an artifact URI of MLflow.

    Args:
        uri: of the run's artifacts: a path, file:..., mlflow-artifacts:..., or a place in a cloud.
        base: where relative paths begin.
        served: the folder from which MLflow's server serves mlflow-artifacts:/, where it is known.
    """
    if not uri:
        return no_artifacts
    parts = urllib.parse.urlsplit(uri)
    if parts.scheme in ("", "file"):
        return folder_artifacts(base / urllib.parse.unquote(parts.path) if parts.scheme else base / uri)
    if parts.scheme == "mlflow-artifacts" and served is not None:
        return folder_artifacts(served / parts.path.lstrip("/"))

    def files(_: Mapping[str, int]) -> Iterator[Sequence[LocalFile]]:
        raise ArtifactsOutOfReachError(
            f"the artifacts are at {uri}; import from MLflow's server, or name the folder behind it with --artifacts"
        )

    return files


class ServerArtifacts:
    """Artifacts of a run of MLflow's server, fetched through it wherever they are. Use as `ArtifactFiles`.

    The server says no checksums, so a file that is here with the same size is taken for the same.

    Args:
        listed: asks artifacts/list with these parameters.
        fetched: writes the artifact of a path to a file.
    """

    def __init__(
        self,
        run_id: str,
        listed: Callable[[Mapping[str, str]], Mapping[str, Any]],
        fetched: Callable[[str, Path], None],
    ) -> None:
        self._run_id = run_id
        self._listed = listed
        self._fetched = fetched

    def __call__(self, known: Mapping[str, int]) -> Iterator[Sequence[LocalFile]]:
        """See `ArtifactFiles`."""
        wanted = [path for path, size in self._files("") if known.get(path) != size]
        for start in range(0, len(wanted), FETCHED_FILES):
            with tempfile.TemporaryDirectory(prefix="stepwell-") as folder:
                files = []
                for number, path in enumerate(wanted[start : start + FETCHED_FILES]):
                    place = Path(folder) / str(number)
                    self._fetched(path, place)
                    files.append(LocalFile(path, place))
                yield files

    def _files(self, folder: str) -> Iterator[tuple[str, int]]:
        token = ""
        while True:
            request = {"run_id": self._run_id, "path": folder, "page_token": token}
            answer = self._listed({name: value for name, value in request.items() if value})
            for file in answer.get("files", ()):
                if file.get("is_dir"):
                    yield from self._files(file["path"])
                else:
                    yield file["path"], int(file.get("file_size", 0))
            token = answer.get("next_page_token", "")
            if not token:
                return
