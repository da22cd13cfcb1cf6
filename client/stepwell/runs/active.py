"""The runs that are open here: which one is active, how runs begin, how they end.

Each thread and each asyncio task has its own active run, with the runs around it. A task begins with the active run of
the code that made it; a thread begins with none, as in MLflow.
"""

import sys
from collections.abc import Mapping
from contextlib import suppress
from contextvars import ContextVar
from logging import getLogger
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from stepwell import beside, settings, values
from stepwell.delivery import logs, offline
from stepwell.delivery.receipts import Receipt
from stepwell.delivery.record import now_ms, set_tags
from stepwell.delivery.writer import RunWriter, retire, writer_for
from stepwell.entities import (
    NOTE_TAG,
    PARENT_RUN_TAG,
    LifecycleStage,
    Run,
    RunStatus,
)
from stepwell.errors import StepwellException, invalid, short
from stepwell.runs import console, joining, known_experiments, new, signals, system_metrics
from stepwell.runs.console import ConsoleCapture
from stepwell.runs.system_metrics import SystemMonitor
from stepwell.spool import room

if TYPE_CHECKING:
    from stepwell.delivery.writer_log import WriterLog
    from stepwell_api.v1 import runs_pb2

_log = getLogger("stepwell")


class ActiveRun(Run):
    """A run that was started here. As a context manager it ends the run: FAILED after an exception, else FINISHED.

    `info` and `data` are what they were when it started; get_run() reads them anew.
    """

    def __init__(self, run: Run, writer: RunWriter, enclosing: "ActiveRun | None", *, owned: bool) -> None:
        super().__init__(run.info, run.data, run.inputs, run.outputs)
        self.writer = writer
        self.enclosing = enclosing
        # False where this process joined a run that was under way: leaving it does not end it for the others.
        self.owned = owned
        self.ended = False
        self.monitor: SystemMonitor | None = None
        self.console: ConsoleCapture | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self.ended:
            _end_with_inner(self, "FINISHED" if error is None or _is_success(error) else "FAILED")


# The innermost run; the others hang on it by `enclosing`. A value of its own per thread and task.
current: ContextVar[ActiveRun | None] = ContextVar("stepwell_active_run", default=None)
_last_run_id: ContextVar[str | None] = ContextVar("stepwell_last_run_id", default=None)
# All runs of the process that have not ended, by identity, oldest first: the end of the process has no context.
_open: dict[int, ActiveRun] = {}
# Spools of which was said that they wait.
_told_waiting: list[Path] = []


def active_run() -> ActiveRun | None:
    """Return the active run of this thread or task; None if there is none."""
    run = current.get()
    while run is not None and run.ended:
        # Another task or thread has ended it.
        run = run.enclosing
    return run


def last_run_id() -> str | None:
    """Return the id of the run that was started last in this thread or task, ended or not."""
    return _last_run_id.get()


