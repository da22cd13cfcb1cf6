"""What is said of a server that cannot be reached: each thing once, and nothing that somebody must act on is missed."""

import uuid

import pytest

from stepwell.delivery import away


def test_a_server_is_said_to_be_away_and_back_once(caplog: pytest.LogCaptureFixture) -> None:
    target = uuid.uuid4().hex
    away.say_away(target, "It is away.")
    away.say_away(target, "It is still away.")
    away.say_back(target)
    away.say_back(target)
    assert "It is away." in caplog.text
    assert "still" not in caplog.text
    assert caplog.text.count("is back") == 1


def test_a_refusal_is_said_though_the_server_was_away(caplog: pytest.LogCaptureFixture) -> None:
    target = uuid.uuid4().hex
    away.say_away(target, "The connection was cut.")
    away.say_away(target, "It knows you not.", refused=True)
    away.say_away(target, "It knows you not.", refused=True)
    away.say_away(target, "It is away again.")
    assert caplog.text.count("It knows you not.") == 1
    assert "It is away again." not in caplog.text
