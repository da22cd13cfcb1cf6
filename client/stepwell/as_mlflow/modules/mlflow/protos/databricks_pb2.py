"""What scripts import as mlflow.protos.databricks_pb2: codes of errors, by number and by name."""

from typing import ClassVar

from stepwell.as_mlflow.standing_in import stand_in


class ErrorCode:
    """The codes; an exception says them by name."""

    _NUMBERS: ClassVar[dict[str, int]] = {
        "INTERNAL_ERROR": 1,
        "TEMPORARILY_UNAVAILABLE": 2,
        "IO_ERROR": 3,
        "BAD_REQUEST": 4,
        "DEADLINE_EXCEEDED": 7,
        "CANCELLED": 8,
        "RESOURCE_EXHAUSTED": 9,
        "ABORTED": 10,
        "NOT_FOUND": 11,
        "ALREADY_EXISTS": 12,
        "UNAUTHENTICATED": 13,
        "INVALID_PARAMETER_VALUE": 1000,
        "ENDPOINT_NOT_FOUND": 1001,
        "INVALID_STATE": 1003,
        "PERMISSION_DENIED": 1004,
        "FEATURE_DISABLED": 1005,
        "CUSTOMER_UNAUTHORIZED": 1006,
        "REQUEST_LIMIT_EXCEEDED": 1007,
        "RESOURCE_CONFLICT": 1008,
        "NOT_IMPLEMENTED": 1010,
        "DATA_LOSS": 1011,
        "RESOURCE_ALREADY_EXISTS": 3001,
        "RESOURCE_DOES_NOT_EXIST": 3002,
    }

    @classmethod
    def Name(cls, number: int) -> str:  # noqa: N802 - as protobuf writes it
        """Return the name of a number."""
        for name, known in cls._NUMBERS.items():
            if known == number:
                return name
        raise ValueError(f"There is no error code {number}.")

    @classmethod
    def Value(cls, name: str) -> int:  # noqa: N802
        """Return the number of a name."""
        return cls._NUMBERS[name]


globals().update(ErrorCode._NUMBERS)
stand_in(globals())