@short
def start_run(
    run_id: str | None = None,
    experiment_id: str | None = None,
    run_name: str | None = None,
    nested: bool = False,
    parent_run_id: str | None = None,
    tags: dict[str, Any] | None = None,
    description: str | None = None,
    log_system_metrics: bool | None = None,
    resume_from_step: int | None = None,
    rank: int | None = None,
    log_console: bool | None = None,
) -> ActiveRun:
    """Start a run, or go on with an old one, and make it the active run.

    Args:
        run_id: the run to go on with: it is RUNNING again. The default is STEPWELL_RUN_ID, for the first run of the
            process that names none and is neither inside another nor a child of just that run. If others work on it
            (ranks of a job, another thread) this process joins: leaving it does not end it, only end_run() does.
            With STEPWELL_RUN_ID or a rank, the first process to come creates it.
        experiment_id: where a new run goes; the default is that of set_experiment, then STEPWELL_EXPERIMENT_NAME and
            STEPWELL_EXPERIMENT_ID, then "0".
        run_name: for a new run; made up if not given.
        nested: whether the run may start inside another.
        parent_run_id: the run around this one; the default is the active run.
        tags: first tags of a new run, or more tags of an old one.
        description: a longer text, kept as the tag mlflow.note.content.
        log_system_metrics: whether to log system metrics (docs/system-metrics.md); the default is what
            enable_system_metrics_logging() and the environment say.
        resume_from_step: with `run_id`, for a job that goes on from a checkpoint: hides the points with this step or
            a later one that earlier attempts logged, `StepwellClient.undo_resume` shows them again. In a distributed
            job one process gives it, before the others start.
        rank: number of this process in a distributed job, from 0; the default is STEPWELL_RANK, RANK, SLURM_PROCID or
            OMPI_COMM_WORLD_RANK.
        log_console: whether to log what this process writes to sys.stdout and sys.stderr (docs/console.md); the
            default is what STEPWELL_LOG_CONSOLE says, which is not to.

    Raises:
        StepwellException: INVALID_STATE when a run is active and `nested` is not given, or the run or experiment is
            deleted; RESOURCE_DOES_NOT_EXIST; INVALID_PARAMETER_VALUE; TEMPORARILY_UNAVAILABLE when the server cannot
            be reached and STEPWELL_ON_UNREACHABLE=raise.
    """
    captures = console.is_wanted(log_console)
    enclosing = _enclosing_run(nested, parent_run_id)
    own_tags = values.to_run_tags({**(tags or {}), **({NOTE_TAG: description} if description else {})})
    rank = settings.rank() if rank is None else rank
    uri = settings.tracking_uri()
    given_id = _run_id_of_environment(parent_run_id) if run_id is None and enclosing is None else None
    parent = parent_run_id or (enclosing.info.run_id if enclosing else None)
    old_run_id = run_id or given_id
    if resume_from_step is not None and not old_run_id:
        raise invalid("resume_from_step needs the run to go on with; give run_id as well.")
    if old_run_id is None:
        spec = _spec(uri, new.new_run_id(), experiment_id, run_name, parent, own_tags)
        run, owned = _create(uri, spec, rank), True
    else:
        spec = _spec(uri, values.to_run_id(old_run_id), experiment_id, run_name, parent, own_tags)
        wanted = experiment_id if given_id is None else None
        run, owned = _resume(uri, spec, wanted, rank, may_create=given_id is not None or rank is not None)
        _check_identity(run, run_name, parent_run_id)
        _tell_experiment(run, experiment_id)
    if resume_from_step is not None:
        _rewind(uri, run, values.to_step(run.info.run_id, resume_from_step, "Run"))
    writer = writer_for(uri, spec.run_id, spec, rank)
    _begin_log(writer, owned=owned)
    if old_run_id is not None:
        set_tags(writer, own_tags)
        run.data.tags.update(own_tags)
    active = _activate(ActiveRun(run, writer, enclosing, owned=owned))
    return _observed(active, log_system_metrics, captures=captures)


def start_soon(tags: dict[str, Any]) -> ActiveRun:
    """Start a run like start_run(), for a call that may be over in a moment: nothing is waited for.

    Its delivery begins when the first of it is due, or somebody waits for it. The server is asked first where it has
    not taken a run of the experiment a moment ago.
    """
    uri = settings.tracking_uri()
    if active_run() is not None or settings.run_id() is not None or settings.rank() is not None:
        return start_run(tags=tags)
    captures = console.is_wanted(None)
    spec = _spec(uri, new.new_run_id(), None, None, None, values.to_run_tags(tags))
    run = known_experiments.run_of(uri, spec) or _create(uri, spec, None)
    writer = writer_for(uri, spec.run_id, spec)
    _begin_log(writer, owned=True, is_hasty=False)
    return _observed(_activate(ActiveRun(run, writer, None, owned=True)), None, captures=captures)


@short
def end_run(status: str = "FINISHED") -> Receipt | None:
    """End the active run and wait until the server has all of it, at most STEPWELL_FLUSH_TIMEOUT_S.

    A server that is away is waited for until it has been away for 5 s; what waits then stays in the spool.

    Returns:
        What became of all that this process logged to it; None if no run is active.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE for a status that there is not.
    """
    run = active_run()
    return _end(run, status) if run is not None else None


def end_later(run: ActiveRun, status: str, end_time_ms: int) -> None:
    """End a run that `set_aside` left open, in the thread that does what was left for later."""
    _end(run, status, end_time_ms)


def set_aside(run: ActiveRun) -> None:
    """Let a run be active no more for the caller. It stays open until somebody ends it, or the process ends."""
    current.set(run.enclosing)


def end_open_runs(status: str) -> None:
    """Log the end of all open runs, inner ones first, without waiting."""
    while _open:
        key, run = next(reversed(_open.items()))
        run.ended = True
        _stop_monitor(run)
        _stop_console(run)
        if run.owned:
            _log_end(run, RunStatus.from_string(status))
        _open.pop(key, None)  # not before: a SIGTERM that comes meanwhile ends what it finds here
        run.writer.rest()


def forget_open_runs() -> None:
    """Leave the open runs to the process that started them: this one is its fork."""
    _open.clear()


def told_what_waits() -> bool:
    """Tell whether of every log that is not delivered it was said already where it waits."""
    return all(log.folder in _told_waiting for log in logs.open_logs())


def choose_experiment(experiment_id: str, name: str | None = None) -> None:
    """Let new runs go to this experiment, here and in processes that are started from here; the name goes first."""
    settings.set_experiment(experiment_id, name)


