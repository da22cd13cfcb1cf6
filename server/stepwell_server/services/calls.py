"""What is logged by calls of their own, without a stream: REST clients do that.

A call goes the way of the streams: this server keeps a writer of its own for each run that is called for, and puts each
call as one batch behind the last. So calls and streams share transactions, and a call costs what a batch costs.

Who gets no answer sends the call again, here or to another server. So a call has an identity, which is noted in the
transaction that stores it: made of its points, because equal points are one point (as in MLflow); or of the key that
the caller gives it, together with all that it logs. Params and tags need none: to store them again changes nothing.
"""

import asyncio
import hashlib
import os
import secrets
import socket
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID, uuid4

import numpy as np

from stepwell_server.errors import InvalidArgumentError, InvalidStateError, NotFoundError, UnavailableError
from stepwell_server.model.columns import Float64s, Int64s
from stepwell_server.model.ingest import (
    NO_POINTS,
    Batch,
    Call,
    Committed,
    Entry,
    ModelPointEntry,
    Outcome,
    ParamEntry,
    Points,
    Rejection,
    TagEntry,
    WriterIdentity,
)
from stepwell_server.model.runs import LifecycleStage
from stepwell_server.services.validation import (
    check_dataset_name,
    check_key,
    check_param_value,
    check_run_tag,
    metric_key_problem,
)
from stepwell_server.store.ports.ingest import BatchStore, WriterStore
from stepwell_server.store.ports.tracking import RunStore

# Runs whose writer is remembered: at some 500 bytes each, 5 MB. One that is forgotten gets another writer.
LOGS_MAX = 10_000
# A call that does not join, because one before it failed or the run was rewound, is tried again with another writer.
TRIES_MAX = 5


@dataclass(frozen=True, slots=True)
class Logged:
    """What one call logs; `name` is the caller's own for the call, empty for none."""

    points: Points = NO_POINTS
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    model_points: Sequence[ModelPointEntry] = ()  # those of the points that say something of models

    def __len__(self) -> int:
        return len(self.points) + len(self.params) + len(self.tags) + len(self.model_points)


@dataclass(slots=True)
class _Log:
    """A writer of a run, and where its next batch begins."""

    writer_id: UUID
    position: int = 0


class CallService:
    """Logs to runs, call by call."""

    def __init__(self, runs: RunStore, writers: WriterStore, batches: BatchStore) -> None:
        self._runs = runs
        self._writers = writers
        self._batches = batches
        self._writer_id = uuid4()
        self._secret_sha256 = hashlib.sha256(
            secrets.token_bytes(32)
        ).digest()  # nobody else opens this writer
        self._host = socket.gethostname()
        self._logs: OrderedDict[UUID, asyncio.Task[_Log]] = OrderedDict()

    async def log(self, run_id: UUID, logged: Logged) -> None:
        """Store all of it or nothing; returns when it is committed.

        Raises:
            InvalidArgumentError: a name or a value can never be stored, or a param would change.
            NotFoundError: there is no such run.
            InvalidStateError: the run is deleted.
        """
        check_logged(logged)
        if not len(logged):
            await self._require_active(run_id)
            return
        call = Call(call_id(logged), named=bool(logged.name))
        for _ in range(TRIES_MAX):
            opening = self._opening(run_id)
            try:
                outcome = await self._submit(run_id, await asyncio.shield(opening), logged, call)
            except BaseException:
                # Whether it was committed is not known, so neither is where the log ends.
                self._forget(run_id, opening)
                raise
            if isinstance(outcome, Committed):
                _raise_first(outcome.rejections)
                return
            self._forget(run_id, opening)
        raise UnavailableError(f"run {run_id.hex} could not be written now; send the call again")

    async def _submit(self, run_id: UUID, log: _Log, logged: Logged, call: Call) -> Outcome:
        first = log.position
        log.position = end = first + len(logged)
        batch = Batch(run_id, log.writer_id, first, end, logged.points, entries_of(logged, first), call)
        return await (await self._batches.submit(batch))

    def _opening(self, run_id: UUID) -> asyncio.Task[_Log]:
        """Return the run's log, which is opened once for all calls that come meanwhile."""
        opening = self._logs.get(run_id)
        if opening is None:
            opening = self._logs[run_id] = asyncio.create_task(self._open(run_id))
        self._logs.move_to_end(run_id)
        if len(self._logs) > LOGS_MAX:
            self._logs.popitem(last=False)
        return opening

    async def _open(self, run_id: UUID) -> _Log:
        await self._require_active(run_id)
        log = _Log(uuid4())
        identity = WriterIdentity(run_id, log.writer_id, host=self._host, process_id=os.getpid())
        await self._writers.open_writer(identity, self._secret_sha256)
        return log

    def _forget(self, run_id: UUID, opening: asyncio.Task[_Log]) -> None:
        if self._logs.get(run_id) is opening:
            del self._logs[run_id]

    async def _require_active(self, run_id: UUID) -> None:
        info = await self._runs.get_run_info(run_id)
        if info.lifecycle_stage is LifecycleStage.DELETED:
            raise InvalidStateError(f"run {run_id.hex} is deleted; restore it before logging to it")


