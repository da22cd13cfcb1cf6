"""How long a transfer is tried."""

import pytest

from stepwell import StepwellException
from stepwell.files import uploads
from stepwell.files.uploads import Attempts


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found: list[float] = []
    monkeypatch.setattr(uploads.time, "sleep", found.append)
    return found


def test_a_server_that_says_when_to_come_again_is_believed(slept: list[float]) -> None:
    busy = StepwellException("another call writes this upload", "TEMPORARILY_UNAVAILABLE")
    busy.retry_after_s = 0.5
    attempts = Attempts()
    for _ in range(20):
        attempts.failed(busy)
    assert 0.25 <= slept[0] <= 0.5
    assert max(slept) <= uploads.BACKOFF_MAX_S


def test_a_server_that_says_nothing_is_given_up(slept: list[float]) -> None:
    attempts, away = Attempts(), StepwellException("is away", "TEMPORARILY_UNAVAILABLE")
    for _ in range(4):
        attempts.failed(away)
    with pytest.raises(StepwellException, match="is away"):
        attempts.failed(away)
    assert len(slept) == 4
