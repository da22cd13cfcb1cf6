"""Every method of the contract and every route: nobody, and who has no rights, gets nothing of any of them.

The list is made from the descriptors and from the router, so what is new fails here until it has its rule, and until
this test knows how to ask for it.
"""

import re
from collections.abc import Sequence
from typing import Any

import grpc
import pytest
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from stepwell_server import app
from stepwell_server.access import ACCESS_RULES, RULES
from stepwell_server.services.access.guard import public_methods
from stepwell_server.services.access.together import AccessServices
from stepwell_server.services.together import Services
from stepwell_server.web.door import DoorPolicy, door
from stepwell_server.web.page import INDEX, read_page
from stepwell_server.web.pages import SERVER_PATH
from tests.harness.every_call import Outcome, methods, outcome, path_of, request_for
from tests.harness.hidden import OF_ONESELF, SECRET, Hidden, hide
from tests.harness.network.rest import Rest
from tests.harness.servers.access import GuardedServer

# What needs nobody who is known: it says nothing of what is stored.
OPEN_PATHS = {"/", "/health", "/version", SERVER_PATH}
# What signs somebody in.
OPEN_PATHS |= {"/api/stepwell/v1/session", "/api/stepwell/v1/logins/token"}
# What may be made by everybody, and then is theirs; it is asked for by a name that is taken.
CREATING = {
    "CreateExperiment": grpc.StatusCode.ALREADY_EXISTS,
    "CreateRegisteredModel": grpc.StatusCode.ALREADY_EXISTS,
}
# Answers with numbers and no names: an empty one says that there is nothing.
NUMBERS_ALONE = {"ChangeRuns", "CountRuns", "SampleGroups", "SummarizeExperiments"}
REFUSED = {400, 403, 404, 415, 501}
REFUSALS = {grpc.StatusCode.NOT_FOUND, grpc.StatusCode.PERMISSION_DENIED}


def test_every_method_of_every_service_has_a_rule() -> None:
    services = {name: kind for name, kind in Services.__annotations__.items() if name.islower()}
    named = {name for name in services if name not in ("draining", "holding", "access")}
    assert named == RULES.keys()
    assert AccessServices.__annotations__.keys() == ACCESS_RULES.keys()
    for owner, rules in ((Services, RULES), (AccessServices, ACCESS_RULES)):
        for name, kind in owner.__annotations__.items():
            if name in rules:
                assert public_methods(kind).keys() == rules[name].keys(), name


async def test_every_call_refuses_nobody_and_who_has_no_rights(guarded: GuardedServer) -> None:
    ben, ann = await guarded.add("ben"), await guarded.add("ann")
    hidden = await hide(guarded, ann)
    wrong, idle = [], set()
    async with (
        guarded.calls_of("") as of_nobody,
        guarded.calls_of(ben) as of_ben,
        guarded.calls_of(ann) as of_ann,
    ):
        for method in methods():
            request = request_for(method, hidden.values)
            of_all = await outcome(of_nobody, method, request)
            assert of_all.status is grpc.StatusCode.UNAUTHENTICATED, path_of(method)
            if method.name in OF_ONESELF:
                continue
            found = await outcome(of_ben, method, request)
            if hidden.shows_in(found.told):
                wrong.append(f"{path_of(method)} tells {found.told!r}")
            elif method.name in NUMBERS_ALONE:
                assert found == Outcome(grpc.StatusCode.OK, "", b""), path_of(method)
            elif found.status is grpc.StatusCode.OK:
                # It would have told ben, or changed what is hidden, if it did not look who calls.
                if not hidden.shows_in((await outcome(of_ann, method, request)).told):
                    idle.add(method.name)
            elif found.status not in REFUSALS and CREATING.get(method.name) is not found.status:
                wrong.append(f"{path_of(method)}: {found.status.name} {found.details}")
    assert not wrong, "\n".join(wrong)
    assert not idle


@pytest.fixture
def routes(monkeypatch: pytest.MonkeyPatch) -> list[Route]:
    """All routes of the server that starts next."""
    found: list[Route] = []

    def seen(its: Sequence[BaseRoute], policy: DoorPolicy) -> ASGIApp:
        found.extend(route for route in its if isinstance(route, Route))
        assert len(found) == len(its), "a route of another kind needs its rule here"
        return door(its, policy)

    monkeypatch.setattr(app, "door", seen)
    return found


async def test_every_route_refuses_nobody_and_who_has_no_rights(
    routes: list[Route], guarded: GuardedServer
) -> None:
    ben, ann = await guarded.add("ben"), await guarded.add("ann")
    hidden = await hide(guarded, ann)
    assert guarded.running.http_url is not None
    rest = Rest(guarded.running.http_url)
    opened, wrong = set(), []
    for route in routes:
        for method in sorted((route.methods or {"GET"}) - {"HEAD"}):
            path = route.path
            for name in route.param_convertors:
                path = re.sub(rf"{{{name}(:\w+)?}}", str(hidden.values.get(name, "x")), path)
            answers = []
            for token in ("", ben):
                shown = {"authorization": f"Bearer {token}"} if token else {}
                kind = {"content_type": "application/proto"} if path.startswith("/stepwell_api.") else {}
                fields = _fields(hidden) if not kind else b""
                answers.append(await rest.send(method, path, fields, **shown, **kind))
            of_nobody, of_ben = answers
            if of_nobody.status != 401:
                opened.add(path)
            elif of_ben.status not in REFUSED and (of_ben.status >= 300 or hidden.shows_in(of_ben.body)):
                # What is refused repeats what was asked for.
                wrong.append(f"{method} {path}: {of_ben.status} {of_ben.body[:200]!r}")
    assert not wrong, "\n".join(wrong)
    assert opened == OPEN_PATHS | {f"/{name}" for name in read_page() if name != INDEX}


def _fields(hidden: Hidden) -> dict[str, Any]:
    """What routes of MLflow's take, all together: each reads what it knows."""
    return {
        **{
            name: hidden.values[name]
            for name in ("run_id", "key", "name", "version", "alias", "path", "stage")
        },
        "run_uuid": hidden.run_id,
        "experiment_id": str(hidden.values["experiment_id"]),
        "experiment_ids": [str(hidden.values["experiment_id"])],
        "experiment_name": SECRET,
        "metric_key": "loss",
        "model_id": hidden.model_id,
        "value": "1",
        "filter": "",
    }
