"""Sessions: how they begin, what they are good for, how they end."""

import hashlib
import secrets
import ssl

import httpx2
import pytest

from tests.harness.servers.certificates import make_certificates
from tests.harness.servers.processes import ANSWER_TIMEOUT_S, ServerProcess
from tests.harness.servers.shared import server_of_many
from tests.web.signing_in.conftest import (
    ADMIN,
    IDLE_HOURS,
    LIFE_HOURS,
    OWN,
    PASSWORD,
    SESSION,
    Ask,
    Visit,
    Visitor,
)

# One server for all of them.
pytestmark = pytest.mark.xdist_group("signing in")
SEARCH = "/api/2.0/mlflow/experiments/search?max_results=1000"
NEW = "/api/2.0/mlflow/experiments/create"
CONNECT_NEW = "/stepwell_api.v1.ExperimentService/CreateExperiment"
HOUR_MS = 3_600_000
BROWSER_S = 60


def test_signing_in_and_out(visit: Visit) -> None:
    visitor = visit()
    assert visitor.get("/", headers={"accept": "text/html"}).status_code == 200  # the page itself
    assert visitor.get(SEARCH).status_code == 401
    described = visitor.described()
    assert (described["accounts"], described["person"]) == (True, None)
    assert described["ways"] == {"password": True, "provider": "Our house"}

    answer = visitor.sign_in()
    assert answer.status_code == 204
    [cookie] = answer.headers.get_list("set-cookie")
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))
    assert visitor.get(SEARCH).status_code == 200
    assert visitor.person == {"name": ADMIN, "isAdmin": True, "mayCreate": True, "way": "password"}

    stolen = visitor.secret
    assert visitor.delete(SESSION).status_code == 204
    assert visitor.person is None
    thief = visit()
    assert thief.get(SEARCH, headers={"cookie": f"{thief.cookie_name}={stolen}"}).status_code == 401


def test_the_secret_is_stored_hashed_and_told_nobody(
    visit: Visit, ask: Ask, accounts_server: ServerProcess
) -> None:
    visitor = visit()
    visitor.sign_in()
    digest = hashlib.sha256(visitor.secret.encode()).digest()
    assert ask("fetchval", "SELECT way FROM browser_session WHERE sha256 = $1", digest) == "password"
    told = str(ask("fetch", "SELECT * FROM browser_session")) + str(ask("fetch", "SELECT * FROM audit_entry"))
    for secret in (visitor.secret, PASSWORD):
        assert secret not in told + accounts_server.log()
    assert "action='login'" in told


def test_a_session_that_was_planted_is_not_the_one_that_begins(visit: Visit) -> None:
    attacker, victim = visit(), visit()
    attacker.sign_in()
    planted = attacker.secret
    victim.cookies.set(victim.cookie_name, planted, domain="127.0.0.1", path="/")
    victim.sign_in()
    assert victim.secret != planted
    assert attacker.person is None  # and what was planted is worth nothing
    assert victim.person is not None
    unknown = visit()
    invented = secrets.token_urlsafe(32)
    unknown.cookies.set(unknown.cookie_name, invented, domain="127.0.0.1", path="/")
    unknown.sign_in()
    assert unknown.secret != invented


def test_wrong_credentials_say_no_more_than_that(visit: Visit) -> None:
    visitor = visit()
    wrong, nobody = visitor.sign_in(ADMIN, "wrong"), visitor.sign_in("nobody", "wrong")
    assert wrong.status_code == nobody.status_code == 401
    assert wrong.json() == nobody.json()
    assert visitor.post(SESSION, json={"token": "stepwell_" + "x" * 40}).status_code == 401
    for body in ("[]", "{", '{"name": 1, "password": 2}', '{"name": "a\\u0000", "password": "b"}', "{}"):
        assert visitor.post(SESSION, content=body).status_code == 400, body
    assert visitor.post(SESSION, content=b" " * 100_000).status_code == 413


