"""One process's log to one run: what is logged goes into the spool, a shipper carries it to the server."""

import os
import threading
import uuid
import weakref
from typing import TYPE_CHECKING

from stepwell import settings
from stepwell.delivery import Delivery, deadline, remaining_s
from stepwell.entities import Param, RunTag
from stepwell.errors import StepwellException, invalid
from stepwell.receipts import PendingWrite, Receipt
from stepwell.spool import Spool, StatusChange
from stepwell.values import check_key

if TYPE_CHECKING:
    from stepwell.shipper import Shipper
    from stepwell_api.v1 import ingest_pb2, runs_pb2

# Params that a writer remembers in order to refuse a change at the call; beyond, the server refuses it.
PARAMS_KNOWN_MAX = 10_000


class RunWriter:
    """Everything this process logs to one run. Any thread may log.

    `numbers` (metric name -> number in the spool) is for the fast path of the log functions: a name is in it when the
    name is valid and the writer is awake. `spool` and `numbers` are replaced when the writer rests or fails or the
    process forks, so they must be read anew for each point.
    """

    def __init__(self, uri: str, run_id: str, spec: "runs_pb2.RunSpec | None" = None) -> None:
        self.uri = uri
        self.run_id = run_id
        self._spec = spec
        self._params: dict[str, str] = {}
        self.start_over()

    def start_over(self) -> None:
        """Become a new writer with an empty log: at first, and in a forked child."""
        self.numbers: dict[str, int] = {}
        self.spool = Spool()
        self.delivery = Delivery()
        self._writer_id = uuid.uuid4().hex
        self._lock = threading.Lock()
        self._shipper: Shipper | None = None
        self._shipper_epoch = 0
        self._resting = False

    def number_of(self, key: str) -> int:
        """Return the number for `spool.append_point`; wakes the writer.

        Raises:
            StepwellException: INVALID_PARAMETER_VALUE for a bad name; the reason why the server takes nothing of
                this writer, once that is known.
        """
        # Before waking: if the writer rests again meanwhile, the name must not get into the dict of the resting one.
        numbers = self.numbers
        number = numbers.get(key)
        if number is None:
            check_key("Metric", key)
            self._wake()
            number = numbers[key] = self.spool.number_of(key)
        return number

    def log_param(self, key: str, value: str) -> None:
        """Log a param; name and value are checked already.

        Raises:
            StepwellException: INVALID_PARAMETER_VALUE when this process has logged another value before.
        """
        self.check_param(key, value)
        if key not in self._params:
            self._wake()
            self.spool.append_entry(Param(key, value))
            if len(self._params) < PARAMS_KNOWN_MAX:
                self._params[key] = value

    def check_param(self, key: str, value: str) -> None:
        """Raise StepwellException INVALID_PARAMETER_VALUE if the param is known to have another value."""
        known = self._params.get(key, value)
        if known == value:
            return
        if self.delivery.has_rejected(key):
            # What was known is not what is stored: let the server decide.
            del self._params[key]
            return
        raise invalid(
            f"Param {key!r} of run {self.run_id} was logged as {known!r}; params are written once and "
            f"cannot become {value!r}. Use a tag for what changes, or a nested run for another set of params."
        )

    def log_tag(self, key: str, value: str) -> None:
        """Log a tag; name and value are checked already."""
        self._wake()
        self.spool.append_entry(RunTag(key, value))

    def log_status(self, status: int, end_time_ms: int | None) -> None:
        """Log a new status of the run."""
        self._wake()
        self.spool.append_entry(StatusChange(status, end_time_ms))

    def flush(self, timeout_s: float | None = None) -> Receipt:
        """Wait until everything logged so far is committed or refused; None means STEPWELL_FLUSH_TIMEOUT_S."""
        end_position = self.hurry()
        self.delivery.wait(end_position, settings.flush_timeout_s() if timeout_s is None else timeout_s)
        return self.receipt()

    def hurry(self) -> int:
        """Have everything logged so far delivered at once; returns its end position."""
        end_position = self.spool.end_position()
        if self.delivery.position < end_position:
            with self._lock:
                shipper = self._shipping()
            shipper.hurry()
        return end_position

    def receipt(self) -> Receipt:
        """Return what became of everything logged so far."""
        return self.delivery.receipt(self.spool.end_position())

    def pending(self, *keys: str) -> PendingWrite:
        """Return a handle to wait for what was logged just now under these keys."""
        end_position = self.hurry()
        rejected_before = len(self.delivery.rejections)

        def settle(timeout: float | None) -> None:
            timeout_s = settings.flush_timeout_s() if timeout is None else timeout
            self._confirm(keys, end_position, rejected_before, timeout_s)

        return PendingWrite(settle)

    def rest(self) -> None:
        """Let the stream end when everything is delivered. Logging again wakes the writer."""
        with self._lock:
            self.numbers = {}
            self._resting = True

    def resume(self) -> None:
        """Ship again after the background thread was stopped for a fork."""
        with self._lock:
            self._shipping()

    def open_message(self) -> "ingest_pb2.OpenWriter":
        """Return what opens this writer's stream."""
        from stepwell import wire
        from stepwell_api.v1 import runs_pb2

        return wire.open_writer(self._spec or runs_pb2.RunSpec(run_id=self.run_id), self._writer_id)

    def may_rest(self) -> bool:
        """Let the shipper go, if nobody writes any more and nothing waits; tells whether it did."""
        with self._lock:
            if not self._resting or self.delivery.position < self.spool.end_position():
                return False
            self._shipper = None
        _awake.discard(self)
        return True

    def fail(self, failure: StepwellException) -> None:
        """Take note that nothing can ever be delivered again: log calls raise the failure from now on."""
        with self._lock:
            self.numbers = {}
            self._shipper = None
        end_position = self.spool.end_position()
        self.delivery.failed(failure, end_position)
        self.spool.forget_below(end_position)
        _awake.discard(self)

    def _wake(self) -> None:
        if self.delivery.failure is not None:
            raise self.delivery.failure
        with self._lock:
            self._resting = False
            self._shipping()

    def _shipping(self) -> "Shipper":
        """Return the shipper; starts it if there is none, or if the background thread has ended under it."""
        from stepwell import background

        if self._shipper is None or self._shipper_epoch != background.epoch():
            from stepwell.connection import connect
            from stepwell.shipper import Shipper

            self._shipper = Shipper(self, connect(self.uri))
            _awake.add(self)
            self._shipper_epoch = background.epoch()
            background.spawn(self._shipper.run())
        return self._shipper

    def _confirm(
        self, keys: tuple[str, ...], end_position: int, rejected_before: int, timeout_s: float
    ) -> None:
        if not self.delivery.wait(end_position, timeout_s):
            raise StepwellException(
                f"The server did not commit {', '.join(keys)} within {timeout_s:g} s; it is still on its way.",
                "TEMPORARILY_UNAVAILABLE",
            )
        for rejection in self.delivery.rejections[rejected_before:]:
            if rejection.key in keys or not rejection.key:
                raise StepwellException(rejection.reason, rejection.error_code)


