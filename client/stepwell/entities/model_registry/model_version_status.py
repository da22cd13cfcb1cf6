"""Whether a version can be used. Here each can from the moment in which it is there."""

from typing import ClassVar

from stepwell.errors import invalid

READY = "READY"


class ModelVersionStatus:
    """MLflow's numbers, and their names, which are what a ModelVersion shows."""

    PENDING_REGISTRATION = 1
    FAILED_REGISTRATION = 2
    READY = 3

    _NUMBERS: ClassVar[dict[str, int]] = {
        "PENDING_REGISTRATION": PENDING_REGISTRATION,
        "FAILED_REGISTRATION": FAILED_REGISTRATION,
        "READY": READY,
    }

    @classmethod
    def from_string(cls, status_str: str) -> int:
        """Return the number of a name. Raises StepwellException INVALID_PARAMETER_VALUE."""
        if status_str not in cls._NUMBERS:
            raise invalid(f"{status_str!r} is no status of a version; there are {', '.join(cls._NUMBERS)}.")
        return cls._NUMBERS[status_str]

    @classmethod
    def to_string(cls, status: int) -> str:
        """Return the name of a number. Raises StepwellException INVALID_PARAMETER_VALUE."""
        for name, number in cls._NUMBERS.items():
            if number == status:
                return name
        raise invalid(f"{status!r} is no status of a version; there are {list(cls._NUMBERS.values())}.")

    @classmethod
    def all_status(cls) -> list[int]:
        """Return all numbers."""
        return list(cls._NUMBERS.values())
