"""What one process logs to one run: names and params it knows, and the log that its entries go to."""

import math
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from stepwell import settings
from stepwell.delivery import logs
from stepwell.delivery.progress import deadline, remaining_s
from stepwell.delivery.receipts import PendingWrite, Receipt
from stepwell.entities import Alert, DatasetInput, Histogram, LifecycleStage, Metric
from stepwell.errors import StepwellException, invalid
from stepwell.spool.arrays import ArrayPoints
from stepwell.spool.log import SealedError, Spool
from stepwell.spool.records import NS_PER_MS
from stepwell.values import check_key

if TYPE_CHECKING:
    from stepwell.delivery.kept import Kept
    from stepwell.delivery.writer_log import WriterLog
    from stepwell_api.v1 import ingest_pb2, runs_pb2

# Params that a writer remembers in order to refuse a change at the call; beyond, the server refuses it.
PARAMS_KNOWN_MAX = 10_000
# How often log calls to a deleted run ask whether somebody has restored it.
ASK_AGAIN_S = 1.0


class NoSpool:
    """What a writer without a log has for a spool: no name is known, so every point goes the long way."""

    numbers: Mapping[str, int] = MappingProxyType({})
    groups: Mapping[tuple[str, ...], tuple[int, ...]] = MappingProxyType({})

    def append_point(self, number: int, step: int, time_ns: int, value: float) -> None:
        """Is never called, because no number is known."""
        raise NotImplementedError

    def append_points(self, numbers: Iterable[int], step: int, time_ns: int, values: Iterable[float]) -> None:
        """Is never called either."""
        raise NotImplementedError


NO_SPOOL = NoSpool()


