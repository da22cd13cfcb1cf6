"""Artifacts to local files: whole and with the right SHA-256, or not at all; in parallel, and resumed where it was cut.

The bytes gather in `<name>.<random>.part` beside the target and are moved there when all of them are right.
"""

import hashlib
import os
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from stepwell.errors import StepwellException
from stepwell.files import bucket, options, paths
from stepwell.files.calls import ArtifactCalls
from stepwell.files.hashing import update
from stepwell.files.local import SMALL_FILE_BYTES_MAX
from stepwell.files.progress import Bar, Progress
from stepwell.files.uploads import Attempts, goes_direct, out_of_reach
from stepwell_api.v1 import artifacts_pb2

# Straight from a bucket, ranges of this size travel at once.
RANGE_BYTES = 16 << 20
# Files of a folder that wait for a thread: the listing of a large folder is read as it is needed.
WAITING_FILES_MAX = 1_000
# An address of a listing is used for so long after it came; later, another one is asked for.
ADDRESS_FRESH_S = 60.0
# Small files straight from a bucket: each waits for an answer most of the time.
SMALL_FACTOR = 4
SUFFIX = ".part"


class Downloader:
    """Fetches artifacts of one run, while the context lasts."""

    def __init__(self, uri: str, run_id: str) -> None:
        self._uri = uri
        self._run_id = run_id
        self._calls = ArtifactCalls(uri)
        # Known after the first file: whether there is a bucket to fetch from.
        self._direct = goes_direct(uri)
        self._session = bucket.Session(uri)
        self._at_once = options.files_at_once()
        self._room = threading.Semaphore(self._at_once)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._session.__exit__(kind, error, traceback)

    def download(self, path: str, destination: Path) -> Path:
        """Fetch a file, or a folder with all below it ("" is everything), to its path below a local folder.

        Returns:
            Where the file or folder is now.

        Raises:
            StepwellException: RESOURCE_DOES_NOT_EXIST when there is neither; what was whole by then stays.
        """
        destination.mkdir(parents=True, exist_ok=True)
        file = self._file(path)
        if file is not None:
            with Bar("Downloading", file.artifact.size_bytes, 1) as bar:
                return self._fetch(file, destination, bar)
        self._fetch_folder(path, destination)
        return destination / path if path else destination

    def read(self, path: str, destination: Path) -> Path:
        """Fetch one file. Raises StepwellException RESOURCE_DOES_NOT_EXIST when it is none."""
        with Bar("Downloading", 0, 1) as bar:
            return self._fetch(self._calls.get(self._run_id, path, direct=self._direct), destination, bar)

    def _file(self, path: str) -> artifacts_pb2.GetArtifactResponse | None:
        try:
            return self._calls.get(self._run_id, path, direct=self._direct) if path else None
        except StepwellException as failure:
            if failure.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None

    def _fetch_folder(self, path: str, destination: Path) -> None:
        count = total = 0
        for artifact in self._calls.list(self._run_id, path, recursive=True):
            count, total = count + 1, total + artifact.size_bytes
        if not count and path:
            raise StepwellException(
                f"{'Model' if self._run_id.startswith('m-') else 'Run'} {self._run_id} has no artifact {path!r}.",
                "RESOURCE_DOES_NOT_EXIST",
            )
        with (
            Bar("Downloading", total, count) as bar,
            ThreadPoolExecutor(self._at_once * SMALL_FACTOR, "stepwell-download") as threads,
        ):
            _all_done(threads, self._fetches(path, destination, bar))

    def _fetches(self, path: str, destination: Path, bar: Progress) -> Iterator[Callable[[], object]]:
        """Yield a call for each file below a folder; the listing is read again as they are made."""
        pages: Iterable[Iterable[artifacts_pb2.Artifact]] = (
            self._calls.addressed_pages(self._run_id, path)
            if self._direct
            else (self._calls.list(self._run_id, path, recursive=True),)
        )
        for page in pages:
            said_s = time.monotonic()
            for artifact in page:
                yield partial(self._fetch_listed, artifact, said_s, destination, bar)

    def _fetch_listed(
        self, artifact: artifacts_pb2.Artifact, said_s: float, destination: Path, bar: Progress
    ) -> None:
        is_fresh = bool(artifact.url) and time.monotonic() - said_s < ADDRESS_FRESH_S
        if self._direct and not is_fresh:
            self._fetch(self._calls.get(self._run_id, artifact.path, direct=True), destination, bar)
        else:
            found = artifacts_pb2.GetArtifactResponse(artifact=artifact, url=artifact.url)
            self._fetch(found, destination, bar)

    def _fetch(self, found: artifacts_pb2.GetArtifactResponse, destination: Path, bar: Progress) -> Path:
        self._direct = self._direct and bool(found.url) and self._may_use(found.url)
        target = paths.target_below(destination, found.artifact.path)
        with _part_file(target) as (part, descriptor):
            fetching = _Fetching(self._calls, self._session, self._run_id, found, descriptor, bar)
            attempts = Attempts()
            while not fetching.done():
                try:
                    with self._room_for(found.artifact):
                        fetching.attempt(direct=self._direct)
                except (StepwellException, bucket.BucketError) as failure:
                    attempts.failed(self._translated(failure), reached=fetching.reached)
                    fetching.look_again(direct=self._direct)
            part.replace(target)
        return target

    def _room_for(self, artifact: artifacts_pb2.Artifact) -> AbstractContextManager[object]:
        """Return what is held while a file travels: large ones, and all through the server, are fewer at once."""
        is_small = artifact.size_bytes <= SMALL_FILE_BYTES_MAX
        return nullcontext() if self._direct and is_small else self._room

    def _may_use(self, url: str) -> bool:
        """Tell whether to fetch from an address that the server names; says once that it goes another way."""
        if self._session.may_use(url):
            return True
        untrusted = bucket.UntrustedError(bucket.untrusted(urlsplit(url).netloc))
        if options.transfer() == "direct":
            raise StepwellException(f"Nothing was fetched: {untrusted}.", "PERMISSION_DENIED")
        out_of_reach(self._uri, untrusted)
        return False

    def _translated(self, failure: Exception) -> StepwellException:
        if isinstance(failure, StepwellException):
            if failure.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_STATE"):
                # Replaced or removed since it was looked up; looking again tells which.
                return StepwellException(failure.message, "TEMPORARILY_UNAVAILABLE")
            return failure
        if isinstance(failure, bucket.UnreachableError) and options.transfer() == "auto":
            out_of_reach(self._uri, failure)
            self._direct = False
        return StepwellException(
            f"The artifact store did not give the bytes: {failure}.", "TEMPORARILY_UNAVAILABLE"
        )


