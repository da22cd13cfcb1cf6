"""A few rounds of chaos; `make chaos` plays as many as you like."""

import os

import pytest

from tests.faults.chaos import play

SEED_VARIABLE = "CHAOS_SEED"
ROUNDS = 2


@pytest.mark.timeout(360)  # a round takes half a minute, on a busy machine two
def test_nothing_is_lost_or_doubled_in_chaos() -> None:
    play(int(os.environ.get(SEED_VARIABLE, "1")), ROUNDS, lambda line: None)
