"""Going on with a run that is there: which process ends it."""

import os
import socket
from typing import TYPE_CHECKING

from stepwell.entities import LifecycleStage, Run
from stepwell.errors import StepwellException, invalid

if TYPE_CHECKING:
    from stepwell.wire.calls import Calls
    from stepwell_api.v1 import runs_pb2, writers_pb2


def resume(
    uri: str,
    spec: "runs_pb2.RunSpec",
    experiment_id: str | None,
    rank: int | None,
    *,
    may_create: bool,
    is_open: bool,
) -> tuple[Run, bool]:
    """Return the run to go on with, RUNNING again, and whether this process is the one that ends it.

    It is where it created the run, where the run had ended, and where nobody else works on it: who resumes a run
    after a crash, or starts one that a client created, ends it. `is_open` tells that another thread of this process
    has it open.

    Raises:
        StepwellException: INVALID_STATE for a deleted run; INVALID_PARAMETER_VALUE for one of another experiment;
            what the calls raise.
    """
    from stepwell.wire import messages
    from stepwell.wire.calls import Calls

    calls = Calls(uri)
    if may_create:
        run, created = calls.create_run(spec, messages.awaited_writer(rank))
    else:
        run, created = calls.get_run(spec.run_id), False
    if run.info.lifecycle_stage == LifecycleStage.DELETED:
        raise StepwellException(
            f"Run {spec.run_id} is deleted; restore it before going on with it.", "INVALID_STATE"
        )
    if experiment_id is not None and str(experiment_id) != run.info.experiment_id:
        raise invalid(
            f"Run {spec.run_id} belongs to experiment {run.info.experiment_id}, not to {experiment_id}."
        )
    if run.info.status != "RUNNING":
        run.info = calls.update_run(spec.run_id, status="RUNNING")
        return run, True
    return run, created or not (is_open or rank or _others_work_on(calls, spec.run_id, rank))


def _others_work_on(calls: "Calls", run_id: str, rank: int | None) -> bool:
    """Tell whether another process, that still lives, logs to a run; for rank 0, the other ranks do not count."""
    writers, awaited = calls.writers(run_id)
    living = [writer for writer in writers if writer.is_alive and not writer.is_silent]
    return any(
        not (rank == 0 and other.rank) and not _is_here_or_dead(other)
        for other in [*living, *([awaited] if awaited else ())]
    )


def _is_here_or_dead(other: "writers_pb2.Writer | runs_pb2.AwaitedWriter") -> bool:
    """Tell whether a process is this one, or one of this machine that is no more."""
    if other.host != socket.gethostname():
        return False
    if other.process_id == os.getpid():
        return True
    if os.name != "posix":
        return False
    try:
        os.kill(other.process_id, 0)  # a question, not a signal
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        pass  # somebody else's, or a number that somebody made up
    return False
