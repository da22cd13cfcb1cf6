"""What scripts import as mlflow.tracking.artifact_utils."""

from stepwell.artifacts import download_artifacts
from stepwell.as_mlflow.standing_in import stand_in
from stepwell.client import StepwellClient
from stepwell.files import paths


def get_artifact_uri(run_id: str, artifact_path: str | None = None, tracking_uri: str | None = None) -> str:
    """Return the URI of an artifact of a run, whether it is there or not."""
    location = StepwellClient(tracking_uri).get_run(run_id).info.artifact_uri
    return paths.joined(location, paths.check_folder(artifact_path))


def _download_artifact_from_uri(artifact_uri: str, output_path: str | None = None) -> str:
    return download_artifacts(artifact_uri, dst_path=output_path)


stand_in(globals())
