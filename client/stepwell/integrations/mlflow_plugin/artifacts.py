"""MLflow's artifact repository on a Stepwell server."""

import posixpath
import tempfile
from pathlib import Path
from typing import Any

from mlflow.store.artifact.artifact_repo import ArtifactRepository

from stepwell.client import StepwellClient
from stepwell.integrations.mlflow_plugin import addresses, entities
from stepwell.integrations.mlflow_plugin.errors import in_mlflows_words


class RunArtifacts(ArtifactRepository):
    """Artifacts below a URI: of a run, of a logged model, or of all runs of a server.

    The last is `mlflow server --artifacts-destination grpc://…`.

    They travel as `stepwell.log_artifact` sends them: in parallel, resumed where they were cut, straight to and from
    a bucket where there is one, and later when the server is away.
    """

    def __init__(
        self, artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None
    ) -> None:
        super().__init__(artifact_uri)
        self.tracking_uri = tracking_uri
        self.registry_uri = registry_uri
        # What our own client calls the place of artifacts says nothing of the server.
        server = artifact_uri
        if server.startswith(addresses.OUR_ARTIFACTS):
            from mlflow import get_tracking_uri  # not there yet when mlflow loads this module

            server = tracking_uri or get_tracking_uri()
        self._client = StepwellClient(in_mlflows_words(addresses.client_uri)(server))

    @in_mlflows_words
    def log_artifact(self, local_file: str, artifact_path: str | None = None) -> None:
        """Log a local file under its name into a folder."""
        place = self._place(artifact_path)
        log = self._client.log_model_artifact if place.is_of_model else self._client.log_artifact
        log(place.run_id, local_file, place.path or None)

    @in_mlflows_words
    def log_artifacts(self, local_dir: str, artifact_path: str | None = None) -> None:
        """Log all files below a local folder into a folder."""
        place = self._place(artifact_path)
        log = self._client.log_model_artifacts if place.is_of_model else self._client.log_artifacts
        log(place.run_id, local_dir, place.path or None)

    @in_mlflows_words
    def list_artifacts(self, path: str | None = None) -> list[Any]:
        """Return what is directly in a folder; nothing for a file."""
        place = self._place(path)
        # mlflow 3 looks for models by itself, beside what a run has.
        found = self._client._list_artifacts(
            place.run_id, place.path or None, own_only=entities.KNOWS_LOGGED_MODELS
        )
        return [
            entities.file_info(info, posixpath.join(path or "", posixpath.basename(info.path)))
            for info in found
        ]

    @in_mlflows_words
    def delete_artifacts(self, artifact_path: str | None = None) -> None:
        """Remove a file, a folder, or everything, for good."""
        place = self._place(artifact_path)
        self._client.delete_artifacts(place.run_id, place.path or None)

    @in_mlflows_words
    def _download_file(self, remote_file_path: str, local_path: str) -> None:
        place = self._place(remote_file_path)
        target = Path(local_path)
        with tempfile.TemporaryDirectory(prefix=".stepwell-", dir=target.parent) as folder:
            fetch = (
                self._client.download_logged_model_artifacts
                if place.is_of_model
                else self._client.download_artifacts
            )
            Path(fetch(place.run_id, place.path, folder)).replace(target)

    def _place(self, path: str | None) -> addresses.ArtifactPlace:
        return addresses.artifact_place(self.artifact_uri, path)
