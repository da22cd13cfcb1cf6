"""What scripts import as mlflow.store.artifact.runs_artifact_repo: where the files of runs:/… are."""

from mlflow.tracking.artifact_utils import get_artifact_uri
from stepwell.as_mlflow.standing_in import stand_in
from stepwell.files import uris


class RunsArtifactRepository:
    """What MLflow's own documentation takes of it in order to register a model."""

    @staticmethod
    def is_runs_uri(uri: str) -> bool:
        """Tell an address of a run's files."""
        return str(uri).startswith("runs:/")

    @staticmethod
    def get_underlying_uri(runs_uri: str, tracking_uri: str | None = None) -> str:
        """Return the artifact URI behind runs:/<run id>/<path>. StepwellException: as get_run()."""
        place = uris.parse(runs_uri)
        return str(get_artifact_uri(place.run_id, place.path, tracking_uri))


stand_in(globals())
