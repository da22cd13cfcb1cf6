"""The way to one server: a channel, the services behind it, and calls from any thread.

Errors of gRPC become StepwellException here and nowhere else, except for the streams, which come back.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterable, Awaitable, Callable, Iterator
from contextlib import suppress
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast
from uuid import UUID

import grpc
import grpc.aio

from stepwell import errors, jitter, settings
from stepwell.addresses import Address
from stepwell.errors import StepwellException
from stepwell.spool import addresses
from stepwell.wire import background, several, tls
from stepwell.wire.channels import open_channel
from stepwell.wire.credentials import authorization
from stepwell.wire.diagnosis import listens, why_unreachable
from stepwell.wire.door import NoDoorError, ask_until
from stepwell.wire.showing import ShowingChannel

if TYPE_CHECKING:
    from stepwell_api.v1.access_pb2_grpc import AccessServiceAsyncStub, AccountServiceAsyncStub
    from stepwell_api.v1.alerts_pb2_grpc import AlertServiceAsyncStub
    from stepwell_api.v1.artifacts_pb2_grpc import ArtifactServiceAsyncStub
    from stepwell_api.v1.histograms_pb2_grpc import HistogramServiceAsyncStub
    from stepwell_api.v1.ingest_pb2_grpc import IngestServiceAsyncStub
    from stepwell_api.v1.models_pb2_grpc import LoggedModelServiceAsyncStub
    from stepwell_api.v1.places_pb2_grpc import ArtifactPlaceServiceAsyncStub
    from stepwell_api.v1.registry_pb2_grpc import (
        ModelVersionServiceAsyncStub,
        RegisteredModelServiceAsyncStub,
    )
    from stepwell_api.v1.runs_pb2_grpc import ExperimentServiceAsyncStub, RunServiceAsyncStub
    from stepwell_api.v1.search_pb2_grpc import SearchServiceAsyncStub
    from stepwell_api.v1.series_pb2_grpc import SeriesServiceAsyncStub
    from stepwell_api.v1.webhooks_pb2_grpc import WebhookServiceAsyncStub
    from stepwell_api.v1.writers_pb2_grpc import WriterServiceAsyncStub

T = TypeVar("T")
Message = TypeVar("Message", covariant=True)

# How long one call may take, once the server is reached.
CALL_TIMEOUT_S = 60.0
# A call that the server refuses because a limit of its own is reached, with a time, is made so often in all.
REFUSED_TRIES_MAX = 6
# Of several servers, one that takes connections and does not answer is passed over after so long.
PLACE_S = 2.0
AGAIN_S = 0.2
# So long may calls go on that are under way at a server that is left for another one.
LEFT_GRACE_S = 30.0


class _MessageStream(Protocol[Message]):
    """What is needed of a call that answers with a stream."""

    def read(self) -> Awaitable[Message]: ...
    def cancel(self) -> bool: ...


def _service(file: str, name: str) -> Any:
    """Return an attribute of Connection: a service of stepwell_api, imported and opened by who needs it first."""

    def open_service(connection: "Connection") -> Any:
        module = import_module(f"stepwell_api.v1.{file}_pb2_grpc")
        return getattr(module, f"{name}Stub")(connection._open())

    return cached_property(open_service)


class Connection:
    """One server, as this process sees it. Its services are for the loop of `background`; `call` is for others.

    A service is imported by who needs it first: a training loop needs few, and each takes memory.
    """

    experiments: "ExperimentServiceAsyncStub" = _service("runs", "ExperimentService")
    runs: "RunServiceAsyncStub" = _service("runs", "RunService")
    # The stream of what is logged.
    ingest: "IngestServiceAsyncStub" = _service("ingest", "IngestService")
    # Points.
    series: "SeriesServiceAsyncStub" = _service("series", "SeriesService")
    histograms: "HistogramServiceAsyncStub" = _service("histograms", "HistogramService")
    alerts: "AlertServiceAsyncStub" = _service("alerts", "AlertService")
    search: "SearchServiceAsyncStub" = _service("search", "SearchService")
    writers: "WriterServiceAsyncStub" = _service("writers", "WriterService")
    models: "LoggedModelServiceAsyncStub" = _service("models", "LoggedModelService")
    # Registered models.
    registered_models: "RegisteredModelServiceAsyncStub" = _service("registry", "RegisteredModelService")
    model_versions: "ModelVersionServiceAsyncStub" = _service("registry", "ModelVersionService")
    webhooks: "WebhookServiceAsyncStub" = _service("webhooks", "WebhookService")
    # Accounts, and what they may do.
    access: "AccessServiceAsyncStub" = _service("access", "AccessService")
    accounts: "AccountServiceAsyncStub" = _service("access", "AccountService")
    # Artifacts, but for their content.
    artifacts: "ArtifactServiceAsyncStub" = _service("artifacts", "ArtifactService")
    places: "ArtifactPlaceServiceAsyncStub" = _service("places", "ArtifactPlaceService")

    def __init__(self, uri: str) -> None:
        # What people call the server, and where its gRPC is: the same, unless they name it by its HTTP address.
        self.address = settings.parse_uri(uri)
        # That of them which answered last, or will be asked first.
        self._place = self.address.places[0]
        self._grpc = None if self._place.page else self._place
        self._is_distrusted = False
        # Where the next connection shall lead, because a run of this process logs there; only the first one says so.
        self._wished: Address | None = None
        self._has_wished = False
        # Who looks for a place now, for all who want one; and channels to places that were left.
        self._finding: asyncio.Task[str] | None = None
        self._left: dict[asyncio.Task[None], grpc.aio.Channel] = {}
        self._source = settings.source_of(uri)
        self._channel: grpc.aio.Channel | None = None
        # Whom a channel with TLS believes: see `tls.channel_roots`.
        self._believed: tuple[bytes | None, str] = None, ""
        # Why the last attempt to reach it failed; empty when it did not.
        self._away_because = ""

    @cached_property
    def upload(self) -> Any:
        """The stream of an artifact's content to the server."""
        from stepwell.wire import pieces

        return pieces.upload_call(self._open())

    @cached_property
    def download(self) -> Any:
        """The stream of an artifact's content from the server."""
        from stepwell.wire import pieces

        return pieces.download_call(self._open())

    def call(
        self, make_call: Callable[["Connection"], Awaitable[T]], timeout_s: float | None = CALL_TIMEOUT_S
    ) -> T:
        """Make one call and return its answer.

        Raises:
            StepwellException: what the server answered; TEMPORARILY_UNAVAILABLE when it cannot be reached within
                STEPWELL_REACH_TIMEOUT_S; DEADLINE_EXCEEDED when the answer takes longer than `timeout_s`,
                which is None where an answer takes what it takes.
        """
        return background.run(lambda: self._call(make_call, timeout_s))

    def stream(
        self,
        make_call: Callable[["Connection"], AsyncIterable[T]],
        message_timeout_s: Callable[[], float] = lambda: CALL_TIMEOUT_S,
    ) -> Iterator[T]:
        """Make one call that answers with a stream, and yield its messages; leaving the loop ends the call.

        Raises:
            StepwellException: as `call`; each message may take `message_timeout_s`, asked anew for each.
        """
        for tries_left in range(REFUSED_TRIES_MAX - 1, -1, -1):
            came = False
            try:
                for message in self._stream_once(make_call, message_timeout_s):
                    came = True
                    yield message
                return
            except StepwellException as refused:
                if came or refused.retry_after_s is None or not tries_left:
                    raise
                pause_s = refused.retry_after_s
            time.sleep(jitter.between(pause_s, 2 * pause_s))

    def _stream_once(
        self, make_call: Callable[["Connection"], AsyncIterable[T]], message_timeout_s: Callable[[], float]
    ) -> Iterator[T]:
        call = background.run(lambda: self._start(make_call))
        try:
            while (message := background.run(lambda: self._next(call, message_timeout_s()))) is not None:
                yield message
        finally:
            background.call_soon(call.cancel)

    async def _start(self, make_call: Callable[["Connection"], AsyncIterable[T]]) -> "_MessageStream[T]":
        await self.reach(settings.reach_timeout_s())
        return cast("_MessageStream[T]", make_call(self))

    async def _next(self, call: "_MessageStream[T]", timeout_s: float) -> T | None:
        message = await self.answer(call.read(), timeout_s)
        return None if message is grpc.aio.EOF else message

    async def _call(self, make_call: Callable[["Connection"], Awaitable[T]], timeout_s: float | None) -> T:
        await self.reach(settings.reach_timeout_s())
        for _ in range(REFUSED_TRIES_MAX - 1):
            try:
                return await self.answer(make_call(self), timeout_s)
            except StepwellException as refused:
                if refused.retry_after_s is None:
                    raise
                pause_s = refused.retry_after_s
            await asyncio.sleep(jitter.between(pause_s, 2 * pause_s))
        return await self.answer(make_call(self), timeout_s)

    async def answer(self, answer: Awaitable[T], timeout_s: float | None) -> T:
        """Wait for an answer in the loop; raises as `call`."""
        try:
            async with asyncio.timeout(timeout_s):
                return await answer
        except grpc.aio.AioRpcError as error:
            failure = errors.from_rpc(error, self._place.target)
        except TimeoutError:
            message = f"The server {self._place.target} did not answer within {timeout_s:g} s."
            failure = StepwellException(message, "DEADLINE_EXCEEDED")
        # Raised here, so that whoever keeps the exception does not keep gRPC's with its call and channel: they
        # would stay alive through a fork.
        del answer
        raise failure

    def check(self, timeout_s: float) -> None:
        """Return when the server is connected; raises like `reach`."""
        background.run(lambda: self.reach(timeout_s))

    async def reach(self, timeout_s: float) -> None:
        """Return when the server is connected.

        Raises:
            StepwellException: TEMPORARILY_UNAVAILABLE when the time is up; at once in offline mode, and when the server
                was away the last time and still nobody listens there.
        """
        if settings.is_offline():
            raise StepwellException(
                "STEPWELL_MODE is offline: this process asks no server. Deliver what it logs with 'stepwell sync' and "
                "read then, or read where STEPWELL_MODE is not set.",
                "TEMPORARILY_UNAVAILABLE",
            )
        if self._away_because and not await self._listens():
            raise self._unreachable(self._away_because, "still")
        if self.address.others:
            await self._reach_any(timeout_s)
        else:
            await self._reach_place(timeout_s)
        self._away_because = ""

    def distrust(self) -> None:
        """Go to another server next time, if the address names others and one of them answers."""
        self._is_distrusted = bool(self.address.others)

    def prefer(self, run_id: UUID) -> None:
        """Go where runs of its shard go, if the address names several servers; a process does so for its first run."""
        if self.address.others and not self._has_wished:
            self._has_wished = True
            self._wished = several.of_run(self.address.places, run_id)

    async def _reach_place(self, timeout_s: float) -> None:
        started = time.monotonic()
        if self._place.page and not self._is_connected():
            await self._locate(timeout_s)
        remaining_s = max(0.0, timeout_s - (time.monotonic() - started))
        if not await self._is_ready_within(remaining_s):
            failure = self._unreachable(await self._why(), f"tried for {timeout_s:g} s")
            if self._grpc is not None and self._grpc.secure:
                await self._close()  # the next attempt reads the files of certificates again
            raise failure

    async def _reach_any(self, timeout_s: float) -> None:
        if self._is_connected() and not self._is_distrusted and self._wished in (None, self._place):
            return
        if self._finding is None or self._finding.done():
            self._finding = asyncio.create_task(self._find(timeout_s))
        reason = await asyncio.shield(self._finding)
        if reason:
            raise self._unreachable(reason, f"tried for {timeout_s:g} s")

    async def _find(self, timeout_s: float) -> str:
        """Connect to one of the places; returns why that was none."""
        end = time.monotonic() + timeout_s
        while True:
            first, self._wished = self._wished or self._place, None
            for place in await several.in_turn(
                self.address.places, first, is_distrusted=self._is_distrusted and first == self._place
            ):
                self._go_to(place)
                with suppress(StepwellException):
                    await self._reach_place(min(PLACE_S, timeout_s))
                    self._is_distrusted = False
                    return ""
            if time.monotonic() + AGAIN_S >= end:
                return await several.why_none(self.address.places)
            await asyncio.sleep(AGAIN_S)

    def _go_to(self, place: Address) -> None:
        """Leave the place of before, if it is another one; calls that are under way there may end there."""
        if place == self._place:
            return
        channel = self._forget_channel()
        self._place, self._grpc = place, None if place.page else place
        if channel is not None:
            end = asyncio.create_task(channel.close(LEFT_GRACE_S))
            self._left[end] = channel
            end.add_done_callback(lambda _: self._left.pop(end, None))

    async def _is_ready_within(self, timeout_s: float) -> bool:
        assert self._grpc is not None
        if self._channel is None and self._grpc.secure:
            try:
                self._believed = await tls.channel_roots(self._grpc, timeout_s)
            except OSError:
                return False
        return await _succeeds_within(timeout_s, self._open().channel_ready())

    def remember(self) -> None:
        """Keep in the spools' place where gRPC is, for times in which the HTTP address does not say it."""
        if self._place.page and self._grpc is not None:
            addresses.remember(self._place.page, self._grpc)

    def _is_connected(self) -> bool:
        return self._channel is not None and self._channel.get_state() == grpc.ChannelConnectivity.READY

    async def _listens(self) -> bool:
        """Tell whether somebody takes connections at the server's address, or where its gRPC was."""
        found = await asyncio.gather(*map(listens, self.address.places))
        return any(found) or bool(self._grpc and await listens(self._grpc))

    async def _locate(self, timeout_s: float) -> None:
        """Ask the HTTP address where gRPC is, until it says so; it may have moved since the last time."""
        try:
            found = await ask_until(self._place.page, timeout_s)
        except NoDoorError as error:
            known = (self._grpc or addresses.recall(self._place.page)) if error.hidden else None
            if known is None:
                raise self._unreachable(str(error), f"tried for {timeout_s:g} s") from None
            found = known
        if found != self._grpc:
            await self._close()
            self._grpc = found

    async def _why(self) -> str:
        assert self._grpc is not None
        reason = await why_unreachable(self._grpc)
        if not self._place.page:
            return reason
        return (
            f"its HTTP answers, but its gRPC at {self._grpc.target} does not: {reason}. A proxy or a firewall may "
            "let only HTTP through; open that port too, or let the server tell another way to it with "
            "--advertise-grpc HOST:PORT"
        )

    def _unreachable(self, reason: str, how_tried: str) -> StepwellException:
        self._away_because = reason
        named = f"{self._source}; " if self._source else ""
        return StepwellException(
            f"No Stepwell server answers at {self.address.name} ({named}{how_tried}): {reason}. "
            "Start one with 'stepwell server', or name another with STEPWELL_TRACKING_URI or set_tracking_uri().",
            "TEMPORARILY_UNAVAILABLE",
        )

    def _open(self) -> grpc.aio.Channel:
        # Here and not at construction: channels belong to the loop that runs when they are made.
        if self._channel is None:
            assert self._grpc is not None, "nobody reached for the server before"
            channel = open_channel(self._grpc, *self._believed)
            self._channel = cast(
                "grpc.aio.Channel", ShowingChannel(channel, lambda: authorization(self.address))
            )
            background.on_stop(self._close)
        return self._channel

    async def _close(self) -> None:
        channel = self._forget_channel()
        for each in (*self._left.values(), *([channel] if channel else [])):
            await each.close()
        self._left.clear()

    def _forget_channel(self) -> grpc.aio.Channel | None:
        """Return the channel, for who closes it; gRPC ends its own thread when nothing refers to one any more."""
        channel, self._channel = self._channel, None
        for service in vars(self).keys() - _NO_SERVICES:
            delattr(self, service)
        return channel


_NO_SERVICES = {
    *("address", "_place", "_grpc", "_source", "_channel", "_believed", "_away_because"),
    *("_is_distrusted", "_finding", "_left", "_wished", "_has_wished"),
}
_connections: dict[str, Connection] = {}


def connect(uri: str) -> Connection:
    """Return this process's connection to a server; it is opened with the first call."""
    return _connections.setdefault(uri, Connection(uri))


def connected() -> list[str]:
    """Return the servers that this process has spoken with, or tried to."""
    return list(_connections)


async def _succeeds_within(timeout_s: float, attempt: Awaitable[None]) -> bool:
    try:
        async with asyncio.timeout(timeout_s):
            await attempt
    except TimeoutError:
        return False
    return True


os.register_at_fork(after_in_child=_connections.clear)
