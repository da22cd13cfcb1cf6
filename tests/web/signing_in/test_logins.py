"""Programs that are let in with a browser, and what those who are signed in may do."""

import secrets

import httpx2
import pytest

from stepwell_server.services.access.logins import code_of
from tests.harness.servers.processes import ANSWER_TIMEOUT_S, ServerProcess
from tests.web.signing_in.conftest import PASSWORD, SESSION, Ask, Visit

# One server for all of them.
pytestmark = pytest.mark.xdist_group("signing in")
LOGINS = "/api/stepwell/v1/logins"
SEARCH = "/api/2.0/mlflow/experiments/search?max_results=1"
CREATE = "/api/2.0/mlflow/experiments/create"
MARY = {"x-forwarded-user": "mary", "x-stepwell-page": "1"}


@pytest.fixture
def program(accounts_server: ServerProcess) -> httpx2.Client:
    """A program, which has nothing of a browser."""
    with httpx2.Client(timeout=ANSWER_TIMEOUT_S, base_url=accounts_server.url) as client:
        yield client


@pytest.fixture
def mary(accounts_server: ServerProcess) -> httpx2.Client:
    """Somebody who is no admin, whom the proxy names."""
    proxy = httpx2.HTTPTransport(local_address="127.0.0.7")
    with httpx2.Client(
        timeout=ANSWER_TIMEOUT_S, base_url=accounts_server.url, transport=proxy, headers=MARY
    ) as client:
        yield client


def take(program: httpx2.Client, secret: str) -> httpx2.Response:
    return program.post(f"{LOGINS}/token", json={"secret": secret})


def with_token(program: httpx2.Client, token: str) -> int:
    return program.get(SEARCH, headers={"authorization": f"Bearer {token}"}).status_code


def test_a_program_is_let_in_once(visit: Visit, program: httpx2.Client) -> None:
    visitor = visit()
    visitor.sign_in()
    secret = secrets.token_urlsafe(32)
    code = code_of(secret)
    assert take(program, secret).status_code == 204
    assert visitor.post(LOGINS, json={"code": code, "name": "laptop"}).status_code == 204
    again = visitor.post(LOGINS, json={"code": code, "name": "laptop"})
    assert (again.status_code, again.json()["error_code"]) == (400, "INVALID_STATE")
    assert take(program, secrets.token_urlsafe(32)).status_code == 204  # the secret of another program
    taken = take(program, secret).json()
    assert taken["account"] == "admin"
    assert with_token(program, taken["token"]) == 200
    assert take(program, secret).status_code == 204


def test_the_token_may_write_and_administers_nothing(visit: Visit, program: httpx2.Client, ask: Ask) -> None:
    visitor = visit()
    visitor.sign_in()
    secret = secrets.token_urlsafe(32)
    visitor.post(LOGINS, json={"code": code_of(secret), "name": "a job of mine"})
    token = take(program, secret).json()["token"]
    scope, expires = ask(
        "fetchrow", "SELECT scope, expires_time_ms FROM access_token WHERE name = 'a job of mine'"
    )
    assert scope == 2
    assert expires is not None
    # A session that begins with it may no more, and lets no other program in.
    other = visit()
    assert other.post(SESSION, json={"token": token}).status_code == 204
    assert other.person == {"name": "admin", "isAdmin": False, "mayCreate": True, "way": "token"}
    refused = other.post(LOGINS, json={"code": code_of(secrets.token_urlsafe(32)), "name": "x"})
    assert refused.status_code == 403
    ask("execute", "UPDATE access_token SET revoked_time_ms = 1 WHERE name = 'a job of mine'")
    fresh = visit()
    assert fresh.post(SESSION, json={"token": token}).status_code in {204, 401}  # believed for some seconds
    assert fresh.person is None


def test_nobody_is_let_in_by_who_is_not_signed_in(visit: Visit, program: httpx2.Client) -> None:
    given = {"code": code_of(secrets.token_urlsafe(32)), "name": "laptop"}
    assert program.post(LOGINS, json=given).status_code == 401
    visitor = visit()
    visitor.sign_in()
    assert visitor.post(LOGINS, json=given, headers={"sec-fetch-site": "cross-site"}).status_code == 403


@pytest.mark.parametrize(
    "given",
    [{}, {"code": "AAAA-AAAA", "name": "x"}, {"code": "' OR 1=1 --", "name": "x"}, {"code": 1, "name": "x"}],
)
def test_what_is_no_code_is_refused(visit: Visit, given: dict[str, object]) -> None:
    visitor = visit()
    visitor.sign_in()
    assert visitor.post(LOGINS, json=given).status_code == 400
    code = code_of(secrets.token_urlsafe(32))
    assert visitor.post(LOGINS, json={"code": code, "name": ""}).status_code == 400
    assert visitor.post(f"{LOGINS}/token", json={"secret": "short"}).status_code == 400


def test_rights_tell_nothing_of_what_one_may_not_read(visit: Visit, mary: httpx2.Client, ask: Ask) -> None:
    visitor = visit()
    visitor.sign_in()
    names = [f"rights {secrets.token_hex(6)}" for _ in range(3)]
    ids = [visitor.post(CREATE, json={"name": name}).json()["experiment_id"] for name in names]
    own = mary.post(CREATE, json={"name": f"of mary {secrets.token_hex(6)}"}).json()["experiment_id"]
    grant = """
        INSERT INTO access_grant (account_id, experiment_id, level)
        SELECT account_id, $1, $2 FROM account WHERE name = 'mary'
    """
    ask("execute", grant, int(ids[0]), 0)
    ask("execute", grant, int(ids[1]), 2)
    asked = {"experiment": [*ids, own, "999999999"], "model": ["none"]}
    seen = mary.get(f"{SESSION}/rights", params=asked).json()
    assert seen == {"experiments": {ids[1]: 2, ids[2]: 1, own: 3}, "models": {}}
    everything = visitor.get(f"{SESSION}/rights", params=asked).json()
    assert everything == {"experiments": dict.fromkeys([*ids, own], 3), "models": {}}
    for wrong in ("x", "-1", "9" * 30):
        assert visitor.get(f"{SESSION}/rights", params={"experiment": wrong}).status_code == 400


def test_another_password_ends_all_sessions(visit: Visit, accounts_server: ServerProcess, ask: Ask) -> None:
    visitor = visit()
    visitor.sign_in()
    sessions = "SELECT count(*) FROM browser_session JOIN account USING (account_id) WHERE name = 'admin'"
    assert ask("fetchval", sessions) >= 1
    body = b"\x0a\x05admin\x12" + bytes([len(PASSWORD)]) + PASSWORD.encode()
    path = "/stepwell_api.v1.AccountService/SetPassword"
    answer = visitor.post(path, content=body, headers={"content-type": "application/proto"})
    assert answer.status_code == 200, answer.text
    assert ask("fetchval", sessions) == 0
