"""Nothing slips past the boundary: every error has a status, and every call of ours ends with one."""

from collections.abc import AsyncIterator, Iterator

import grpc
import grpc.aio
import pytest

from stepwell_server import errors
from stepwell_server.errors import InvalidArgumentError, NotFoundError, StepwellError
from stepwell_server.process.holding import Holding
from stepwell_server.process.logs import TextLines
from stepwell_server.transport.interceptors import (
    DETAILS_CHARS_MAX,
    ERROR_CODE_KEY,
    STATUSES,
    ErrorInterceptor,
    status_of,
)


def every_error(base: type[StepwellError] = StepwellError) -> Iterator[type[StepwellError]]:
    yield base
    for child in base.__subclasses__():
        yield from every_error(child)


def test_every_error_of_the_domain_is_in_the_table() -> None:
    declared = {kind for kind in every_error() if kind.__module__ == errors.__name__}
    assert declared == set(STATUSES)


def test_the_tree_in_the_docstring_is_complete() -> None:
    assert all(
        kind.__name__ in errors.__doc__ for kind in every_error() if kind.__module__ == errors.__name__
    )


def test_an_unlisted_subclass_takes_the_status_of_its_parent() -> None:
    class SpecialError(NotFoundError):
        pass

    assert status_of(SpecialError("gone")) is grpc.StatusCode.NOT_FOUND


class Raising(grpc.GenericRpcHandler):
    """Four methods, one for each cardinality, that raise what they are told."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        kind = details.method.rpartition("/")[2]
        behavior = self.stream if kind.endswith("_stream") else self.answer
        return getattr(grpc, f"{kind}_rpc_method_handler")(behavior)

    async def answer(self, request: object, context: object) -> bytes:
        raise self.error

    async def stream(self, request: object, context: object) -> AsyncIterator[bytes]:
        yield b"first"
        raise self.error


CARDINALITIES = ["unary_unary", "unary_stream", "stream_unary", "stream_stream"]


async def outcome(error: Exception, cardinality: str) -> grpc.aio.AioRpcError:
    server = grpc.aio.server(interceptors=[ErrorInterceptor(Holding())])
    server.add_generic_rpc_handlers((Raising(error),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            method = getattr(channel, cardinality)(f"/stepwell_api.Test/{cardinality}")
            call = method(iter([b""]) if cardinality.startswith("stream") else b"")
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await (call if cardinality.endswith("unary") else read_all(call))
            return caught.value
    finally:
        await server.stop(0)


async def read_all(call: AsyncIterator[bytes]) -> list[bytes]:
    return [message async for message in call]


@pytest.mark.parametrize("cardinality", CARDINALITIES)
async def test_a_domain_error_becomes_its_status(cardinality: str) -> None:
    error = await outcome(InvalidArgumentError("key 'a\n' is wrong"), cardinality)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details() == "key 'a\n' is wrong"
    assert dict(error.trailing_metadata())[ERROR_CODE_KEY] == "INVALID_PARAMETER_VALUE"


@pytest.mark.parametrize("cardinality", CARDINALITIES)
async def test_an_unexpected_error_tells_no_secrets(
    cardinality: str, caplog: pytest.LogCaptureFixture
) -> None:
    error = await outcome(RuntimeError("secret"), cardinality)
    assert error.code() is grpc.StatusCode.INTERNAL
    assert "secret" not in error.details()
    error_id = error.details().split()[2].strip(";")
    (record,) = caplog.records
    logged = TextLines(colors=False).format(record)
    assert error_id in logged
    assert "secret" in logged


async def test_a_long_text_fits_into_the_metadata() -> None:
    error = await outcome(NotFoundError("🙂" * 10_000), "unary_unary")
    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert error.details() == "🙂" * DETAILS_CHARS_MAX
