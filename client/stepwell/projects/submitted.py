"""A project's run that was started: waiting for it, stopping it, and how it went."""

import contextvars
import threading
from contextlib import ExitStack
from logging import getLogger
from pathlib import Path

from stepwell.client import StepwellClient
from stepwell.errors import StepwellException
from stepwell.projects.child import Child
from stepwell.runs.active import ActiveRun, end_run

OUTPUT_FILE = "output.log"
WAIT_SLICE_S = 0.5

_log = getLogger("stepwell")


class ExecutionException(StepwellException):
    """Raised when the command of a project fails."""


class SubmittedRun:
    """A run of a project, in a process of its own; a thread of this one follows it to its end."""

    def __init__(
        self,
        run: ActiveRun,
        context: contextvars.Context,
        child: Child,
        output: Path | None,
        resources: ExitStack,
    ) -> None:
        """Follow a child.

        Args:
            run: the run, active in `context`.
            context: where it is active.
            child: the process.
            output: the file of what it prints.
            resources: what is given back when it has ended.
        """
        self._run = run
        self._context = context
        self._child = child
        self._output = output
        self._resources = resources
        self._status = "RUNNING"
        self._stopped = False
        self._code: int | None = None
        self._ended = threading.Event()
        # No daemon: a script that starts a project and ends has not ended before the project has.
        threading.Thread(target=self._follow, name=f"stepwell-project-{self.run_id[:8]}").start()

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self._run.info.run_id

    @property
    def command_proc(self) -> int:
        """The number of the process."""
        return self._child.process_id

    @property
    def exit_code(self) -> int | None:
        """How the command ended, below 0 for a signal; None while it runs."""
        return self._code

    def wait(self) -> bool:
        """Wait for its end and tell whether it went well."""
        # In slices, so that Ctrl-C is heard; and not by `join`, which takes a thread for ended when it is interrupted.
        while not self._ended.wait(WAIT_SLICE_S):
            pass
        return self._status == "FINISHED"

    def get_status(self) -> str:
        """Return RUNNING, FINISHED, FAILED or KILLED."""
        return self._status

    def cancel(self) -> None:
        """Stop the command and all that it started, and wait for the end; a run that had not ended is KILLED."""
        if self._ended.is_set():
            return  # its number may be that of another process by now
        self._stopped = True
        self._child.stop()
        self.wait()

    def _follow(self) -> None:
        try:
            with self._resources:
                self._code = self._child.wait()
                status = (
                    "KILLED" if self._stopped or self._code < 0 else "FAILED" if self._code else "FINISHED"
                )
                self._context.run(self._end, status)
                self._status = status
        finally:
            self._ended.set()

    def _end(self, status: str) -> None:
        if self._output is not None and self._output.stat().st_size:
            try:
                StepwellClient().log_artifact(self.run_id, str(self._output))
            except StepwellException as failure:
                _log.warning("The output of run %s could not be kept: %s", self.run_id, failure.message)
        end_run(status)
