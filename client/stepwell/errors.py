"""What a call of the client can raise.

    Exception
    └── StepwellException    (also exported as MlflowException); `error_code` says what kind:

        RESOURCE_DOES_NOT_EXIST      what was named does not exist
        RESOURCE_ALREADY_EXISTS      what was to be created exists
        INVALID_PARAMETER_VALUE      a value that can never be right
        INVALID_STATE                right in itself, but not as things stand
        PERMISSION_DENIED            known, but not allowed
        UNAUTHENTICATED              not known
        RESOURCE_EXHAUSTED           a limit of the server is reached
        REQUEST_LIMIT_EXCEEDED       a message was larger than the server takes
        TEMPORARILY_UNAVAILABLE      the server cannot be reached or cannot do it now; try later
        DEADLINE_EXCEEDED            the server took too long
        NOT_IMPLEMENTED              not supported (yet)
        INTERNAL_ERROR               a defect

The codes are MLflow's vocabulary. A message names what was wrong and then what would be right.
"""

import functools
from collections.abc import Callable, Iterable
from types import FunctionType
from typing import Any, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

# Sent by the server behind every status it makes on purpose; finer than the status.
ERROR_CODE_METADATA = "stepwell-error-code"

# gRPC's own word for when to come again, in milliseconds.
RETRY_AFTER_METADATA = "grpc-retry-pushback-ms"
RETRY_AFTER_MAX_S = 30.0

# By name of the gRPC status, so that reading the table needs no gRPC.
_CODE_OF_STATUS = {
    "NOT_FOUND": "RESOURCE_DOES_NOT_EXIST",
    "ALREADY_EXISTS": "RESOURCE_ALREADY_EXISTS",
    "INVALID_ARGUMENT": "INVALID_PARAMETER_VALUE",
    "OUT_OF_RANGE": "INVALID_PARAMETER_VALUE",
    "FAILED_PRECONDITION": "INVALID_STATE",
    "PERMISSION_DENIED": "PERMISSION_DENIED",
    "UNAUTHENTICATED": "UNAUTHENTICATED",
    "RESOURCE_EXHAUSTED": "RESOURCE_EXHAUSTED",
    "UNAVAILABLE": "TEMPORARILY_UNAVAILABLE",
    "ABORTED": "TEMPORARILY_UNAVAILABLE",
    "CANCELLED": "TEMPORARILY_UNAVAILABLE",
    "DEADLINE_EXCEEDED": "DEADLINE_EXCEEDED",
    "UNIMPLEMENTED": "NOT_IMPLEMENTED",
}

# Statuses after which the same stream, sent again, would be refused again. Everything else is tried again; also
# UNAUTHENTICATED, because somebody may sign in meanwhile.
_FINAL_STATUSES = frozenset(
    {
        "NOT_FOUND",
        "INVALID_ARGUMENT",
        "OUT_OF_RANGE",
        "FAILED_PRECONDITION",
        "PERMISSION_DENIED",
        "UNIMPLEMENTED",
    }
)


class StepwellException(Exception):  # noqa: N818 - the name follows MlflowException, which scripts know
    """Raised for everything that goes wrong; `error_code` is one of the words above."""

    def __init__(self, message: str, error_code: str = "INTERNAL_ERROR") -> None:
        super().__init__(message)
        self.message = message
        self.error_code = error_code
        # When the server said that it may be tried again: in so many seconds.
        self.retry_after_s: float | None = None

    def __reduce__(self) -> tuple[type["StepwellException"], tuple[str, str]]:
        return type(self), (self.message, self.error_code)


# gRPC says so, with the status INTERNAL or UNKNOWN, when a connection was cut, or a stream ended, before it heard why.
_CUT_DETAILS = ("Internal error from Core", "Stream removed")


class _Status(Protocol):
    @property
    def name(self) -> str: ...


class RpcFailure(Protocol):
    """What the table needs of grpc.aio.AioRpcError."""

    def code(self) -> _Status:
        """Return the status."""
        ...

    def details(self) -> str | None:
        """Return the server's message."""
        ...

    def trailing_metadata(self) -> Iterable[Any]:
        """Return what came behind the answer: pairs of name and value."""
        ...


def from_rpc(failure: RpcFailure, target: str) -> StepwellException:
    """Translate a failed call to `target` (host:port); the server's own error code goes first."""
    status = failure.code().name
    code = _sent_code(failure) or _CODE_OF_STATUS.get(status, "INTERNAL_ERROR")
    if _was_cut(failure):
        code = "TEMPORARILY_UNAVAILABLE"
    details = details_of(failure)
    if code in ("TEMPORARILY_UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL_ERROR", "NOT_IMPLEMENTED"):
        details = f"{details} (server {target})"
    failed = StepwellException(details, code)
    failed.retry_after_s = retry_after_s(failure)
    return failed


def details_of(failure: RpcFailure) -> str:
    """Return what the server said, or what is known where it said nothing."""
    if _was_cut(failure):
        return "The connection was cut"
    return failure.details() or f"The call failed with the status {failure.code().name}."


def _was_cut(failure: RpcFailure) -> bool:
    return (failure.details() or "").startswith(_CUT_DETAILS)


def retry_after_s(failure: RpcFailure) -> float | None:
    """Return when the server wants to be asked again, if it refused because a limit of its own is reached."""
    for key, value in failure.trailing_metadata() or ():
        if key == RETRY_AFTER_METADATA:
            try:
                return min(max(float(value) / 1000, 0.0), RETRY_AFTER_MAX_S)
            except ValueError:
                return None
    return None


def short(function: Callable[P, T]) -> Callable[P, T]:
    """Let what a public function raises end at the line that called it: what lies below is no business of who reads it.

    A defect (INTERNAL_ERROR) keeps its whole way.
    """

    @functools.wraps(function)
    def call(*arguments: P.args, **keywords: P.kwargs) -> T:
        __tracebackhide__ = True  # for pytest and IPython
        try:
            return function(*arguments, **keywords)
        except StepwellException as failure:
            if failure.error_code == "INTERNAL_ERROR":
                raise
            raise failure.with_traceback(None) from None

    return call


def with_short_errors(kind: type[T]) -> type[T]:
    """Do the same for all public methods of a class and of those it is made of."""
    for base in reversed(kind.__mro__[:-1]):
        for name, method in vars(base).items():
            if isinstance(method, FunctionType) and not name.startswith("_"):
                setattr(kind, name, short(method))
    return kind


def is_final(failure: RpcFailure) -> bool:
    """Tell whether sending the same again cannot succeed."""
    return failure.code().name in _FINAL_STATUSES


def invalid(message: str) -> StepwellException:
    """Return the error for a value that can never be right."""
    return StepwellException(message, "INVALID_PARAMETER_VALUE")


def not_supported(what: str) -> StepwellException:
    """Return the error for an argument whose time has not come yet."""
    return StepwellException(f"{what} is not supported yet.", "NOT_IMPLEMENTED")


def _sent_code(failure: RpcFailure) -> str | None:
    for key, value in failure.trailing_metadata() or ():
        if key == ERROR_CODE_METADATA:
            return value.decode() if isinstance(value, bytes) else value
    return None