def _enclosing_run(nested: bool, parent_run_id: str | None) -> ActiveRun | None:
    """Return the run that a new one starts inside of, if it may; None if there is none.

    A process that was forked inside of a run has not started that one, and may start others beside it.
    """
    enclosing = active_run()
    if enclosing is None or (not nested and id(enclosing) not in _open):
        return None
    active_id = enclosing.info.run_id
    if not nested:
        raise StepwellException(
            f"Run {active_id} is active already. End it first with end_run(), or start this one inside it with "
            "start_run(nested=True).",
            "INVALID_STATE",
        )
    if parent_run_id is not None and values.to_run_id(parent_run_id) != active_id:
        raise invalid(
            f"parent_run_id is {parent_run_id}, but the active run is {active_id}. Leave parent_run_id out, or end "
            "the active run first."
        )
    return enclosing


def _run_id_of_environment(parent_run_id: str | None) -> str | None:
    """Return the run that the environment says to go on with; not where it names the parent of the new one."""
    known = settings.run_id()
    if known is None or (
        parent_run_id is not None and values.to_run_id(known) == values.to_run_id(parent_run_id)
    ):
        return None
    return settings.take_run_id()


def _check_identity(run: Run, run_name: str | None, parent_run_id: str | None) -> None:
    """Refuse to go on with a run as the child of one that is not its parent; say that a run keeps its name."""
    run_id, parent = run.info.run_id, run.data.tags.get(PARENT_RUN_TAG)
    if parent_run_id is not None and parent != values.to_run_id(parent_run_id):
        raise invalid(
            f"Run {run_id} {f'is a child of {parent}' if parent else 'has no parent'}; it cannot go on as one of "
            f"{parent_run_id}. Leave parent_run_id out, or start another run (is STEPWELL_RUN_ID set?)."
        )
    if run_name and run.info.run_name != run_name:
        _log.warning("Run %s goes on under its name %r, not as %r.", run_id, run.info.run_name, run_name)


def _tell_experiment(run: Run, experiment_id: str | None) -> None:
    """Say that a run stays where it is: whoever chose it by the environment also chose its experiment."""
    own = run.info.experiment_id
    if experiment_id is not None and own and own != str(experiment_id):
        _log.warning(
            "Run %s, which STEPWELL_RUN_ID names, goes on in its experiment %s, not in %s.",
            run.info.run_id,
            own,
            experiment_id,
        )


def _resume(
    uri: str, spec: "runs_pb2.RunSpec", experiment_id: str | None, rank: int | None, *, may_create: bool
) -> tuple[Run, bool]:
    """Return the run to go on with, and whether it is this process that ends it."""
    is_open = _is_open(spec.run_id)
    answer = offline.unless_offline(
        uri,
        lambda: joining.resume(uri, spec, experiment_id, rank, may_create=may_create, is_open=is_open),
    )
    return answer or (_run_of_spec(spec), not rank)


def _rewind(uri: str, run: Run, step: int) -> None:
    """Hide the points from a step on that earlier attempts logged; without a server there is no going on from there."""
    from stepwell.wire.calls import Calls

    # If this process made one of the earlier attempts, it goes on as a writer that the rewind does not know.
    retire(uri, run.info.run_id)
    calls = Calls(uri)
    calls.rewind_run(run.info.run_id, step)
    run.data = calls.get_run(run.info.run_id).data


def _create(uri: str, spec: "runs_pb2.RunSpec", rank: int | None) -> Run:
    from stepwell.wire import messages
    from stepwell.wire.calls import Calls

    awaited = messages.awaited_writer(rank)
    answer = offline.unless_offline(uri, lambda: Calls(uri).create_run(spec, awaited))
    if answer is None:
        return _run_of_spec(spec)
    known_experiments.note(uri, answer[0])
    return answer[0]


def _run_of_spec(spec: "runs_pb2.RunSpec") -> Run:
    from stepwell.wire import messages

    return messages.run_of_spec(spec)


def _spec(
    uri: str,
    run_id: str,
    experiment_id: str | None,
    run_name: str | None,
    parent_run_id: str | None,
    tags: Mapping[str, str],
) -> "runs_pb2.RunSpec":
    parent = {PARENT_RUN_TAG: _checked_parent(uri, parent_run_id)} if parent_run_id else {}
    return new.spec(run_id, experiment_id, run_name, {**parent, **tags})


def _is_open(run_id: str) -> bool:
    return any(run.info.run_id == run_id for run in list(_open.values()))


def _checked_parent(uri: str, parent_run_id: str) -> str:
    from stepwell.wire.calls import Calls

    parent_run_id = values.to_run_id(parent_run_id)
    if _is_open(parent_run_id):
        return parent_run_id
    parent = offline.unless_offline(uri, lambda: Calls(uri).get_run(parent_run_id))
    if parent is not None and parent.info.lifecycle_stage == LifecycleStage.DELETED:
        raise StepwellException(f"The parent run {parent_run_id} is deleted.", "INVALID_STATE")
    return parent_run_id


