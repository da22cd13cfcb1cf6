import pytest

from stepwell_server.store import sql


@pytest.fixture(params=[False, True], ids=["one PostgreSQL", "a distributed one"])
def both_forms(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test run with the statements for one PostgreSQL, and with those for a distributed one."""
    monkeypatch.setattr(sql.Queries, "is_distributed", request.param)
