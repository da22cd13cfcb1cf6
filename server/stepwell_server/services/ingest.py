"""The rules of ingest: which runs may be written, which names and values are accepted."""

import asyncio
import hashlib
from dataclasses import dataclass, replace

import numpy as np

from stepwell_server.errors import ExhaustedError, InvalidArgumentError, InvalidStateError
from stepwell_server.model.alerts import AlertEntry
from stepwell_server.model.histograms import HistogramEntry
from stepwell_server.model.ingest import (
    Batch,
    ConsoleEntry,
    Entry,
    InputEntry,
    ModelPointEntry,
    Opener,
    Outcome,
    ParamEntry,
    Points,
    Rejection,
    StatusEntry,
    TagEntry,
    TagRemovalEntry,
    WriterIdentity,
)
from stepwell_server.model.runs import RunInfo, RunSpec
from stepwell_server.process.logger import get_logger
from stepwell_server.services.leases import LeaseService
from stepwell_server.services.validation import (
    check_alert,
    check_console,
    check_dataset_name,
    check_histogram,
    check_host,
    check_inputs,
    check_key,
    check_param_value,
    check_run_tag,
    checked_run_spec,
    metric_key_problem,
)
from stepwell_server.store.ports.ingest import NOBODY, BatchStore, WriterStore
from stepwell_server.store.ports.tracking import RunStore

# Batches with more entries and names than this are read and checked beside the loop; 1,000 take 3 ms.
CHECKED_ON_LOOP_MAX = 1_000
# Positions that one batch may pass over: 2^30, twelve days of a thousand points a second that a full spool has dropped.
POSITIONS_SKIPPED_MAX = 2**30
# Points and entries of one kind that one batch may say are lost: as many as it may pass over.
LOST_MAX = 2 * POSITIONS_SKIPPED_MAX
# A secret is 32 random bytes; other clients may take more.
SECRET_BYTES = range(16, 65)

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WriterSession:
    """A writer that was opened: where it stands, its run, and whether the run was created for it."""

    position: int
    run: RunInfo
    created: bool
    secret_checked: bool


class IngestService:
    """Opens writers and takes their batches."""

    def __init__(
        self, runs: RunStore, writers: WriterStore, leases: LeaseService, batches: BatchStore
    ) -> None:
        self._runs = runs
        self._writers = writers
        self._leases = leases
        self._batches = batches

    async def open(
        self,
        spec: RunSpec,
        identity: WriterIdentity,
        known_position: int = 0,
        secret: bytes = b"",
        opener: Opener = NOBODY,
    ) -> WriterSession:
        """Create the run unless it exists, register the writer, and say where it stands.

        The writer counts as alive until the current task ends, which serves its stream, and a while after.

        Raises:
            InvalidArgumentError: the spec has a name, tag or time that can never be stored; or the secret is no secret.
            PermissionDeniedError: the writer is bound to another secret, or another account.
            NotFoundError: the experiment does not exist, or the spec names none and the run does not exist.
            InvalidStateError: the experiment is deleted; or the run was removed after something was committed to it.
        """
        secret_sha256 = checked_secret(secret)
        check_host(identity.host)
        if known_position and not await self._writers.knows_run(identity.run_id):
            raise InvalidStateError(
                f"run {identity.run_id.hex} does not exist, but {known_position} entries of this log were committed to "
                "it: it was removed with `stepwell gc`, or the database is an older copy"
            )
        run, created = await self._runs.create_run(checked_run_spec(spec))
        opened = await self._writers.open_writer(identity, secret_sha256, opener)
        if opened.binds:
            _log.info(
                "a writer from before there were secrets is bound to the first one shown",
                run_id=identity.run_id.hex,
                writer_id=identity.writer_id.hex,
            )
        await self._leases.hold(identity)
        return WriterSession(opened.position, run, created, opened.secret_checked)

    async def close(self, identity: WriterIdentity) -> None:
        """Take note that the writer leaves in order: it does not count as lost."""
        await self._leases.release(identity)

    async def check(self, identity: WriterIdentity) -> None:
        """Do nothing, for a stream that is open: where there are accounts, its rule says whether it may go on."""

    async def submit(self, batch: Batch) -> asyncio.Future[Outcome]:
        """Queue a batch, waiting while the queue is full; the outcome comes when it is committed.

        Raises:
            InvalidArgumentError: the batch contradicts itself; it could not be cut out of any log.
        """
        few = len(batch.entries) + len(batch.points.keys) <= CHECKED_ON_LOOP_MAX
        accepted = checked(batch) if few else await asyncio.to_thread(checked, batch)
        return await self._batches.submit(accepted)


def checked_secret(secret: bytes) -> bytes | None:
    """Return what is stored of a writer's secret: its SHA-256; None when there is none."""
    if not secret:
        return None
    if len(secret) not in SECRET_BYTES:
        raise InvalidArgumentError(
            f"the secret of a writer is 32 random bytes ({SECRET_BYTES.start} to {SECRET_BYTES.stop - 1}), "
            f"not {len(secret)}"
        )
    return hashlib.sha256(secret).digest()