class _Fetching:
    """One artifact on its way into an open file."""

    def __init__(
        self,
        calls: ArtifactCalls,
        session: bucket.Session,
        run_id: str,
        found: artifacts_pb2.GetArtifactResponse,
        descriptor: int,
        bar: Progress,
    ) -> None:
        self._calls = calls
        self._session = session
        self._run_id = run_id
        self._found = found
        self._descriptor = descriptor
        self._bar = bar
        self._held: dict[int, int] = {}  # bytes that are there, by the offset at which their range begins
        # Of the first bytes, hashed as they came; what came out of order is read again at the end.
        self._digest = hashlib.sha256()
        self._digested = 0
        self._whole = False

    @property
    def reached(self) -> int:
        """How many bytes are there."""
        return sum(self._held.values())

    def done(self) -> bool:
        """Tell whether all bytes are there and right."""
        return self._whole

    def attempt(self, *, direct: bool) -> None:
        """Fetch what is missing, and check the whole."""
        if direct and self._found.url:
            self._fetch_ranges()
        else:
            self._stream()
        self._check()

    def look_again(self, *, direct: bool) -> None:
        """Ask for a fresh address; begin anew if the artifact was replaced meanwhile."""
        found = self._calls.get(self._run_id, self._found.artifact.path, direct=direct)
        if found.artifact.sha256 != self._found.artifact.sha256:
            self._begin_anew()
        self._found = found

    def _stream(self) -> None:
        # What ranges left behind is not in one piece.
        if set(self._held) - {0}:
            self._begin_anew()
        self._calls.download(self._run_id, self._found.artifact, self._held.get(0, 0), self._take)

    def _take(self, piece: memoryview, offset: int) -> None:
        size = self._found.artifact.size_bytes
        if offset + len(piece) > size:
            raise StepwellException(
                f"The server sends more of artifact {self._found.artifact.path!r} than the {size} bytes that it has; "
                "nothing was kept of it."
            )
        _write_all(self._descriptor, piece, offset)
        if offset == self._digested:
            self._digest.update(piece)
            self._digested += len(piece)
        self._adder(0)(len(piece))

    def _fetch_ranges(self) -> None:
        size = self._found.artifact.size_bytes
        if size <= RANGE_BYTES:
            self._fetch_range(0, size)
            return
        with ThreadPoolExecutor(options.parts_at_once(), "stepwell-ranges") as threads:
            _all_done(
                threads,
                (
                    partial(self._fetch_range, offset, min(RANGE_BYTES, size - offset))
                    for offset in range(0, size, RANGE_BYTES)
                ),
            )

    def _fetch_range(self, offset: int, count: int) -> None:
        held = min(self._held.get(offset, 0), count)
        self._session.get(self._found.url, self._descriptor, offset + held, count - held, self._adder(offset))

    def _adder(self, offset: int) -> Callable[[int], None]:
        def add(count: int) -> None:
            self._held[offset] = self._held.get(offset, 0) + count
            self._bar.add(count)

        return add

    def _check(self) -> None:
        self._digested += update(self._digest, self._descriptor, self._digested)
        artifact = self._found.artifact
        count, found = self._digested, self._digest.hexdigest()
        if count != artifact.size_bytes or found != artifact.sha256.hex():
            self._begin_anew()
            raise StepwellException(
                f"What arrived of artifact {artifact.path!r} is not what was logged: {count} bytes with the SHA-256 "
                f"{found} instead of {artifact.size_bytes} bytes with {artifact.sha256.hex()}.",
                "TEMPORARILY_UNAVAILABLE",
            )
        self._whole = True

    def _begin_anew(self) -> None:
        self._bar.add(-self.reached)
        self._held.clear()
        self._digest, self._digested = hashlib.sha256(), 0
        os.ftruncate(self._descriptor, 0)


@contextmanager
def _part_file(target: Path) -> Iterator[tuple[Path, int]]:
    """Make the file in which bytes gather; it is gone at the end unless it was moved."""
    # A long name must not become too long.
    part = target.with_name(f"{target.name[:60]}.{secrets.token_hex(8)}{SUFFIX}")
    descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        yield part, descriptor
    finally:
        os.close(descriptor)
        part.unlink(missing_ok=True)


def _write_all(descriptor: int, data: memoryview, offset: int) -> None:
    while data:
        written = os.pwrite(descriptor, data, offset)
        data, offset = data[written:], offset + written


def _all_done(threads: ThreadPoolExecutor, calls: Iterable[Callable[[], object]]) -> None:
    """Make calls in threads, a bounded number waiting; a failure stops what has not begun."""
    under_way: deque[Future[object]] = deque()
    try:
        for call in calls:
            under_way.append(threads.submit(call))
            if len(under_way) >= WAITING_FILES_MAX:
                under_way.popleft().result()
        while under_way:
            under_way.popleft().result()
    except BaseException:
        threads.shutdown(wait=True, cancel_futures=True)
        raise
