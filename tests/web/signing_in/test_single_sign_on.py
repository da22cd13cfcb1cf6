"""Accounts of people who sign in elsewhere: at a provider, or at a proxy in front of the server."""

from urllib.parse import urlsplit

import httpx2
import pytest

from tests.harness.servers.processes import ANSWER_TIMEOUT_S, ServerProcess
from tests.harness.servers.provider import Provider
from tests.web.signing_in.conftest import ADMIN, BEGIN, SESSION, Ask, Visit

# One server for all of them.
pytestmark = pytest.mark.xdist_group("signing in")


def test_an_account_is_made_with_the_first_sign_in_and_known_again(visit: Visit, provider: Provider) -> None:
    provider.set_user("ada1", preferred_username="ada", email="ada@example.org")
    visitor = visit()
    answer = visitor.sign_in_at(provider, "ada1", "#/experiments/3?q=loss")
    assert answer.headers["location"] == "/#/experiments/3?q=loss"
    expected = {"name": "ada", "isAdmin": False, "mayCreate": True, "way": "provider"}
    assert visitor.person == expected
    # Another name there is no other person here, and the other way round.
    provider.set_user("ada1", preferred_username="countess")
    provider.set_user("ada2", preferred_username="ada")
    again, other = visit(), visit()
    again.sign_in_at(provider, "ada1")
    assert again.person == expected
    other.sign_in_at(provider, "ada2")
    described = other.described()
    assert described["person"] is None
    assert "another account" in described["problem"]
    assert other.described()["problem"] == ""  # it is told once


def test_who_is_called_like_an_account_of_ours_does_not_get_it(visit: Visit, provider: Provider) -> None:
    provider.set_user("eve", preferred_username=ADMIN)
    visitor = visit()
    visitor.sign_in_at(provider, "eve")
    assert visitor.person is None


def test_groups_of_the_provider_are_those_here(visit: Visit, provider: Provider, ask: Ask) -> None:
    ask("execute", "INSERT INTO account_group (name) VALUES ('vision'), ('speech')")
    members = """
        SELECT array_agg(account_group.name) FROM group_member JOIN account_group USING (group_id)
        JOIN account USING (account_id) WHERE account.name = 'grace'
    """
    for groups, joined, is_admin in (
        (["vision", "nothing here"], ["vision"], False),
        (["speech", "wheel"], ["speech"], True),
        ("vision", ["vision"], False),
        ([1, None], None, False),
    ):
        provider.set_user("grace", preferred_username="grace", groups=groups)
        visitor = visit()
        visitor.sign_in_at(provider, "grace")
        assert ask("fetchval", members) == joined
        assert visitor.person["isAdmin"] is is_admin


def test_an_answer_counts_once_in_the_browser_that_asked(visit: Visit, provider: Provider) -> None:
    visitor, thief = visit(), visit()
    back = provider.sign_in(visitor.get(BEGIN).headers["location"], "alan")
    thief.get(back)  # it began nothing
    assert thief.person is None
    thief.get(BEGIN)
    thief.get(back)  # it began something else
    assert thief.person is None
    kept = httpx2.Cookies(visitor.cookies)
    visitor.get(back)
    assert visitor.person is not None
    visitor.delete(SESSION)
    visitor.get(back)  # replayed
    assert visitor.person is None
    visitor.cookies = kept
    visitor.get(back)  # and with the cookie that there was
    assert visitor.person is None


def test_the_way_back_leads_nowhere_else(visit: Visit) -> None:
    visitor = visit()
    for back in (
        "https://evil.example.org/",
        "//evil.example.org/",
        "/\\evil.example.org",
        "#//evil.example.org",
        "#/a\r\nset-cookie: a=b",
        "javascript:alert(1)",
        "#" + "/x" * 2_000,
        "#x",
    ):
        visitor.get(BEGIN, params={"back": back})
        assert visitor.get(f"{SESSION}/callback").headers["location"] == "/", back


def test_who_says_no_at_the_provider_is_where_he_was(visit: Visit, provider: Provider) -> None:
    visitor = visit()
    address = visitor.get(BEGIN, params={"back": "#/models"}).headers["location"]
    answer = visitor.get(provider.deny(address).replace("error=", f"state={_state(address)}&error="))
    assert answer.headers["location"] == "/#/models"
    described = visitor.described()
    assert described["person"] is None
    assert "did not sign you in" in described["problem"]


def _state(address: str) -> str:
    return httpx2.QueryParams(urlsplit(address).query)["state"]


@pytest.mark.parametrize(("address", "name"), [("127.0.0.7", "mary"), ("127.0.0.1", None)])
def test_a_proxy_signs_in_whom_it_knows(
    visit: Visit, accounts_server: ServerProcess, address: str, name: str | None
) -> None:
    named = {"x-forwarded-user": "mary", "x-forwarded-for": "127.0.0.7"}
    with httpx2.Client(
        timeout=ANSWER_TIMEOUT_S,
        base_url=accounts_server.url,
        transport=httpx2.HTTPTransport(local_address=address),
    ) as client:
        person = client.get(SESSION, headers=named).json()["person"]
        assert (person and person["name"]) == name
        search = "/api/2.0/mlflow/experiments/search?max_results=1"
        assert client.get(search, headers=named).status_code == (200 if name else 401)
        body = {"name": f"experiment of {address}"}
        create = "/api/2.0/mlflow/experiments/create"
        assert client.post(create, json=body, headers=named).status_code == (403 if name else 401)
        own = {**named, "x-stepwell-page": "1"}
        assert client.post(create, json=body, headers=own).status_code == (200 if name else 401)
        # Nobody gets an account that was made here, or by the provider.
        assert client.get(SESSION, headers={"x-forwarded-user": ADMIN}).json()["person"] is None


def test_the_log_tells_of_a_stolen_header(accounts_server: ServerProcess, visit: Visit) -> None:
    visit().get(SESSION, headers={"x-forwarded-user": "mary"})
    assert "no trusted proxy" in accounts_server.log()