def test_other_pages_neither_sign_in_nor_out_nor_change_anything(visit: Visit) -> None:
    visitor = visit()
    visitor.sign_in()
    name = f"stolen {secrets.token_hex(8)}"
    proto = b"\x0a" + bytes([len(name)]) + name.encode()
    attempts = (
        ("POST", SESSION, b'{"name": "admin", "password": "x"}', "text/plain"),
        ("DELETE", SESSION, b"", ""),
        ("POST", NEW, b'{"name": "%s"}' % name.encode(), "text/plain"),
        ("POST", NEW, b'{"name": "%s"}' % name.encode(), "application/x-www-form-urlencoded"),
        # Connect's content type, which no form sends, is no door beside that.
        ("POST", CONNECT_NEW, proto, "application/proto"),
    )
    for headers in ({}, {"x-stepwell-page": "1", "origin": "http://localhost:8888"}, {"origin": "null"}):
        del visitor.headers["x-stepwell-page"]
        for method, path, body, kind in attempts:
            sent = {"content-type": kind, **headers}
            assert visitor.request(method, path, content=body, headers=sent).status_code == 403, (
                path,
                headers,
            )
        visitor.headers["x-stepwell-page"] = "1"
    assert visitor.person is not None
    assert name not in visitor.get(SEARCH).text
    own = visitor.post(CONNECT_NEW, content=proto, headers={"content-type": "application/proto"})
    assert own.status_code == 200
    assert name in visitor.get(SEARCH).text


@pytest.mark.parametrize(
    ("column", "hours"), [("seen_time_ms", IDLE_HOURS), ("created_time_ms", LIFE_HOURS)], ids=["idle", "old"]
)
def test_sessions_end(visit: Visit, ask: Ask, column: str, hours: int) -> None:
    for minutes, is_there in ((-3, True), (1, False)):
        visitor = visit()
        visitor.sign_in()
        digest = hashlib.sha256(visitor.secret.encode()).digest()
        earlier = f"UPDATE browser_session SET {column} = {column} - $2 WHERE sha256 = $1"
        ask("execute", earlier, digest, hours * HOUR_MS + minutes * 60_000)
        assert (visitor.person is not None) == is_there
        seen_ms = ask("fetchval", "SELECT seen_time_ms FROM browser_session WHERE sha256 = $1", digest)
        created_ms = ask("fetchval", "SELECT created_time_ms FROM browser_session WHERE sha256 = $1", digest)
        if is_there and column == "seen_time_ms":  # a request begins the idle time anew
            assert seen_ms >= created_ms


def test_signing_out_everywhere(visit: Visit) -> None:
    first, second = visit(), visit()
    first.sign_in()
    second.sign_in()
    assert second.get(SEARCH).status_code == 200
    assert first.delete(f"{SESSION}?everywhere=1").status_code == 204
    assert second.get(SEARCH).status_code == 401
    assert second.person is None


def test_workers_know_each_others_sessions(tmp_path_factory: pytest.TempPathFactory) -> None:
    environment = {"STEPWELL_ADMIN_PASSWORD": PASSWORD}
    with server_of_many(tmp_path_factory, "--auth", "--workers", "2", environment=environment) as server:
        with Visitor(server) as first:
            first.sign_in()
            cookie = {"cookie": f"{first.cookie_name}={first.secret}"}
        for _ in range(8):  # a connection each, so that both workers are asked
            with Visitor(server) as visitor:
                assert visitor.get(SEARCH, headers=cookie).status_code == 200


def test_over_tls_the_cookie_is_for_tls_and_this_host_alone(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    made = make_certificates(tmp_path_factory.mktemp("tls"))
    environment = {"STEPWELL_ADMIN_PASSWORD": PASSWORD}
    options = ("--auth", *made.options)
    with server_of_many(tmp_path_factory, *options, environment=environment) as server:
        secure = ssl.create_default_context(cafile=made.trusting["STEPWELL_TLS_CA"])
        with httpx2.Client(
            timeout=ANSWER_TIMEOUT_S, base_url=server.url, verify=secure, headers=OWN
        ) as visitor:
            answer = visitor.post(SESSION, json={"name": ADMIN, "password": PASSWORD})
            assert answer.status_code == 204
            [cookie] = answer.headers.get_list("set-cookie")
            assert cookie.startswith("__Host-stepwell=")
            assert {"Secure", "HttpOnly", "Path=/"} <= set(cookie.split("; "))
            assert visitor.get(SEARCH).status_code == 200
