"""How a stream ends that delivers."""

import asyncio
from collections.abc import AsyncIterator

import grpc.aio
import pytest

from stepwell.delivery.shipper import Call, _until_the_end, _write
from stepwell_api.v1 import ingest_pb2, ingest_pb2_grpc


class Ingest(ingest_pb2_grpc.IngestServiceServicer):
    """Ends every stream at once, with a reason or without."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    async def Stream(
        self,
        request_iterator: AsyncIterator[ingest_pb2.StreamRequest],
        context: grpc.aio.ServicerContext,  # type: ignore[type-arg]
    ) -> None:
        if self._reason:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, self._reason)


class Server:
    """Ends the stream as soon as it hears that nothing more comes, before the client's call returns."""

    def __init__(self) -> None:
        self.told = asyncio.Event()

    async def done_writing(self) -> None:
        self.told.set()
        await asyncio.sleep(0.01)


async def sent() -> None:
    await asyncio.sleep(0)


async def test_an_answer_that_overtakes_the_end_of_the_sending_is_no_failure() -> None:
    call = Server()
    sender, receiver = asyncio.create_task(sent()), asyncio.create_task(call.told.wait())
    await _until_the_end(call, sender, receiver)  # type: ignore[arg-type]
    assert sender.done()
    assert receiver.done()


async def test_a_server_that_ends_before_all_is_sent_closed_the_stream() -> None:
    sender, receiver = asyncio.create_task(asyncio.Event().wait()), asyncio.create_task(sent())
    with pytest.raises(Exception, match="the server closed the stream"):
        await _until_the_end(Server(), sender, receiver)  # type: ignore[arg-type]
    sender.cancel()


@pytest.mark.parametrize("reason", ["the run belongs to another", ""])
async def test_who_writes_to_a_stream_that_is_over_hears_what_the_server_said(reason: str) -> None:
    server = grpc.aio.server()
    ingest_pb2_grpc.add_IngestServiceServicer_to_server(Ingest(reason), server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            call: Call = ingest_pb2_grpc.IngestServiceStub(channel).Stream()
            await call.code()
            with pytest.raises(Exception, match=reason or "the server closed the stream"):
                await _write(call, ingest_pb2.StreamRequest())
    finally:
        await server.stop(None)
