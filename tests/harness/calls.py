"""Expectations about calls that fail."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import grpc
import grpc.aio
import pytest

from stepwell_server.transport.interceptors import ERROR_CODE_KEY


@asynccontextmanager
async def refused(status: grpc.StatusCode, error_code: str, text: str = "") -> AsyncIterator[None]:
    """Expect that the call in the context fails with this status, MLflow's error code, and a message with `text`."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        yield
    error = caught.value
    assert (error.code(), dict(error.trailing_metadata() or ())[ERROR_CODE_KEY]) == (status, error_code)
    assert text in error.details()


def invalid(text: str = "") -> AbstractAsyncContextManager[None]:
    """Expect INVALID_PARAMETER_VALUE."""
    return refused(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_PARAMETER_VALUE", text)


def not_found(text: str = "") -> AbstractAsyncContextManager[None]:
    """Expect RESOURCE_DOES_NOT_EXIST."""
    return refused(grpc.StatusCode.NOT_FOUND, "RESOURCE_DOES_NOT_EXIST", text)


def already_exists(text: str = "") -> AbstractAsyncContextManager[None]:
    """Expect RESOURCE_ALREADY_EXISTS."""
    return refused(grpc.StatusCode.ALREADY_EXISTS, "RESOURCE_ALREADY_EXISTS", text)


def invalid_state(text: str = "") -> AbstractAsyncContextManager[None]:
    """Expect INVALID_STATE."""
    return refused(grpc.StatusCode.FAILED_PRECONDITION, "INVALID_STATE", text)


def is_exhausted(error: grpc.aio.AioRpcError) -> bool:
    """Tell whether a call was refused; gRPC's own client does not say so while it writes."""
    return error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED or error.details() == "Internal error from Core"
