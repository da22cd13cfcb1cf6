"""The log calls of MLflow to one server: in the spool when they return, and delivered from there."""

from collections.abc import Sequence
from logging import getLogger
from typing import TYPE_CHECKING, Any

from stepwell import values
from stepwell.client import StepwellClient
from stepwell.delivery import offline, record
from stepwell.delivery.receipts import Receipt
from stepwell.delivery.writer import RunWriter, writer_for
from stepwell.entities import LifecycleStage, Run, RunStatus
from stepwell.errors import StepwellException, invalid

if TYPE_CHECKING:
    from stepwell_api.v1 import runs_pb2

# Runs that a process logs to at once, each with an open stream. A server of MLflow's logs to many; beyond, the one that
# came first rests, and begins again when it is logged to.
RUNS_OPEN_MAX = 1_000

_log = getLogger("stepwell")


class RunLogs:
    """Writers to the runs that this process logs to. Any thread may log."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        # By run id as MLflow gives it. The run of a writer in here was there when it was first logged to.
        self.writers: dict[str, RunWriter] = {}
        # The same runs as they were then, for when the server is away.
        self._runs: dict[str, Run] = {}

    def log_batch(
        self, run_id: str, metrics: Sequence[Any], params: Sequence[Any], tags: Sequence[Any]
    ) -> None:
        """Log any number of points, params and tags; nothing is logged when one of them is bad.

        Raises:
            StepwellException: INVALID_PARAMETER_VALUE for a bad value, a changed param or a deleted run;
                RESOURCE_DOES_NOT_EXIST.
        """
        record.log_batch(self.writer(run_id), metrics, params, tags)

    def writer(self, run_id: str) -> RunWriter:
        """Return the writer to a run. The first time, the server is asked for the run, if it is there."""
        writer = self.writers.get(run_id)
        if writer is None:
            writer = writer_for(self.uri, values.to_run_id(run_id))
            found = offline.unless_offline(self.uri, lambda: StepwellClient(self.uri).get_run(run_id))
            if found is not None:
                _check_active(found)
                writer.know_params(found.data.params)
                self._runs[run_id] = found
            self._keep(run_id, writer)
        return writer

    def create(self, spec: "runs_pb2.RunSpec") -> Run:
        """Create a run; when the server is away, what is logged creates it later."""
        # gRPC is imported with the first call and not with mlflow, which loads its plugins wherever they are installed.
        from stepwell.wire import messages
        from stepwell.wire.calls import Calls

        writer = writer_for(self.uri, spec.run_id, spec)

        def later() -> Run:
            # Only the spool knows of the run.
            writer.log()
            return messages.run_of_spec(spec)

        run = offline.now_or_later(self.uri, lambda: Calls(self.uri).create_run(spec)[0], later)
        self._runs[spec.run_id] = run
        self._keep(spec.run_id, writer)
        return run

    def as_it_began(self, run_id: str) -> Run | None:
        """Return a run that this process logs to as it was when it began to; None for others."""
        return self._runs.get(run_id)

    def forget(self, run_id: str) -> None:
        """Log no more to a run, so that it is looked at again when it is logged to."""
        self._runs.pop(run_id, None)
        writer = self.writers.pop(run_id, None)
        if writer is not None:
            writer.rest()

    def is_open(self, run_id: str) -> bool:
        """Tell whether this process logs to a run."""
        return run_id in self.writers

    def end(self, run_id: str, status: str, end_time_ms: int | None) -> Receipt:
        """Log how a run ends and deliver everything before it; waits as `stepwell.end_run` does."""
        writer = self.writers[run_id]
        writer.log_status(RunStatus.from_string(status), end_time_ms or record.now_ms())
        receipt = writer.flush()
        folder = log.folder if (log := writer.current_log) is not None else None
        writer.rest()
        if receipt.waiting and folder is not None:
            _log.warning(
                "%d entries of run %s wait in %s. They are delivered by the next process that starts here, or by "
                "'stepwell sync %s'.",
                *(receipt.waiting, run_id, folder, folder.parent),
            )
        return receipt

    def flush(self, timeout_s: float) -> Receipt:
        """Wait until all that this process logged is committed or refused."""
        return StepwellClient(self.uri).flush(timeout_s)

    def _keep(self, run_id: str, writer: RunWriter) -> None:
        while len(self.writers) >= RUNS_OPEN_MAX:
            self.forget(next(iter(self.writers)))
        self.writers[run_id] = writer


class Operation:
    """What MLflow waits for after a log call with synchronous=False: in the spool already, committed after result().

    It asks nothing of the server before somebody waits, so that a loop that never does is as fast as any.
    """

    def __init__(self, writer: RunWriter, keys: frozenset[str]) -> None:
        self._writer = writer
        self._keys = keys

    def result(self, timeout: float | None = None) -> None:
        """Return when it is committed; raises StepwellException when it was refused, or the time (seconds) is up."""
        receipt = self._writer.flush(timeout)
        for rejection in receipt.rejections:
            if rejection.key in self._keys or not rejection.key:
                raise StepwellException(rejection.reason, rejection.error_code)
        if receipt.waiting:
            raise StepwellException(
                f"The server has not committed {', '.join(sorted(self._keys))} yet; it stays in the spool and on its "
                "way.",
                "TEMPORARILY_UNAVAILABLE",
            )


def _check_active(run: Run) -> None:
    if run.info.lifecycle_stage == LifecycleStage.DELETED:
        raise invalid(
            f"The run {run.info.run_id} must be in the 'active' state. Current state is deleted; restore it first."
        )
