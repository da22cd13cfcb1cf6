"""A server of a model as a child process: what scripts import as mlflow.pyfunc.backend."""

import subprocess
import sys
from typing import Any

from stepwell.errors import StepwellException

# What "local" means to `stepwell models serve`: this environment.
LOCAL = "local"


class PyFuncBackend:
    """Serves models with `stepwell models serve`."""

    def __init__(
        self,
        config: dict[str, Any] | None = None,
        env_manager: str | None = LOCAL,
        workers: int | None = 1,
        **_: Any,
    ) -> None:
        self._env_manager = env_manager or LOCAL
        self._workers = workers or 1

    def serve(
        self,
        model_uri: str,
        port: int,
        host: str,
        timeout: float | None = None,
        enable_mlserver: bool = False,
        synchronous: bool = True,
        stdout: Any = None,
        stderr: Any = None,
        **_: Any,
    ) -> "subprocess.Popen[bytes]":
        """Serve a model; returns when the server has ended, or at once with its process (`synchronous` False).

        Raises:
            StepwellException: NOT_IMPLEMENTED for MLServer; INTERNAL_ERROR when the server ended with an error.
        """
        if enable_mlserver:
            raise StepwellException(
                "Models are served by Stepwell, not by MLServer; leave it out.", "NOT_IMPLEMENTED"
            )
        command = [sys.executable, "-c", "from stepwell.cli import main; main()", "models", "serve"]
        command += [
            "--model-uri",
            str(model_uri),
            "--host",
            str(host),
            "--port",
            str(port),
            "--workers",
            str(self._workers),
        ]
        command += ["--env-manager", self._env_manager]
        if timeout is not None:
            command += ["--timeout", str(timeout)]
        process = subprocess.Popen(command, stdout=stdout, stderr=stderr)  # noqa: S603 - our own command
        if synchronous and process.wait() != 0:
            raise StepwellException(
                f"The server of {model_uri} ended with {process.returncode}.", "INTERNAL_ERROR"
            )
        return process