class RunWriter:
    """Everything this process logs to one run. Any thread may log.

    `spool` is for the fast path of the log functions. It is replaced when a log ends or the process forks, so it is
    read anew for each point. Where there is no log it is one that knows no names.
    """

    def __init__(
        self, uri: str, run_id: str, spec: "runs_pb2.RunSpec | None" = None, rank: int | None = None
    ) -> None:
        self.uri = uri
        self.run_id = run_id
        self._spec = spec
        self._rank = rank
        self._params: dict[str, str] = {}
        self._is_deleted = False
        self._asked_s = -math.inf
        self.start_over()

    def start_over(self) -> None:
        """Have no log: at first, and in a forked child, whose log will be one of its own."""
        self.spool: Spool | NoSpool = NO_SPOOL
        # Takes steps that come quickly (`Step`); None without a log.
        self.kept: Kept | None = None
        self._lock = threading.RLock()
        self._log: WriterLog | None = None
        # What became of logs that are done.
        self.past = Receipt()

    def describe(self, spec: "runs_pb2.RunSpec | None", rank: int | None) -> None:
        """Say more about the run, before the next log begins: how to create it, and which rank this process has."""
        self._spec = spec or self._spec
        self._rank = rank if rank is not None else self._rank

    def log(self, *, is_hasty: bool = True) -> "WriterLog":
        """Return the log that entries go to; begins one if there is none, and its delivery, or this a little later."""
        with self._lock:
            if self._is_deleted:
                self._require_active()
            if self._log is not None and self._log.spool.is_gone:
                lost, self._log = self._log, None
                logs.ended(self, lost)
                lost.lost()
            log = self._log
        if log is None:
            with logs.room(), self._lock:
                log = self._log or self._begin(is_hasty=is_hasty)
        return log

    def _begin(self, *, is_hasty: bool) -> "WriterLog":
        from stepwell.delivery import catch_up
        from stepwell.delivery.writer_log import WriterLog
        from stepwell_api.v1 import runs_pb2

        spec = self._spec or runs_pb2.RunSpec(run_id=self.run_id)
        behind = logs.earlier_of((self.uri, self.run_id))
        log = WriterLog(self.uri, spec, self._rank, self._after_seal, self.run_is_deleted, behind)
        self._log, self.spool, self.kept = log, log.spool, log.kept
        logs.begun(self)
        log.ship(is_hasty=is_hasty)
        catch_up.begin(self.uri)
        return log

    def run_is_deleted(self, *, deleted: bool = True) -> None:
        """Take note that nothing can be logged to the run, or that it can be again."""
        self._is_deleted, self._asked_s = deleted, -math.inf
        if deleted:
            self.spool, self.kept = NO_SPOOL, None  # every point goes the long way, where this is seen

    def _require_active(self) -> None:
        """Ask whether the run is still deleted, not too often; somebody may have restored it."""
        if time.monotonic() - self._asked_s >= ASK_AGAIN_S:
            self._asked_s = time.monotonic()
            if not _is_deleted(self.uri, self.run_id):
                self._is_deleted = False
                if self._log is not None:
                    self.spool, self.kept = self._log.spool, self._log.kept
                return
        raise StepwellException(
            f"Run {self.run_id} is deleted: nothing can be logged to it until it is restored.",
            "INVALID_STATE",
        )

    def log_points(self, points: Sequence[tuple[str, int, int, float]]) -> None:
        """Log points: metric, step, timestamp in milliseconds, value; all but the names are checked already.

        Raises:
            StepwellException: INVALID_PARAMETER_VALUE for a bad name; then nothing is logged.
        """

        def append(log: "WriterLog") -> None:
            spool = log.spool
            known = spool.numbers
            numbers = [known.get(key) or spool.number_of(check_key("Metric", key)) for key, *_ in points]
            append_point = spool.append_point
            for number, (_, step, timestamp_ms, value) in zip(numbers, points, strict=True):
                append_point(number, step, timestamp_ms * NS_PER_MS, value)

        self._append(append)

    def remember_group(self, names: tuple[str, ...]) -> None:
        """Let the log functions find names that are logged together with one look, from now on."""
        self._append(lambda log: log.spool.remember_group(names))

    def log_array(self, key: str, steps: Any, timestamps_ms: Any, values: Any) -> None:
        """Log points of one metric from columns of shape (n,), int64, int64 and float64."""
        check_key("Metric", key)

        def append(log: "WriterLog") -> None:
            log.append_array(ArrayPoints(log.spool.number_of(key), steps, timestamps_ms, values))

        self._append(append)

    def log_params(self, params: Mapping[str, str]) -> None:
        """Log params; names and values are checked already.

        Raises:
            StepwellException: INVALID_PARAMETER_VALUE when this process has logged another value of one of them
                before; then nothing is logged.
        """
        from stepwell.wire import messages

        for key, value in params.items():
            self._check_param(key, value)
        new = {key: value for key, value in params.items() if key not in self._params}
        self._append_entries(messages.param_entry(key, value) for key, value in new.items())
        self.know_params(new)

    def known_params(self) -> dict[str, str]:
        """Return params that the run has, as far as this process knows them."""
        return dict(self._params)

    def know_params(self, params: Mapping[str, str]) -> None:
        """Note params that the run has already: a change is refused at the call, the same again is not sent."""
        self._params.update(islice(params.items(), max(PARAMS_KNOWN_MAX - len(self._params), 0)))

    def _check_param(self, key: str, value: str) -> None:
        known = self._params.get(key, value)
        if known == value:
            return
        if self._log is not None and self._log.delivery.has_rejected(key):
            # What was known is not what is stored: let the server decide.
            del self._params[key]
            return
        raise invalid(
            f"Param {key!r} of run {self.run_id} was logged as {known!r}; params are written once and "
            f"cannot become {value!r}. Use a tag for what changes, or a nested run for another set of params."
        )

    def log_tags(self, tags: Mapping[str, str]) -> None:
        """Log tags; names and values are checked already."""
        from stepwell.wire import messages

        self._append_entries(messages.tag_entry(key, value) for key, value in tags.items())

    def remove_tag(self, key: str) -> None:
        """Log that a tag goes; the name is checked already."""
        from stepwell.wire import messages

        self._append_entries([messages.tag_removal_entry(key)])

    def log_inputs(self, inputs: Iterable[DatasetInput]) -> None:
        """Log data sets that the run used; they are checked already."""
        from stepwell.wire import messages

        self._append_entries(map(messages.input_entry, inputs))

    def log_model_points(self, points: Iterable[Metric]) -> None:
        """Log that points say something of models; they are checked already."""
        from stepwell.wire import messages

        self._append_entries(map(messages.model_point_entry, points))

    def log_console(self, stream: int, timestamp_ms: int, text: str, left_out: int) -> None:
        """Log lines that the process wrote (1: output, 2: error), at most 65,536 bytes."""
        from stepwell.wire import messages

        self._append_entries([messages.console_entry(stream, timestamp_ms, text, left_out)])

    def log_histogram(self, histogram: Histogram) -> None:
        """Log how values are distributed at a step; it is checked already."""
        from stepwell.wire import messages

        self._append_entries([messages.histogram_entry(histogram)])

    def log_alert(self, alert: Alert, *, imported: bool = False) -> None:
        """Log what people should know, or were told elsewhere before; it is checked already."""
        from stepwell.wire import messages

        self._append_entries([messages.alert_entry(alert, imported=imported)])

    def log_status(self, status: int, end_time_ms: int | None) -> None:
        """Log a new status of the run."""
        from stepwell.wire import messages

        if self._log is not None:
            self._log.look()  # the end of a run must not go where nobody can read it
        self._append_entries([messages.status_entry(status, end_time_ms)])

    def flush(self, timeout_s: float | None = None) -> Receipt:
        """Wait until everything logged so far is committed or refused; None means STEPWELL_FLUSH_TIMEOUT_S."""
        limit_s = settings.flush_timeout_s() if timeout_s is None else timeout_s
        return logs.flush_of(self, limit_s)

    def hurry(self) -> None:
        """Have everything logged so far delivered at once."""
        if self._log is not None:
            self._log.hurry()

    def pending(self, *keys: str) -> PendingWrite:
        """Return a handle to wait for what was logged just now under these keys."""
        # Another thread may have ended the log that it went to, and begun another one.
        of_run = [log for log in logs.open_logs() if log.run == (self.uri, self.run_id)]
        marks = [(log, log.hurry(), len(log.delivery.rejections)) for log in of_run]

        def settle(timeout: float | None) -> None:
            timeout_s = settings.flush_timeout_s() if timeout is None else timeout
            moment = deadline(timeout_s)
            for log, end_position, rejected_before in marks:
                _confirm(log, keys, end_position, rejected_before, moment, timeout_s)

        return PendingWrite(settle)

    def rest(self) -> None:
        """End the log; it is delivered on its own. Logging again begins another one."""
        with self._lock:
            log, self._log, self.spool, self.kept = self._log, None, NO_SPOOL, None
            if log is not None:
                logs.ended(self, log)
        if log is not None:
            log.seal()

    @property
    def current_log(self) -> "WriterLog | None":
        """The log that entries go to, if there is one."""
        return self._log

    def _append_entries(self, entries: "Iterable[ingest_pb2.Entry]") -> None:
        payloads = deque(entry.SerializeToString() for entry in entries)
        if payloads:
            self._append(lambda log: log.append_entries(payloads))

    def _append(self, append: Callable[["WriterLog"], None]) -> None:
        """Append to the log that there is now; when another thread ends it meanwhile, to the next one."""
        while True:
            try:
                append(self.log())
            except SealedError:
                continue
            return

    def _after_seal(self, name: str, step: int, timestamp_ms: int, value: float) -> None:
        """Log a point again whose log another thread has ended in this moment."""
        self.log_points([(name, step, timestamp_ms, value)])


