"""Files to the server or to its bucket: whole or not at all, in parallel, and again where a transfer was cut.

Every attempt begins with BeginUploads, which is harmless to repeat: it says what is there already (the whole file,
parts of it, bytes of it), so an attempt goes on where the last one, or the last process, ended.
"""

import hashlib
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from logging import getLogger

from stepwell import jitter
from stepwell.errors import StepwellException
from stepwell.files import bucket, local, options
from stepwell.files.calls import ArtifactCalls
from stepwell.files.hashing import update
from stepwell.files.local import ChangedError, LocalFile, Problems, Source, opened
from stepwell.files.progress import Bar, Progress
from stepwell_api.v1 import artifacts_pb2

# Small files share messages; larger ones go alone. The server takes 500 files a request and 4 MiB a message.
BATCH_FILES_MAX = 250
BATCH_BYTES_MAX = 3 << 20
# What buckets take.
PARTS_MAX = 10_000
BACKOFF_FIRST_S = 0.25
BACKOFF_MAX_S = 8.0
# A server that is there and says when to come again is believed for so long, whatever the number of attempts.
CROWDED_S = 600.0
# After finding the bucket out of reach, this process sends through the server for so long before it tries again.
OUT_OF_REACH_S = 600.0

# What is about one file and not about the run or the server: the others go on.
_OF_ONE_FILE = "INVALID_PARAMETER_VALUE"
# What may pass by itself.
_RETRIED = ("TEMPORARILY_UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED")

_log = getLogger("stepwell")
_out_of_reach_until: dict[str, float] = {}


