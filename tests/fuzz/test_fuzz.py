"""A short campaign of `make fuzz`, with a seed that stays the same."""

import pytest

from tests.fuzz.campaign import run
from tests.fuzz.contract import all_rpcs

SECONDS = 15.0


def test_all_services_are_found() -> None:
    paths = [rpc.path for rpc in all_rpcs()]
    assert "/stepwell_api.v1.IngestService/Stream" in paths
    assert len(paths) == len(set(paths)) > 40


@pytest.mark.timeout(400)
@pytest.mark.parametrize("auth", [False, True])
async def test_a_short_campaign(auth: bool) -> None:
    found = await run(7, SECONDS, timed=False, auth=auth)
    assert not found.problems, found.problems[:5]
    assert found.statuses["OK"] > 20  # or the messages never come far
    assert found.calls > 100
