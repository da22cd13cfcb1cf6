"""What can go wrong, in the words of the domain.

    StepwellError
    ├── NotFoundError           RESOURCE_DOES_NOT_EXIST
    ├── AlreadyExistsError      RESOURCE_ALREADY_EXISTS
    ├── InvalidArgumentError    INVALID_PARAMETER_VALUE
    │   └── BadPatternError     the same; which pattern of a filter it is
    ├── InvalidStateError       INVALID_STATE
    ├── PermissionDeniedError   PERMISSION_DENIED
    ├── UnauthenticatedError    UNAUTHENTICATED
    ├── UnavailableError        TEMPORARILY_UNAVAILABLE
    │   └── BusyError           the same; when it may be tried again
    ├── TooMuchError            REQUEST_LIMIT_EXCEEDED
    ├── ExhaustedError          RESOURCE_EXHAUSTED; when it may be tried again
    └── StartupError            the server cannot start; the message says why and what to do

The text of an error is meant for the user: it names what was wrong and what would be right.
`error_code` is MLflow's vocabulary, which clients know. The transport turns errors into gRPC statuses.
"""

from typing import ClassVar


class StepwellError(Exception):
    """Base of every error that the server raises on purpose."""

    error_code: ClassVar[str] = "INTERNAL_ERROR"
    # Seconds after which the same call may be tried again, where that is known.
    retry_after_s: float | None = None


class NotFoundError(StepwellError):
    """What was named does not exist."""

    error_code = "RESOURCE_DOES_NOT_EXIST"


class AlreadyExistsError(StepwellError):
    """What was to be created exists already."""

    error_code = "RESOURCE_ALREADY_EXISTS"


class InvalidArgumentError(StepwellError):
    """A value that can never be right, whatever is stored."""

    error_code = "INVALID_PARAMETER_VALUE"


class BadPatternError(InvalidArgumentError):
    """A pattern of a filter that is no regular expression; `place` is where it begins in the filter, from 0."""

    def __init__(self, place: int, reason: str) -> None:
        super().__init__(reason)
        self.place = place


class InvalidStateError(StepwellError):
    """Right in itself, but not as things stand (for example: the run is deleted)."""

    error_code = "INVALID_STATE"


class PermissionDeniedError(StepwellError):
    """Known, but not for this caller."""

    error_code = "PERMISSION_DENIED"


class UnauthenticatedError(StepwellError):
    """Nobody knows who calls, or what was shown is not (or no longer) good."""

    error_code = "UNAUTHENTICATED"


class UnavailableError(StepwellError):
    """The database or the server cannot do it now; the same call may succeed later."""

    error_code = "TEMPORARILY_UNAVAILABLE"


class BusyError(UnavailableError):
    """Another call does the same just now; this one may succeed when that one has ended."""

    retry_after_s = 0.5


class TooMuchError(StepwellError):
    """One call asked for more than one call may take; a narrower one may succeed."""

    error_code = "REQUEST_LIMIT_EXCEEDED"


class ExhaustedError(StepwellError):
    """A limit of what the server keeps for callers is reached; the same call may succeed later.

    After `retry_after_s`, or None where somebody has to make room first.
    """

    error_code = "RESOURCE_EXHAUSTED"

    def __init__(self, text: str, retry_after_s: float | None = 1.0) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


class StartupError(StepwellError):
    """The server cannot start."""