def points_of(
    keys: Sequence[str], steps: Sequence[int], timestamps_ms: Sequence[int], values: Sequence[float]
) -> Points:
    """Return points, each given with the name of its metric, as series; of equal ones, one.

    The values may be anything that numpy takes; raises what it raises where they are not of the type.
    """
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    series = np.fromiter(map(numbers.__getitem__, keys), np.int64, len(keys))
    columns = (
        np.array(steps, np.int64),
        np.array(timestamps_ms, np.int64),
        np.array(values, np.float64),
    )
    if len(numbers) < len(keys) and not _rises(series, columns[0]):
        series, columns = _ordered(series, columns)
    return Points(list(numbers), np.bincount(series, minlength=len(numbers)).astype(np.int64), *columns)


_Columns = tuple[Int64s, Int64s, Float64s]


def _rises(series: Int64s, steps: Int64s) -> bool:
    """Tell whether points come series by series, each with rising steps; then none of them is there twice."""
    same = series[1:] == series[:-1]
    return bool(((series[1:] > series[:-1]) | (same & (steps[1:] > steps[:-1]))).all())


def _ordered(series: Int64s, columns: _Columns) -> tuple[Int64s, _Columns]:
    """Put points in order of (series, step, timestamp, value), and leave out those that are there twice."""
    order = np.lexsort((columns[2].view(np.int64), columns[1], columns[0], series))
    series = series[order]
    step, time, value = columns[0][order], columns[1][order], columns[2][order]
    repeats = (series[1:] == series[:-1]) & (step[1:] == step[:-1]) & (time[1:] == time[:-1])
    repeats &= value[1:].view(np.int64) == value[:-1].view(np.int64)
    new = np.append(np.ones(1, np.bool_), ~repeats)
    return series[new], (step[new], time[new], value[new])


def call_id(logged: Logged) -> UUID:
    """Return the identity of a call within its run."""
    points = logged.points
    digest = hashlib.blake2b(digest_size=16)
    digest.update(repr((list(points.keys), points.counts.tolist())).encode("utf-8", "surrogatepass"))
    for column in (points.steps, points.timestamps_ms, points.values):
        digest.update(np.ascontiguousarray(column).tobytes())
    if logged.name:
        texts = (logged.name, dict(logged.params), dict(logged.tags))
        digest.update(repr(texts).encode("utf-8", "surrogatepass"))
    return UUID(bytes=digest.digest())


def check_logged(logged: Logged) -> None:
    """Refuse what can never be stored. Raises InvalidArgumentError."""
    for key in logged.points.keys:
        if problem := metric_key_problem(key):
            raise InvalidArgumentError(problem)
    for key, value in logged.params.items():
        check_key("param", key)
        check_param_value(key, value)
    for key, value in logged.tags.items():
        check_run_tag(key, value)
    for point in logged.model_points:
        check_dataset_name(point.dataset_name, point.dataset_digest)


def entries_of(logged: Logged, position: int) -> list[Entry]:
    """Return params, tags and what is said of models as entries of a batch."""
    params = [ParamEntry(position, key, value) for key, value in logged.params.items()]
    tags = [TagEntry(position, key, value) for key, value in logged.tags.items()]
    return [*params, *tags, *(replace(point, position=position) for point in logged.model_points)]


def _raise_first(rejections: Sequence[Rejection]) -> None:
    """Raise what a call was refused for."""
    if not rejections:
        return
    kinds = {kind.error_code: kind for kind in (InvalidStateError, NotFoundError, InvalidArgumentError)}
    reasons = "; ".join(rejection.reason for rejection in rejections[:5])
    raise kinds.get(rejections[0].error_code, InvalidArgumentError)(reasons)
