"""The process, or processes, of a server of a model."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from stepwell.models import places
from stepwell.models.pyfunc.loading import load_model
from stepwell.serving.config import ServingConfig

# How long requests that are under way may take when the server is told to stop.
STOP_S = 30


def serve(config: ServingConfig, host: str, port: int, workers: int) -> None:
    """Serve until the process is told to stop (SIGTERM, Ctrl-C); requests that are under way are answered."""
    import uvicorn

    options: dict[str, Any] = {
        "host": host,
        "port": port,
        "log_level": "warning",
        "access_log": False,
        "http": "httptools",
        "server_header": False,
        "timeout_graceful_shutdown": STOP_S,
    }
    config.to_environment()
    if workers == 1:
        from stepwell.serving import app

        built = app.build(config)
        _tell(config, host, port)
        uvicorn.run(built, **options)
        return
    # Once here, because workers that cannot load it would be started again and again.
    load_model(config.folder)
    with _figures_of_workers():
        _tell(config, host, port)
        uvicorn.run("stepwell.serving.app:create", factory=True, workers=workers, **options)


def fetched(config: ServingConfig) -> ServingConfig:
    """Return the config with the model's files here, and with the version that they are."""
    source = places.source_of(config.model_uri)
    return replace(config, folder=str(places.local_folder(config.model_uri)), source=source)


def _tell(config: ServingConfig, host: str, port: int) -> None:
    print(f"Serving {config.source or config.model_uri} at http://{host}:{port}", flush=True)  # noqa: T201


@contextmanager
def _figures_of_workers() -> Iterator[None]:
    """Have workers leave their figures where each of them finds those of all."""
    from stepwell.serving.figures import MULTIPROCESS_VARIABLE

    with tempfile.TemporaryDirectory(prefix="stepwell-figures-") as folder:
        os.environ[MULTIPROCESS_VARIABLE] = str(Path(folder))
        yield