def _confirm(
    log: "WriterLog",
    keys: tuple[str, ...],
    end_position: int,
    rejected_before: int,
    moment: float,
    timeout_s: float,
) -> None:
    """Wait until a moment, and raise what became of it when it is not stored."""
    asked = time.monotonic()
    if not log.delivery.is_reachable:
        log.hurry()  # who waits has it looked for once more
    if not log.delivery.wait(end_position, remaining_s(moment), asked):
        raise log.delivery.failure or StepwellException(
            f"The server has not committed {', '.join(keys)} (waited for up to {timeout_s:g} s); it stays in the spool "
            f"{log.folder} and on its way.",
            "TEMPORARILY_UNAVAILABLE",
        )
    for rejection in log.delivery.rejections[rejected_before:]:
        if rejection.key in keys or not rejection.key:
            raise StepwellException(rejection.reason, rejection.error_code)


_lock = threading.Lock()
# All writers that anybody holds, so that a run has one.
_writers: "weakref.WeakValueDictionary[tuple[str, str], RunWriter]" = weakref.WeakValueDictionary()


def writer_for(
    uri: str, run_id: str, spec: "runs_pb2.RunSpec | None" = None, rank: int | None = None
) -> RunWriter:
    """Return this process's writer to a run; no call to the server is made."""
    with _lock:
        writer = _writers.get((uri, run_id))
        if writer is None:
            writer = _writers[uri, run_id] = RunWriter(uri, run_id)
        writer.describe(spec, settings.rank() if rank is None else rank)
        return writer


def note_deleted(uri: str, run_id: str, *, deleted: bool) -> None:
    """Take note of what this process did with a run: it was deleted, or restored."""
    writer = _writers.get((uri, run_id))
    if writer is not None:
        writer.run_is_deleted(deleted=deleted)


def _is_deleted(uri: str, run_id: str) -> bool:
    """Ask the server about a run. One that cannot be asked takes what is logged later, or refuses it."""
    from stepwell.wire.calls import Calls

    try:
        return Calls(uri).get_run(run_id).info.lifecycle_stage == LifecycleStage.DELETED
    except StepwellException:
        return False


def retire(uri: str, run_id: str) -> None:
    """Deliver what this process logged to a run and end that log; the next one is of another writer."""
    writer = _writers.get((uri, run_id))
    if writer is not None:
        writer.flush()
        writer.rest()


def _start_over_in_child() -> None:
    global _lock
    _lock = threading.Lock()
    for writer in list(_writers.values()):
        writer.start_over()


os.register_at_fork(after_in_child=_start_over_in_child)