_lock = threading.Lock()
# All writers that anybody holds, so that a run has one; and those that are not at rest.
_writers: "weakref.WeakValueDictionary[tuple[str, str], RunWriter]" = weakref.WeakValueDictionary()
_awake: set[RunWriter] = set()


def writer_for(uri: str, run_id: str, spec: "runs_pb2.RunSpec | None" = None) -> RunWriter:
    """Return this process's writer to a run; no call to the server is made."""
    with _lock:
        writer = _writers.get((uri, run_id))
        if writer is None:
            writer = _writers[uri, run_id] = RunWriter(uri, run_id, spec)
        return writer


def flush_run(uri: str, run_id: str) -> None:
    """Wait until what this process logged to a run is committed, so that reading sees it."""
    writer = _writers.get((uri, run_id))
    if writer is not None:
        writer.flush()


def flush_all(timeout_s: float) -> Receipt:
    """Wait until everything this process logged is committed or refused; returns the sum for runs not at rest."""
    moment = deadline(timeout_s)
    writers = list(_awake)
    for writer in writers:
        writer.hurry()
    return sum((writer.flush(remaining_s(moment)) for writer in writers), Receipt())


def _resume_in_parent() -> None:
    for writer in list(_awake):
        writer.resume()


def _start_over_in_child() -> None:
    global _lock
    _lock = threading.Lock()
    _awake.clear()
    for writer in list(_writers.values()):
        writer.start_over()


os.register_at_fork(after_in_parent=_resume_in_parent, after_in_child=_start_over_in_child)
