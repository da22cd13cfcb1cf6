"""How a stream ends that delivers."""

import asyncio

import pytest

from stepwell.delivery.shipper import _until_the_end


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
