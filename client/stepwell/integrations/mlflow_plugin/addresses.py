"""The URIs that MLflow's users write, and those of artifacts.

grpc://HOST:PORT, grpcs://HOST:PORT            the server's gRPC address
stepwell://HOST:PORT, stepwells://HOST:PORT    the server's one address, http:// or https:// for our own client: for
                                               MLflow these two mean REST
<tracking URI>/<run id>/artifacts/<path>       an artifact
<tracking URI>/models/m-<id>/artifacts/<path>  a file of a logged model
stepwell-artifacts:/…/<run id>/artifacts/<path>  the same on the server of the tracking URI, as our own client writes it
"""

import posixpath
import re
from dataclasses import dataclass

from stepwell import settings
from stepwell.errors import invalid
from stepwell.files import paths

OUR_ARTIFACTS = "stepwell-artifacts:"
_CLIENT_SCHEMES = {"stepwell": "http", "stepwells": "https"}
SCHEMES = ("grpc", "grpcs", *_CLIENT_SCHEMES)
# What MLflow puts behind it for a run's artifacts: <experiment id>/<run id>/artifacts, or ours without the first part.
_BELOW_SERVER = re.compile(r"(/\d+)?/(models/m-)?[0-9a-f]{32}/artifacts(/.*)?$")
_RUN_PART = re.compile(r"/(?:models/)?(?P<run_id>(?:m-)?[0-9a-f]{32})/artifacts(?:/(?P<path>.*))?$")


@dataclass(frozen=True, slots=True)
class ArtifactPlace:
    """A file or folder of a run, or of a logged model, whose id is m-…; `path` is "" for all of it."""

    run_id: str
    path: str

    @property
    def is_of_model(self) -> bool:
        """Whether it is a logged model's."""
        return self.run_id.startswith("m-")


def client_uri(uri: str) -> str:
    """Return the tracking URI of our client for a URI that MLflow was given, an artifact's as well.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE when it names no server.
    """
    scheme, _, rest = _BELOW_SERVER.sub("", uri).partition("://")
    server = f"{_CLIENT_SCHEMES.get(scheme, scheme)}://{rest}"
    if scheme not in SCHEMES or not rest:
        raise invalid(f"{uri!r} names no Stepwell server. Use grpc://HOST:PORT or stepwell://HOST:PORT.")
    settings.parse_uri(server)
    return server.rstrip("/")


def artifact_uri(tracking_uri: str, run_id: str) -> str:
    """Return where a run's artifacts are, for MLflow: an address that says the server as well."""
    return f"{tracking_uri.rstrip('/')}/{run_id}/artifacts"


def model_uri(tracking_uri: str, model_id: str) -> str:
    """Return where a logged model's files are, for MLflow."""
    return f"{tracking_uri.rstrip('/')}/models/{model_id}/artifacts"


def artifact_place(uri: str, path: str | None) -> ArtifactPlace:
    """Return which run and which path in it a path below an artifact URI means.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE when no run is named, or the path leads out of it.
    """
    whole = posixpath.join(uri, path) if path else uri
    found = _RUN_PART.search(whole)
    if found is None:
        raise invalid(f"{whole!r} names no artifact of a run: <tracking URI>/<run id>/artifacts/<path>.")
    return ArtifactPlace(found["run_id"], paths.check_folder((found["path"] or "").rstrip("/")))