class Uploader:
    """Sends files to one run."""

    def __init__(self, uri: str, run_id: str) -> None:
        self._uri = uri
        self._run_id = run_id
        self._calls = ArtifactCalls(uri)

    def upload(
        self, files: Iterable[LocalFile], title: str = "Uploading", problems: Problems | None = None
    ) -> None:
        """Send files as they are when they are opened; each becomes visible when all of it is there.

        What is wrong with one file (it cannot be read, or is rewritten all the time) does not keep the others back.

        Raises:
            StepwellException: what was wrong with single files, at the end, unless `problems` gathers it. What is wrong
                with the run or the server ends the transfer; files that were complete by then stay.
                TEMPORARILY_UNAVAILABLE soon, when the server cannot be reached at all: then more attempts would only
                take longer.
        """
        self._calls.reach()
        found = problems if problems is not None else Problems()
        given = list(files)
        listed = [(file, file.size_bytes) for file in found.readable(given)]
        with (
            Bar(title, sum(size for _, size in listed), len(listed)) as bar,
            bucket.Session(self._uri) as session,
            ThreadPoolExecutor(options.files_at_once(), "stepwell-upload") as threads,
        ):
            under_way = [
                threads.submit(self._send_batch, batch, bar, session, found) for batch in _batches(listed)
            ]
            try:
                for batch in under_way:
                    batch.result()
            except BaseException:
                threads.shutdown(wait=False, cancel_futures=True)
                raise
        if problems is None:
            found.tell(alone=len(given) == 1)

    def _send_batch(
        self, files: Sequence[LocalFile], bar: Bar, session: bucket.Session, problems: Problems
    ) -> None:
        """Send files that share their calls; where something is wrong with one of them, each by itself."""
        try:
            self._send_together(files, bar, session, problems)
        except StepwellException as failure:
            if not isinstance(failure, ChangedError) and failure.error_code != _OF_ONE_FILE:
                raise
            if len(files) == 1:
                problems.add(failure, files[0].source)
                return
            for file in files:
                self._send_batch([file], bar, session, problems)

    def _send_together(
        self, files: Sequence[LocalFile], bar: Bar, session: bucket.Session, problems: Problems
    ) -> None:
        """Send files that share their calls, trying again while there is progress."""
        attempts = Attempts()
        while True:
            counted = Counted(bar)
            try:
                with opened(files, problems) as sources:
                    if sources:
                        self._attempt(sources, counted, session)
                return
            except (StepwellException, bucket.BucketError) as failure:
                attempts.failed(self._translated(failure), reached=counted.take_back())

    def _attempt(self, sources: Sequence[Source], counted: "Counted", session: bucket.Session) -> None:
        plans = self._begin(sources)
        try:
            finished = self._send_planned(list(zip(sources, plans, strict=True)), counted, session)
            for source in sources:
                source.require_unchanged()
            if finished:
                self._complete(finished, sum(source.size_bytes for source in sources))
        except (StepwellException, bucket.BucketError) as failure:
            for source in sources:
                source.require_unchanged()  # else that is the reason
            if not isinstance(failure, StepwellException) or failure.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            # The run was there a moment ago: somebody completed the same upload, or it was given up. Begin again.
            raise StepwellException(failure.message, "TEMPORARILY_UNAVAILABLE") from failure

    def _begin(self, sources: Sequence[Source]) -> Sequence[artifacts_pb2.UploadPlan]:
        return self._calls.begin(self._run_id, [source.spec for source in sources], direct=self._direct())

    def _complete(self, finished: Sequence[artifacts_pb2.FinishedUpload], count: int) -> None:
        self._calls.complete(self._run_id, finished, count)

    def _send_planned(
        self,
        planned: Sequence[tuple[Source, artifacts_pb2.UploadPlan]],
        counted: "Counted",
        session: bucket.Session,
    ) -> list[artifacts_pb2.FinishedUpload]:
        """Send what the plans leave to do, and return the uploads to complete."""
        finished, small = [], []
        for source, plan in planned:
            parts: Sequence[artifacts_pb2.PartTag] = ()
            way = plan.WhichOneof("way")
            if way == "already_there":
                counted.add(source.size_bytes)
                continue
            if way == "put":
                sha256 = source.spec.sha256 if plan.put.checksum_signed else b""
                session.put(plan.put.url, source.descriptor, 0, source.size_bytes, counted.add, sha256)
            elif way == "parts":
                parts = PartsUpload(self._calls, self._run_id, plan, source, counted, session).send()
            elif source.is_small:
                small.append(artifacts_pb2.SmallFile(upload_id=plan.upload_id, data=source.read()))
                counted.add(source.size_bytes)
            else:
                self._stream(source, plan.upload_id, counted)
            finished.append(artifacts_pb2.FinishedUpload(upload_id=plan.upload_id, parts=parts))
        if small:
            self._calls.upload_small(self._run_id, small)
        return finished

    def _stream(self, source: Source, upload_id: str, counted: "Counted") -> None:
        held = self._calls.held_bytes(self._run_id, upload_id)
        counted.add(held)
        self._calls.upload(self._run_id, upload_id, source.descriptor, held, source.size_bytes, counted.add)

    def _direct(self) -> bool:
        """Tell whether to try the bucket itself."""
        return goes_direct(self._uri)

    def _translated(self, failure: Exception) -> StepwellException:
        if isinstance(failure, StepwellException):
            return failure
        if isinstance(failure, bucket.UnreachableError) and options.transfer() == "auto":
            out_of_reach(self._uri, failure)
        elif isinstance(failure, bucket.UntrustedError):
            return StepwellException(f"The bytes were not sent: {failure}.", "PERMISSION_DENIED")
        return StepwellException(
            f"The artifact store did not take the bytes: {failure}.", "TEMPORARILY_UNAVAILABLE"
        )


