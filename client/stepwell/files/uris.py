"""URIs of artifacts: which run, and which path in it.

runs:/<run id>/<path>                              a run on the tracking server
runs://<host:port>/<run id>/<path>                 a run on another server
<artifact URI of a run or model>/<path>            as get_artifact_uri(), RunInfo.artifact_uri and
LoggedModel.artifact_location give it: stepwell-artifacts:/…, mlflow-artifacts:/…, s3://…, gs://…, az://… or file:///…

What models:/… means is in logged_models/uris.py.
"""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from stepwell import settings, values
from stepwell.addresses import DEFAULT_PORTS
from stepwell.errors import invalid
from stepwell.files import paths

_OWNER_PART = re.compile(r"/(?P<owner>(?:m-)?[0-9a-f]{32})/artifacts(?:/(?P<path>.*))?$")
# Where a server may keep artifacts, beside folders.
BUCKET_SCHEMES = ("s3", "gs", "az", "wasb", "wasbs", "abfs", "abfss")
_LOCATIONS = ("stepwell-artifacts", "mlflow-artifacts", "file", "sftp", *BUCKET_SCHEMES)


@dataclass(frozen=True, slots=True)
class ArtifactPlace:
    """A file or folder of a run, or of a logged model, whose id `run_id` is then.

    `path` is "" for all of it, `tracking_uri` None for the usual server.
    """

    run_id: str
    path: str
    tracking_uri: str | None = None


def parse(uri: object) -> ArtifactPlace:
    """Take a URI apart.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE when it names no artifacts of a run.
    """
    text = str(uri)
    scheme = urlsplit(text).scheme
    if scheme == "runs":
        return _of_run(text)
    found = _OWNER_PART.search(text) if scheme in _LOCATIONS else None
    if found is None:
        served = ", ".join(["http", "https", "sftp", *BUCKET_SCHEMES])
        kind = f" ({scheme}: is not served; {served} are)" if scheme and scheme not in _LOCATIONS else ""
        raise invalid(
            f"{text!r} names no artifact of a run{kind}: use "
            "runs:/<run id>/<path>, or what get_artifact_uri() returned."
        )
    return ArtifactPlace(found["owner"], paths.check_folder(_without_slash(found["path"])))


def is_of_server(uri: str) -> bool:
    """Tell whether a URI has the form of artifacts of a run or a logged model, wherever they lie."""
    return _OWNER_PART.search(uri) is not None


def _of_run(uri: str) -> ArtifactPlace:
    parts = urlsplit(uri)
    # Not parts.path: a path may have "?" and "#" in it.
    rest = uri.split(":", 1)[1].removeprefix(f"//{parts.netloc}").lstrip("/")
    run_id, _, path = rest.partition("/")
    server = _server(parts.netloc) if parts.netloc else None
    return ArtifactPlace(values.to_run_id(run_id), paths.check_folder(_without_slash(path)), server)


def _server(netloc: str) -> str:
    """Return the tracking URI of a server that is named by host and port alone."""
    current = settings.tracking_uri()
    if urlsplit(current).netloc == netloc:
        return current
    scheme = "grpc" if netloc.endswith(f":{DEFAULT_PORTS['grpc']}") else "http"
    return f"{scheme}{'s' if settings.parse_uri(current).secure else ''}://{netloc}"


def _without_slash(path: str | None) -> str:
    return (path or "").removesuffix("/")