def checked(batch: Batch) -> Batch:
    """Return what can be stored of a batch, with what cannot as `refused`. Raises as `IngestService.submit`."""
    check_shape(batch)
    return accept(batch)


def check_shape(batch: Batch) -> None:
    """Refuse a batch whose parts do not fit together."""
    first, end, points = batch.first_position, batch.end_position, batch.points
    if not 0 <= first < end:
        raise InvalidArgumentError(
            f"batch positions must be 0 <= first < end, not first {first} and end {end}"
        )
    lengths = {len(points.steps), len(points.timestamps_ms), len(points.values), int(points.counts.sum())}
    if len(lengths) != 1 or len(points.keys) != len(points.counts) or (points.counts <= 0).any():
        raise InvalidArgumentError(
            f"batch at position {first}: every series needs a key and a count of at least 1, and the columns step, "
            f"timestamp_ms and value as many elements as the counts add up to; lengths found: {sorted(lengths)}"
        )
    skipped = end - first - len(points) - len(batch.entries)
    if skipped > POSITIONS_SKIPPED_MAX:
        raise InvalidArgumentError(
            f"batch at position {first} skips {skipped} positions up to {end}; one batch may skip "
            f"{POSITIONS_SKIPPED_MAX}, a longer gap takes several"
        )
    dropped = sum(lost.count for lost in batch.lost if lost.error_code == ExhaustedError.error_code)
    if dropped > end - first or any(not 0 < lost.count <= LOST_MAX for lost in batch.lost):
        raise InvalidArgumentError(
            f"batch at position {first}: `dropped` is from 0 to {end - first}, as many as it has positions, "
            f"`damaged` from 0 to {LOST_MAX}"
        )
    if any(not first <= entry.position < end for entry in batch.entries):
        raise InvalidArgumentError(
            f"batch at position {first}: entries must have positions in [{first}, {end})"
        )


def lost_before_it_came(position: int, dropped: int, damaged: int) -> list[Rejection]:
    """Return what a client had no more when it cut a batch, as it is kept."""
    kinds = (
        (
            dropped,
            ExhaustedError.error_code,
            "dropped by the client, whose spool was full (STEPWELL_SPOOL_FULL=drop_oldest), or the file is gone",
        ),
        (damaged, "DATA_LOSS", "damaged in the client's spool, so that it could not be read any more"),
    )
    return [Rejection(position, count, "", code, reason) for count, code, reason in kinds if count]


def accept(batch: Batch) -> Batch:
    """Take out what can never be stored, with reasons; the rest of the batch stays."""
    rejections: list[Rejection] = []
    points = _accept_points(batch.points, batch.first_position, rejections)
    entries = [entry for entry in batch.entries if _accept_entry(entry, rejections)]
    return (
        replace(batch, points=points, entries=entries, refused=[*batch.refused, *rejections])
        if rejections
        else batch
    )


def _accept_points(points: Points, position: int, rejections: list[Rejection]) -> Points:
    problems = [metric_key_problem(key) for key in points.keys]
    if not any(problems):
        return points
    for key, count, problem in zip(points.keys, points.counts.tolist(), problems, strict=True):
        if problem:
            rejections.append(Rejection(position, count, key, InvalidArgumentError.error_code, problem))
    good = np.array([not problem for problem in problems])
    chosen = np.repeat(good, points.counts)
    return Points(
        [key for key, problem in zip(points.keys, problems, strict=True) if not problem],
        points.counts[good],
        points.steps[chosen],
        points.timestamps_ms[chosen],
        points.values[chosen],
    )


def _accept_entry(entry: Entry, rejections: list[Rejection]) -> bool:
    try:
        _check_entry(entry)
    except InvalidArgumentError as error:
        rejections.append(Rejection(entry.position, 1, _name_of(entry), error.error_code, str(error)))
        return False
    return True


def _check_entry(entry: Entry) -> None:
    match entry:
        case ParamEntry(_, key, value):
            check_key("param", key)
            check_param_value(key, value)
        case TagEntry(_, key, value):
            check_run_tag(key, value)
        case TagRemovalEntry(_, key):
            check_key("tag", key)
        case InputEntry(_, used):
            check_inputs([used])
        case ConsoleEntry(_, _, _, text, left_out):
            check_console(text, left_out)
        case HistogramEntry():
            check_histogram(entry)
        case AlertEntry(_, title, text):
            check_alert(title, text)
        case ModelPointEntry(_, _, key, dataset_name=dataset_name, dataset_digest=dataset_digest):
            check_key("metric", key)
            check_dataset_name(dataset_name, dataset_digest)


def _name_of(entry: Entry) -> str:
    if isinstance(entry, InputEntry):
        return entry.used.dataset.name
    return "" if isinstance(entry, StatusEntry | ConsoleEntry | AlertEntry) else entry.key
