"""Requests in a row, as values, and how they are sent: to MLflow's server for the recording, to ours for the test.

A step's texts may hold `${name}`: what an earlier step of the scenario saved from its answer, or `${unique}`, which is
another word for each scenario. This module and `normalise` know only the standard library, because they also run in the
environment of MLflow.
"""

import hashlib
import http.client
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

API = "/api/2.0/mlflow"
PROXY = "/api/2.0/mlflow-artifacts/artifacts"
ANSWER_S = 60.0

Variables = dict[str, str]


@dataclass(frozen=True, slots=True)
class Step:
    """One request. `save` maps names of variables to paths into the answer, as `run.info.run_id`."""

    name: str
    method: str
    path: str
    body: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    save: Mapping[str, str] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """What shows that a recording was made of another request."""
        content = json.dumps([self.method, self.path, self.body, dict(self.headers)])
        return hashlib.sha256(content.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Scenario:
    """Steps that build on each other, on experiments and runs of their own."""

    name: str
    steps: Sequence[Step]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `headers` with small names."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON, None when it is none. NaN and the infinities count as JSON, as in MLflow."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


class Steps:
    """Gathers the steps of a scenario; names that come twice get a number."""

    def __init__(self) -> None:
        self.all: list[Step] = []

    def post(self, route: str, content: Any, name: str = "", **save: str) -> None:
        """POST JSON to a route of the API; a string is sent as it is."""
        body = content if isinstance(content, str) else json.dumps(content)
        self.add("POST", f"{API}/{route}", body, name=name or route, save=save)

    def get(self, route: str, query: str = "", name: str = "", **save: str) -> None:
        """GET a route of the API."""
        self.add("GET", f"{API}/{route}{'?' if query else ''}{query}", name=name or route, save=save)

    def add(
        self,
        method: str,
        path: str,
        body: str | None = None,
        *,
        name: str = "",
        headers: Mapping[str, str] | None = None,
        save: Mapping[str, str] | None = None,
    ) -> None:
        """Send anything."""
        if headers is None:
            headers = {} if body is None else {"Content-Type": "application/json"}
        chosen = name or f"{method} {path}"
        count = sum(step.name == chosen or step.name.startswith(f"{chosen} #") for step in self.all)
        numbered = f"{chosen} #{count + 1}" if count else chosen
        self.all.append(Step(numbered, method, path, body, headers, save or {}))

    def run(self, name: str = "run", experiment: str = "experiment", **more: Any) -> None:
        """Create a run and save its id under a name."""
        content = {"experiment_id": f"${{{experiment}}}", "start_time": 1_700_000_000_000, **more}
        self.post("runs/create", content, **{name: "run.info.run_id"})

    def experiment_again(self) -> None:
        """Try to create an experiment with the name of another."""
        self.post("experiments/create", {"name": "${unique} experiment"}, "experiments/create again")

    def experiment(self, name: str = "experiment", **more: Any) -> None:
        """Create an experiment and save its id under a name."""
        content = {"name": f"${{unique}} {name}", **more}
        self.post("experiments/create", content, **{name: "experiment_id"})


def odd(steps: Steps, route: str, good: Mapping[str, Any], odds: Mapping[str, Iterable[Any]]) -> None:
    """POST variants of a good content: each field left out and with each of its odd values."""
    for key, values in odds.items():
        rest = {name: value for name, value in good.items() if name != key}
        steps.post(route, rest, f"{route} without {key}")
        for value in values:
            steps.post(route, {**rest, key: value}, f"{route} {key}={shown(value)}")


def shown(value: Any) -> str:
    """Return a value as it may stand in a name."""
    text = value if isinstance(value, str) else json.dumps(value)
    quoted = json.dumps(text, ensure_ascii=False) if isinstance(value, str) else text
    return quoted if len(quoted) <= 40 else f"{quoted[:30]}… {len(text)} characters"


def send(host: str, port: int, step: Step, variables: Variables) -> Answer:
    """Send a step over a connection of its own and save what it says of the answer; without one, the status is 0."""
    body = None if step.body is None else fill(step.body, variables).encode()
    headers = {name: fill(value, variables) for name, value in step.headers.items()}
    connection = http.client.HTTPConnection(host, port, timeout=ANSWER_S)
    try:
        connection.request(step.method, fill(step.path, variables), body, headers)
        response = connection.getresponse()
        named = {name.lower(): value for name, value in response.getheaders()}
        found = Answer(response.status, named, response.read())
    except (ConnectionError, http.client.HTTPException):
        return Answer(0, {}, b"")
    finally:
        connection.close()
    for name, path in step.save.items():
        value = found_at(found.json, path)
        if value is not None:
            variables[name] = str(value)
    return found


def fill(text: str, variables: Variables) -> str:
    """Put the variables in."""
    for name, value in variables.items():
        text = text.replace(f"${{{name}}}", value)
    return text


def found_at(content: Any, path: str) -> Any:
    """Return what lies at a path; None when there is nothing."""
    for key in path.split("."):
        if isinstance(content, list) and key.isdigit() and int(key) < len(content):
            content = content[int(key)]
        elif isinstance(content, dict) and key in content:
            content = content[key]
        else:
            return None
    return content


def play(host: str, port: int, scenario: Scenario, see: Callable[[Step, Answer, Variables], None]) -> None:
    """Send the steps of a scenario and show each answer."""
    variables: Variables = {"unique": f"conformance {scenario.name}"}
    for step in scenario.steps:
        see(step, send(host, port, step, variables), dict(variables))
