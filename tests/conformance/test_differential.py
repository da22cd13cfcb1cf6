"""The same requests to MLflow's own server (recorded, see `record`) and to ours.

Answers differ only as `differences` says.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.conformance.differences import CRASHES, DIFFERENCES, STRICTER_NOW, is_crash, matches
from tests.conformance.normalise import normalised
from tests.conformance.record import NEWEST, RECORDED
from tests.conformance.scenarios import SCENARIOS
from tests.conformance.steps import Answer, Scenario, Step, Variables, play
from tests.harness.servers.processes import ServerProcess
from tests.harness.servers.shared import server_of_many

OLDEST = "mlflow-2.22.5.jsonl"
PAGE = Path(__file__).parents[2] / "docs" / "mlflow.md"

Recorded = Mapping[tuple[str, str], Mapping[str, Any]]
Differing = tuple[str, Mapping[str, Any], Mapping[str, Any]]


def recorded(name: str) -> Recorded:
    """Return recorded answers by scenario and step."""
    lines = map(json.loads, (RECORDED / name).read_text().splitlines())
    return {(line.pop("scenario"), line.pop("step")): line for line in lines}


@pytest.fixture(scope="module")
def newest() -> Recorded:
    return recorded(NEWEST)


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server of which now one process and now the other answers, because each request has a connection of its own."""
    with server_of_many(tmp_path_factory, "--workers", "2") as server:
        yield server


@pytest.mark.parametrize("server", ["shared_server", "two_workers"])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_answers_are_those_of_mlflow(
    request: pytest.FixtureRequest, server: str, newest: Recorded, scenario: Scenario
) -> None:
    differing = differing_answers(request.getfixturevalue(server), scenario, newest)
    unexplained = [it for it in differing if not explained(scenario.name, *it)]
    assert not unexplained, shown(unexplained)
    unused = unused_differences(scenario.name, differing)
    assert not unused, f"no step differs so any more: {unused}"


def test_the_page_names_all_differences() -> None:
    page = PAGE.read_text()
    assert not [it.name for it in DIFFERENCES if f"| {it.name} |" not in page]
    assert f"| {CRASHES} |" in page


def test_what_the_oldest_version_took_and_the_newest_refuses(newest: Recorded) -> None:
    """There we do as the newest; it is nothing that a sound client sends."""
    refused = [
        f"{scenario}: {step}"
        for (scenario, step), theirs in recorded(OLDEST).items()
        if theirs["status"] < 300 <= newest[scenario, step]["status"]
    ]
    assert not [it for it in refused if not any(matches(pattern, it) for pattern in STRICTER_NOW)]
    assert not [pattern for pattern in STRICTER_NOW if not any(matches(pattern, it) for it in refused)]


def differing_answers(server: ServerProcess, scenario: Scenario, known: Recorded) -> list[Differing]:
    """Play a scenario and return the steps whose answers differ from the recorded ones, with both."""
    found: list[Differing] = []

    def see(step: Step, answer: Answer, variables: Variables) -> None:
        theirs = dict(known[scenario.name, step.name])
        assert theirs.pop("request") == step.fingerprint, f"{step.name} changed; record it anew"
        ours = normalised(answer, variables)
        assert answer.status < 500 or answer.status == 501, (step.name, answer.body)
        if not alike(ours, theirs):
            found.append((step.name, ours, theirs))

    address = urlsplit(server.url)
    play(str(address.hostname), int(address.port or 0), scenario, see)
    return found


def alike(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
    """Tell whether answers are the same; where MLflow refuses with the page of a framework, ours is JSON."""
    return ours["status"] == theirs["status"] if set(theirs) == {"status"} else ours == theirs


def explained(scenario: str, step: str, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
    """Tell whether a difference is one of those that are listed."""
    return is_crash(ours, theirs) or any(
        it.covers(scenario, step) and it.allows(ours, theirs) for it in DIFFERENCES
    )


def unused_differences(scenario: str, differing: list[Differing]) -> list[str]:
    """Return what is listed of a scenario and did not occur."""
    listed = {
        (it.name, pattern)
        for it in DIFFERENCES
        for pattern in it.steps
        if pattern.startswith(f"{scenario}: ")
    }
    used = {
        (it.name, it.covers(scenario, step))
        for it in DIFFERENCES
        for step, ours, theirs in differing
        if it.allows(ours, theirs)
    }
    return sorted(f"{name} ({pattern})" for name, pattern in listed - used)


def shown(differing: list[Differing]) -> str:
    """Return differences as lines."""
    return "\n" + "\n".join(
        f"{step}\n    ours   {json.dumps(ours)[:1_000]}\n    MLflow {json.dumps(theirs)[:1_000]}"
        for step, ours, theirs in differing
    )