class PartsUpload:
    """One file that goes to a bucket in parts, several at once."""

    def __init__(
        self,
        calls: ArtifactCalls,
        run_id: str,
        plan: artifacts_pb2.UploadPlan,
        source: Source,
        counted: "Counted",
        session: bucket.Session,
    ) -> None:
        self._calls = calls
        self._run_id = run_id
        self._upload_id = plan.upload_id
        self._part_bytes = plan.parts.part_bytes
        if source.size_bytes > PARTS_MAX * max(self._part_bytes, 0):
            raise StepwellException(
                f"The server plans parts of {self._part_bytes} bytes for {source.file.source}, which has "
                f"{source.size_bytes}; buckets take {PARTS_MAX:,} parts.",
                "INTERNAL_ERROR",
            )
        self._held = {part.number: part.etag for part in plan.parts.held}
        self._source = source
        self._counted = counted
        self._session = session

    def send(self) -> list[artifacts_pb2.PartTag]:
        """Send the parts that the bucket does not hold; returns the tags of all."""
        count = -(-self._source.size_bytes // self._part_bytes)
        numbers = range(1, count + 1)
        with ThreadPoolExecutor(options.parts_at_once(), "stepwell-parts") as threads:
            try:
                tags = list(threads.map(self._part, numbers))
            except BaseException:
                threads.shutdown(wait=True, cancel_futures=True)
                raise
        return [
            artifacts_pb2.PartTag(number=number, etag=tag) for number, tag in zip(numbers, tags, strict=True)
        ]

    def _part(self, number: int) -> str:
        offset = (number - 1) * self._part_bytes
        count = min(self._part_bytes, self._source.size_bytes - offset)
        if self._holds(number, offset, count):
            self._counted.add(count)
            return self._held[number]
        digest = hashlib.sha256()
        update(digest, self._source.descriptor, offset, count)
        sha256 = digest.digest()
        attempts = Attempts()
        while True:
            counted = Counted(self._counted)
            try:
                url, is_signed = self._calls.sign_part(self._run_id, self._upload_id, number, sha256)
                return self._session.put(
                    url, self._source.descriptor, offset, count, counted.add, sha256 if is_signed else b""
                )
            except (bucket.TransientError, bucket.RefusedError) as failure:
                counted.take_back()
                attempts.failed(failure)
            except BaseException:
                counted.take_back()
                raise

    def _holds(self, number: int, offset: int, count: int) -> bool:
        """Tell whether the bucket has this part from an earlier attempt, and it is the same."""
        if number not in self._held:
            return False
        return bucket.has_tag(self._held[number], self._source.descriptor, offset, count)


class Attempts:
    """Counts failures without progress, waits longer after each, and gives up in the end."""

    def __init__(self) -> None:
        self._count = 0
        self._best = 0
        self._sent_away = 0
        self._begun_s = time.monotonic()

    def failed(self, failure: Exception, *, reached: int = 0) -> None:
        """Wait before the next attempt; `reached` is how many bytes this one brought to their place.

        Raises:
            Exception: the failure, when it is final or there were enough attempts that got no further.
        """
        again_s = failure.retry_after_s if isinstance(failure, StepwellException) else None
        if again_s is not None and time.monotonic() - self._begun_s < CROWDED_S:
            pause_s = min(BACKOFF_MAX_S, max(again_s, BACKOFF_FIRST_S) * 2**self._sent_away)
            self._sent_away = min(self._sent_away + 1, 10)
            time.sleep(jitter.between(pause_s / 2, pause_s))
            return
        self._count = 1 if reached > self._best else self._count + 1
        self._best = max(self._best, reached)
        final = isinstance(failure, StepwellException) and not (
            failure.error_code in _RETRIED or isinstance(failure, ChangedError)
        )
        if final or self._count >= options.attempts():
            raise failure
        pause_s = min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2 ** (self._count - 1))
        time.sleep(jitter.between(pause_s / 2, pause_s))


class Counted:
    """Progress that can be taken back when the bytes have to travel again. For any thread."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._lock = threading.Lock()
        self._count = 0

    def add(self, count: int) -> None:
        """See `Progress`."""
        with self._lock:
            self._count += count
        self._progress.add(count)

    def take_back(self) -> int:
        """Take note that all of it has to travel again; returns how much it was."""
        count = self._count
        self.add(-count)
        return count


def goes_direct(uri: str) -> bool:
    """Tell whether to try the bucket itself."""
    wish = options.transfer()
    if wish == "auto":
        return time.monotonic() >= _out_of_reach_until.get(uri, 0.0)
    return wish == "direct"


def out_of_reach(uri: str, failure: Exception) -> None:
    """Let transfers of this process go through the server for a while."""
    _out_of_reach_until[uri] = time.monotonic() + OUT_OF_REACH_S
    _log.warning("The bucket is out of reach (%s); artifacts go through the server.", failure)


def _batches(files: Iterable[tuple[LocalFile, int]]) -> Iterator[list[LocalFile]]:
    """Gather small files into batches; a larger one is a batch of its own."""
    batch: list[LocalFile] = []
    gathered = 0
    for file, size in files:
        if size > local.SMALL_FILE_BYTES_MAX:
            yield [file]
            continue
        if batch and (len(batch) == BATCH_FILES_MAX or gathered + size > BATCH_BYTES_MAX):
            yield batch
            batch, gathered = [], 0
        batch.append(file)
        gathered += size
    if batch:
        yield batch
