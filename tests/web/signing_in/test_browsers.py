"""What a browser shows counts only where our own page sent it, and a proxy's word only from the proxy."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from stepwell_server.process.logger import FIELDS
from stepwell_server.web.admission import origin_of
from stepwell_server.web.signing_in import trusted_header
from stepwell_server.web.signing_in.browsers import Browsers, browser
from stepwell_server.web.signing_in.cookies import CookieJar
from stepwell_server.web.signing_in.trusted_header import ProxiedUsers, Proxies

StartDoor = Callable[..., Any]
OWN = {"x-stepwell-page": "1"}
HOST = {"host": "localhost:5000"}
SESSION = {"cookie": "theme=dark; stepwell-5000=secret"}


async def shown(request: Request) -> Response:
    found = browser()
    return JSONResponse({"session": found.session, "user": found.user})


@pytest.fixture
def guarded(start_door: StartDoor, routes: Any) -> StartDoor:
    """Starts a door whose route /shown tells what counts of a request."""
    routes.all = lambda: [Route("/shown", shown, methods=["GET", "POST"])]

    async def start(*, secure: bool | None = None, proxies: tuple[str, ...] = (), **policy: Any) -> Any:
        proxied = ProxiedUsers("X-Forwarded-User", Proxies(proxies)) if proxies else None

        def browsers(app: ASGIApp) -> ASGIApp:
            return Browsers(app, CookieJar(secure=secure), Proxies(proxies), proxied)

        return await start_door(browsers=browsers, **policy)

    return start


async def test_the_cookie_counts_where_our_own_page_sends_it(guarded: StartDoor) -> None:
    place = await guarded()
    for headers in (
        {},
        {"origin": "http://localhost:5000"},
        {"origin": "http://LOCALHOST:5000", "sec-fetch-site": "same-origin"},
    ):
        answer = await place.ask("POST", "/shown", **HOST, **SESSION, **OWN, **headers)
        assert (answer.status, answer.json) == (200, {"session": "secret", "user": ""})
    assert (await place.ask("GET", "/shown", **HOST, **SESSION)).json["session"] == "secret"


@pytest.mark.parametrize(
    "headers",
    [
        {},  # a form, of an old browser
        {"origin": "http://evil.example.org"},
        {**OWN, "origin": "http://evil.example.org"},
        {
            **OWN,
            "origin": "http://localhost:8888",
        },  # another server on this machine, to which the cookie goes, too
        {**OWN, "origin": "null"},  # a frame in a sandbox
        {**OWN, "sec-fetch-site": "same-site"},
        {**OWN, "sec-fetch-site": "cross-site"},
        {**OWN, "sec-fetch-site": "none"},
        {"origin": "http://localhost:5000", "content_type": "text/plain"},  # of our host, but no page of ours
    ],
)
@pytest.mark.parametrize("vouched", [SESSION, {"x-forwarded-user": "ada"}])
async def test_other_pages_change_nothing(
    guarded: StartDoor, headers: dict[str, str], vouched: dict[str, str]
) -> None:
    place = await guarded(proxies=("127.0.0.0/8",), origins=("http://evil.example.org",))
    answer = await place.ask("POST", "/shown", **HOST, **vouched, **headers)
    assert (answer.status, answer.json["error_code"]) == (403, "PERMISSION_DENIED")


async def test_credentials_of_a_program_need_no_page_and_count_alone(guarded: StartDoor) -> None:
    place = await guarded(proxies=("127.0.0.1",))
    vouched = {**SESSION, "x-forwarded-user": "ada"}
    answer = await place.ask("POST", "/shown", **HOST, **vouched, authorization="Bearer stepwell_x")
    assert answer.json == {"session": "", "user": ""}


async def test_of_two_cookies_neither_counts(guarded: StartDoor) -> None:
    place = await guarded()
    planted = {"cookie": "stepwell-5000=planted; stepwell-5000=secret"}
    assert (await place.ask("GET", "/shown", **HOST, **planted)).json["session"] == ""


async def test_over_tls_only_a_cookie_that_no_neighbour_can_plant_counts(guarded: StartDoor) -> None:
    place = await guarded(secure=True)
    for name, counts in (("stepwell-5000", ""), ("stepwell", ""), ("__Host-stepwell", "secret")):
        answer = await place.ask("GET", "/shown", **HOST, cookie=f"{name}=secret")
        assert answer.json["session"] == counts
    below = await guarded(secure=True, prefix="/ml")
    answer = await below.ask("GET", "/ml/shown", **HOST, cookie="__Secure-stepwell=secret; __Host-stepwell=x")
    assert answer.json["session"] == "secret"


@pytest.mark.parametrize(
    ("proxies", "user"),
    [
        (("127.0.0.1",), "ada"),
        (("10.0.0.0/8", "127.0.0.0/8"), "ada"),
        (("10.0.0.0/8", "::1"), ""),
        (("127.0.0.2",), ""),
    ],
)
async def test_a_proxy_is_believed_by_its_address(
    guarded: StartDoor, proxies: tuple[str, ...], user: str
) -> None:
    place = await guarded(proxies=proxies)
    answer = await place.ask("GET", "/shown", **HOST, x_forwarded_user="ada", x_forwarded_for="127.0.0.1")
    assert answer.json["user"] == user


async def test_a_stolen_header_is_told_in_the_log_once(
    guarded: StartDoor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING", trusted_header.__name__)
    place = await guarded(proxies=("10.0.0.0/8",))
    for _ in range(3):
        await place.ask("GET", "/shown", **HOST, x_forwarded_user="ada")
    [told] = [record for record in caplog.records if record.name == trusted_header.__name__]
    assert (told.levelname, getattr(told, FIELDS)) == ("WARNING", {"address": "127.0.0.1"})
    assert "ada" not in str(vars(told))


async def test_a_header_that_is_there_twice_is_refused(guarded: StartDoor) -> None:
    place = await guarded(proxies=("127.0.0.1",))
    peer = await place.connect()
    await peer.send(
        b"GET /shown HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-User: ada\r\nX-Forwarded-User: eve\r\n\r\n"
    )
    assert (await peer.answer()).status == 400


@pytest.mark.parametrize(
    ("headers", "origin"),
    [
        ({}, "127.0.0.1"),
        ({"x_forwarded_for": "203.0.113.9"}, "203.0.113.9"),
        (
            {"X_Forwarded_For": "10.9.9.9, 203.0.113.9 , 127.0.0.5"},
            "203.0.113.9",
        ),  # what he made up stands before
        ({"x_forwarded_for": "203.0.113.9, unknown"}, "127.0.0.1"),
        ({"x_forwarded_for": "2001:db8::7"}, "2001:db8::7"),
        ({"x_forwarded_for": "203.0.113.9, " + "127.0.0.1, " * 30 + "127.0.0.1"}, "127.0.0.1"),
        ({"x_real_ip": "203.0.113.9", "forwarded": "for=203.0.113.9"}, "127.0.0.1"),
    ],
)
async def test_where_a_request_comes_from(
    guarded: StartDoor, routes: Any, headers: dict[str, str], origin: str
) -> None:
    async def told(request: Request) -> Response:
        return JSONResponse(origin_of(request.scope))

    routes.all = lambda: [Route("/shown", told)]
    assert (await (await guarded(proxies=("127.0.0.0/8",))).ask("GET", "/shown", **headers)).json == origin
    assert (await (await guarded()).ask("GET", "/shown", **headers)).json == "127.0.0.1"