def _activate(run: ActiveRun) -> ActiveRun:
    signals.handle_termination(end_open_runs)
    _open[id(run)] = run
    current.set(run)
    _last_run_id.set(run.info.run_id)
    return run


def _begin_log(writer: RunWriter, *, owned: bool, is_hasty: bool = True) -> None:
    """Begin the log of a run that has started; where there can be none, the run ends as FAILED.

    It begins also if nothing is ever logged: without a server only the spool knows of the run, and with one the open
    stream is the sign of life by which the server notices when this process dies.
    """
    try:
        writer.log(is_hasty=is_hasty)
    except StepwellException:
        if owned:
            from stepwell.wire.calls import Calls

            with suppress(StepwellException):  # the server is away, or has not heard of the run
                if not offline.is_away(writer.uri):
                    Calls(writer.uri).update_run(writer.run_id, "FAILED", now_ms())
        raise


def _observed(run: ActiveRun, log_system_metrics: bool | None, *, captures: bool) -> ActiveRun:
    """Begin to log what is logged of itself. A run that cannot be observed as it is to be, has not started."""
    try:
        run.monitor = system_metrics.start(run, run.writer, log_system_metrics)
        run.console = ConsoleCapture(run.writer.log_console) if captures else None
    except BaseException:
        _log_end(run, RunStatus.FAILED)
        _deactivate(run)
        run.writer.rest()
        raise
    return run


def _end(run: ActiveRun, status: str, end_time_ms: int | None = None) -> Receipt:
    wanted = RunStatus.from_string(status)
    _stop_console(run)
    beside.wait(run.info.run_id, settings.flush_timeout_s())
    _log_end(run, wanted, end_time_ms)
    return _leave(run)


def _leave(run: ActiveRun) -> Receipt:
    """Deliver what this process logged to a run, and log no more."""
    _deactivate(run)
    receipt = run.writer.flush()
    log = run.writer.current_log
    # Other threads may have joined the run, and go on.
    if not any(other.writer is run.writer for other in list(_open.values())):
        run.writer.rest()
    if receipt.waiting and log is not None and not sys.modules["stepwell.wire.background"].is_fork():
        _told_waiting.append(log.folder)
        _log.warning(
            "%d entries of run %s wait in %s. %s 'stepwell sync %s'.",
            receipt.waiting,
            run.info.run_id,
            log.folder,
            _who_delivers(log),
            log.folder.parent,
        )
    return receipt


def _who_delivers(log: "WriterLog") -> str:
    if settings.is_offline() or log.delivery.failure is not None:
        return "They are delivered by"
    return (
        "This process goes on trying while it lives; later they are delivered by the next process that starts here, or "
        "by"
    )


def _log_end(run: ActiveRun, status: int, end_time_ms: int | None = None) -> None:
    ended_ms = (end_time_ms or now_ms()) if RunStatus.is_terminated(status) else None
    try:
        with room.waited_for():
            run.writer.log_status(status, ended_ms)
    except StepwellException as failure:
        _log.warning("The end of run %s could not be logged: %s", run.info.run_id, failure.message)


def _end_with_inner(outer: ActiveRun, status: str) -> None:
    """End a run and those that were started inside and never ended."""
    run = active_run()
    chain = []
    while run is not None and run is not outer:
        chain.append(run)
        run = run.enclosing
    for each in [*(chain if run is outer else ()), outer]:
        if each.owned:
            _end(each, status)
        else:
            beside.wait(each.info.run_id, settings.flush_timeout_s())
            _leave(each)


def _stop_monitor(run: ActiveRun) -> None:
    if run.monitor is not None:
        run.monitor.stop()
        run.monitor = None


def _stop_console(run: ActiveRun) -> None:
    if run.console is not None:
        run.console.stop()
        run.console = None


def _deactivate(run: ActiveRun) -> None:
    run.ended = True
    _stop_monitor(run)
    _stop_console(run)
    _open.pop(id(run), None)
    current.set(active_run())


def _is_success(error: BaseException) -> bool:
    """Tell whether an exception is a way to end well: sys.exit() and sys.exit(0)."""
    return isinstance(error, SystemExit) and error.code in (None, 0)


def crashed() -> bool:
    """Tell whether the process ends because of an uncaught exception."""
    # Set by the interpreter itself, whoever has replaced sys.excepthook. In an interactive session (which has ps1)
    # it only says that some statement failed once.
    return hasattr(sys, "last_value") and not hasattr(sys, "ps1")
