"""What a server of a model is told, once, at its start."""

import json
import os
from dataclasses import asdict, dataclass

# From the process that starts workers to the workers.
VARIABLE = "STEPWELL_SERVING"

TIMEOUT_S_DEFAULT = 60.0
# As of most proxies: larger ones are refused with 413 before they are read.
BODY_BYTES_MAX_DEFAULT = 64 * 2**20
# That wait or run in one worker; more are refused with 503, so that those before them are answered in time.
REQUESTS_MAX_DEFAULT = 256
# Threads of one worker that predict.
THREADS_DEFAULT = 4
# Between two looks for the next version.
RELOAD_INTERVAL_S_DEFAULT = 5.0


@dataclass(frozen=True, slots=True)
class ServingConfig:
    """One server.

    model_uri: what was asked for; `folder` where its files are, `source` which version that was.
    timeout_s: of one request, in seconds; then 504.
    body_bytes_max, requests_max, threads: limits of a worker.
    reload_interval_s: seconds between two looks for another version; 0 for none.
    """

    model_uri: str
    folder: str
    source: str = ""
    timeout_s: float = TIMEOUT_S_DEFAULT
    body_bytes_max: int = BODY_BYTES_MAX_DEFAULT
    requests_max: int = REQUESTS_MAX_DEFAULT
    threads: int = THREADS_DEFAULT
    reload_interval_s: float = 0.0

    def to_environment(self) -> None:
        """Leave it to the workers."""
        os.environ[VARIABLE] = json.dumps(asdict(self))

    @classmethod
    def from_environment(cls) -> "ServingConfig":
        """Return what the process that started this one left."""
        return cls(**json.loads(os.environ[VARIABLE]))
