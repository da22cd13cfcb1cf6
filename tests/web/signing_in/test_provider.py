"""What is asked of an OpenID Connect provider, and what of its answers is believed."""

import asyncio
import base64
import hashlib
import json
import re
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from stepwell_server.config import ProviderConfig
from stepwell_server.errors import UnavailableError
from stepwell_server.web.errors import RefusedError
from stepwell_server.web.signing_in.provider import Provider, Started
from tests.harness.servers.provider import Provider as RealProvider

# One server for all of them.
pytestmark = pytest.mark.xdist_group("signing in")
BACK = "http://127.0.0.1:5000/callback"


@pytest.fixture
def config(provider: RealProvider) -> ProviderConfig:
    return ProviderConfig(provider.issuer, "stepwell", "a secret")


async def came_back(asked: Provider, provider: RealProvider, subject: str) -> tuple[Started, dict[str, str]]:
    """Sign somebody in, up to the answer that the browser brings back."""
    address, started = await asked.begin(BACK, "")
    answer = parse_qs(urlsplit(provider.sign_in(address, subject)).query)
    return started, {name: values[0] for name, values in answer.items()}


async def test_what_the_provider_is_asked(config: ProviderConfig) -> None:
    address, started = await Provider(config).begin(BACK, "#/models")
    challenge = base64.urlsafe_b64encode(hashlib.sha256(started.verifier.encode()).digest()).decode()
    assert parse_qs(urlsplit(address).query) == {
        "response_type": ["code"],
        "client_id": ["stepwell"],
        "redirect_uri": [BACK],
        "scope": ["openid profile email"],
        "state": [started.state],
        "nonce": [started.nonce],
        "code_challenge": [challenge.rstrip("=")],
        "code_challenge_method": ["S256"],
    }
    assert len({started.state, started.nonce, started.verifier}) == 3
    assert min(map(len, (started.state, started.nonce, started.verifier))) >= 43  # RFC 7636, section 4.1


async def test_who_came_back_is_told(config: ProviderConfig, provider: RealProvider) -> None:
    provider.set_user("1", preferred_username="ada", email="Ada@Example.org", groups=["vision"])
    asked = Provider(replace(config, groups_claim="groups"))
    user = await asked.finish(*await came_back(asked, provider, "1"), BACK)
    assert (user.issuer, user.subject, user.name) == (provider.issuer, "1", "ada")
    assert (user.email, user.groups) == ("ada@example.org", ("vision",))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"state": "another"}, "another sign-in"),
        ({"state": ""}, "another sign-in"),
        ({"iss": "https://evil.example.org"}, "another provider"),
        ({"code": "made up"}, "does not know this sign-in"),
        ({"error": "access_denied", "error_description": "no, thanks"}, "no, thanks"),
    ],
)
async def test_wrong_answers_are_refused(
    config: ProviderConfig, provider: RealProvider, wrong: dict[str, str], said: str
) -> None:
    asked = Provider(config)
    started, answer = await came_back(asked, provider, "2")
    with pytest.raises(RefusedError, match=said):
        await asked.finish(started, {**answer, **wrong}, BACK)


async def test_a_code_counts_once_and_for_its_own_sign_in(
    config: ProviderConfig, provider: RealProvider
) -> None:
    asked = Provider(config)
    started, answer = await came_back(asked, provider, "3")
    thief, _ = await came_back(asked, provider, "4")
    with pytest.raises(RefusedError, match="cannot be trusted"):  # its nonce is that of the other one
        await asked.finish(thief, {**answer, "state": thief.state}, BACK)
    with pytest.raises(RefusedError, match="does not know this sign-in"):
        await asked.finish(started, answer, BACK)


async def test_a_token_for_somebody_else_is_refused(config: ProviderConfig, provider: RealProvider) -> None:
    asked = Provider(config)
    started, answer = await came_back(asked, provider, "5")
    other = Provider(replace(config, client_id="another program"))
    with pytest.raises(RefusedError):
        await other.finish(started, answer, BACK)


async def test_only_verified_addresses_of_the_domains_come_in(
    config: ProviderConfig, provider: RealProvider
) -> None:
    asked = Provider(replace(config, domains=("example.org",)))
    for claims, is_let_in in (
        ({"email": "ada@example.org", "email_verified": True}, True),
        ({"email": "ada@EXAMPLE.org", "email_verified": "true"}, True),
        ({"email": "ada@example.org"}, False),
        ({"email": "ada@example.org.evil.net", "email_verified": True}, False),
        ({}, False),
    ):
        provider.set_user("6", preferred_username="ada", **claims)
        back = await came_back(asked, provider, "6")
        if is_let_in:
            assert (await asked.finish(*back, BACK)).subject == "6"
        else:
            with pytest.raises(RefusedError, match=r"example\.org"):
                await asked.finish(*back, BACK)


async def test_a_provider_that_is_away_or_another_one_is_told(config: ProviderConfig) -> None:
    with pytest.raises(UnavailableError, match="does not answer"):
        await Provider(replace(config, issuer="http://localhost:9")).begin(BACK, "")
    with pytest.raises(UnavailableError, match="has to be exactly that"):
        await Provider(replace(config, issuer=f"{config.issuer}/")).begin(BACK, "")


async def test_a_client_without_a_secret_shows_what_only_it_can_know(config: ProviderConfig) -> None:
    """What is sent for a code, as a provider sees it that answers by hand."""
    seen: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        seen.append(head + await reader.readexactly(int(length[1]) if length else 0))
        about = dict.fromkeys(("authorization_endpoint", "token_endpoint", "jwks_uri"), f"{issuer}/x")
        said = {"error": "invalid_grant"} if b"POST" in head else {"issuer": issuer, **about}
        body = json.dumps(said).encode()
        status = b"400 no" if b"POST" in head else b"200 OK"
        kind = b"content-type: application/json\r\nconnection: close\r\n"
        writer.write(b"HTTP/1.1 %s\r\n%scontent-length: %d\r\n\r\n%s" % (status, kind, len(body), body))
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as listening:
        issuer = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        asked = Provider(replace(config, issuer=issuer, client_secret=""))
        _, started = await asked.begin(BACK, "")
        with pytest.raises(RefusedError, match="does not know this sign-in"):
            await asked.finish(started, {"state": started.state, "code": "abc"}, BACK)
    head, _, body = seen[-1].partition(b"\r\n\r\n")
    assert b"authorization:" not in head.lower()
    assert parse_qs(body.decode()) == {
        "grant_type": ["authorization_code"],
        "code": ["abc"],
        "redirect_uri": [BACK],
        "code_verifier": [started.verifier],
        "client_id": ["stepwell"],
    }
