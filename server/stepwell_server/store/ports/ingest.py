"""What ingest asks of the store. All methods raise `UnavailableError` when the database cannot be reached."""

from asyncio import Future
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol
from uuid import UUID

from stepwell_server.model.ingest import (
    AwaitedWriter,
    Batch,
    LostRun,
    OpenedWriter,
    Opener,
    Outcome,
    WriterIdentity,
)

# Who opens writers where there are no accounts.
NOBODY = Opener()


class WriterStore(Protocol):
    """Writers and the positions of their logs."""

    async def open_writer(
        self, identity: WriterIdentity, secret_sha256: bytes | None = None, opener: Opener = NOBODY
    ) -> OpenedWriter:
        """Register the writer if it is new, and return how it stands.

        The first secret binds the writer, and so does the first account. PermissionDeniedError: it is bound to another
        secret than this, or than none; or to another account, and this one does not manage its experiment.
        """
        ...

    async def knows_run(self, run_id: UUID) -> bool:
        """Tell whether the run exists."""
        ...


class LeaseStore(Protocol):
    """Which writers are believed to live, by the database's clock."""

    async def hold(self, writers: Mapping[tuple[UUID, UUID], bool], period_ms: int) -> Sequence[UUID]:
        """Let the leases of writers, given as (run, writer), run for a period from now.

        The value says whether the writer's own process lives; then its run, if it was taken for lost, is RUNNING
        again. Returns the runs that came back so. Writers that do not exist (any more) are passed over.
        """
        ...

    async def await_writer(self, run_id: UUID, awaited: AwaitedWriter, period_ms: int) -> None:
        """Expect a writer of a run within a period from now, unless it has one already."""
        ...

    async def release(self, run_id: UUID, writer_id: UUID) -> None:
        """Take a writer's lease back, if it has one."""
        ...

    async def extend_all(self, period_ms: int) -> None:
        """Let no lease run out within a period from now, and no time in which a writer is expected."""
        ...

    async def fail_lost_runs(self, explain: Callable[[LostRun], str]) -> Sequence[LostRun]:
        """Fail the runs of which no lease is valid: FAILED, ended when last heard of, tagged with the explanation.

        The same for those whose first writer was expected, and did not come in time.

        Only active runs that are RUNNING; a bounded number at a time; nothing while another server is at it.
        """
        ...


class BatchStore(Protocol):
    """The way in for what runs log."""

    async def submit(self, batch: Batch) -> Future[Outcome]:
        """Queue the batch and return what will be its outcome, in the end.

        Waits while the queue before the database is full (back-pressure). The batch and the writer's new
        position are committed in one transaction, with fsync, before the outcome is there. Batches of one
        writer are settled in the order in which they were submitted. Data that cannot be stored comes back as
        rejections, behind those that the batch brings along; all of them are noted with the run, bounded.
        `NotFoundError` from the outcome: the writer was never opened.

        The batch of a call is stored whole or, when there are rejections, not at all; of a call that was stored
        before (in the last hour at least), by this server or another one, not again.
        """
        ...
