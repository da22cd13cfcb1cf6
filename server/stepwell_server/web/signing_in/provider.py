"""An OpenID Connect provider, as far as signing in goes (OpenID Connect Core 1.0, section 3.1: the code flow).

    begin   -> the provider's address, where the browser goes, and what has to be remembered until it comes back
    finish  <- code and state, with which it comes back -> who that is

Authlib speaks OAuth, joserfc reads signed tokens; both are loaded when the first one signs in.
"""

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stepwell_server.config import ProviderConfig
from stepwell_server.errors import UnavailableError
from stepwell_server.process.logger import get_logger
from stepwell_server.services.access.fresh import Fresh
from stepwell_server.web.errors import RefusedError

if TYPE_CHECKING:
    from authlib.integrations.httpx_client import AsyncOAuth2Client
    from joserfc.jwk import KeySet

DISCOVERY = "/.well-known/openid-configuration"
# What the provider says of itself is asked for again after so long; its keys, too, and when a token has an unknown one,
# but not more often than KEYS_PAUSE_S, whatever tokens come.
METADATA_S = 3_600.0
KEYS_PAUSE_S = 30.0
ANSWER_S_MAX = 10.0
ANSWER_BYTES_MAX = 2**20
# Clocks may differ by so much.
LEEWAY_S = 60
# Signed by a key of the provider: not `none`, and not by a secret that more than one may know.
ALGORITHMS = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
    "Ed25519",
)
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Started:
    """A sign-in under way; the browser keeps it in a cookie."""

    state: str
    nonce: str
    verifier: str
    back: str  # where in the page one was


@dataclass(frozen=True, slots=True)
class ProvidedUser:
    """Who has signed in at a provider. `subject` never changes there, a name may."""

    issuer: str
    subject: str
    name: str
    email: str
    groups: Sequence[str]


class Provider:
    """Raises RefusedError for what is wrong with a sign-in, UnavailableError when the provider does not answer."""

    def __init__(self, config: ProviderConfig) -> None:
        self.config = config
        # Who asks while the same is being asked waits for that: a provider that is slow is not asked by everybody.
        self._metadata: Fresh[str, Mapping[str, Any]] = Fresh(METADATA_S, 1)
        self._keys: Fresh[str, KeySet] = Fresh(METADATA_S, 1)
        self._keys_from = 0.0

    async def begin(self, redirect_uri: str, back: str) -> tuple[str, Started]:
        """Return where the browser has to go, and what to remember."""
        metadata = await self._described()
        started = Started(_random(), _random(), _random(), back)
        async with self._client(redirect_uri) as client:
            address, _ = client.create_authorization_url(
                metadata["authorization_endpoint"],
                state=started.state,
                nonce=started.nonce,
                code_verifier=started.verifier,
            )
        return str(address), started

    async def finish(self, started: Started, answer: Mapping[str, str], redirect_uri: str) -> ProvidedUser:
        """Return who came back from the provider with `answer`, the query of the address."""
        if not secrets.compare_digest(answer.get("state", "").encode(), started.state.encode()):
            raise RefusedError(400, "this answer of the provider belongs to another sign-in; sign in again")
        if "error" in answer:
            said = answer.get("error_description") or answer["error"]
            raise RefusedError(403, f"{self.name} did not sign you in: {said[:200]}")
        issuer = answer.get("iss")  # RFC 9207: against answers of other providers
        if issuer is not None and issuer != self.config.issuer:
            raise RefusedError(400, "this answer comes from another provider; sign in again")
        tokens = await self._exchange(answer.get("code", ""), started.verifier, redirect_uri)
        claims = await self._claims(str(tokens.get("id_token", "")), started.nonce)
        if self._lacks(claims):
            claims = {**await self._more_claims(claims["sub"], tokens), **claims}
        return self._user(claims)

    @property
    def name(self) -> str:
        """What people call it."""
        return self.config.name or self.config.issuer.partition("://")[2].partition("/")[0]

    def _client(self, redirect_uri: str = "") -> "AsyncOAuth2Client":
        from authlib.integrations.httpx_client import AsyncOAuth2Client

        return AsyncOAuth2Client(
            self.config.client_id,
            self.config.client_secret or None,
            token_endpoint_auth_method="client_secret_basic" if self.config.client_secret else "none",
            scope=" ".join(self.config.scopes),
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
            timeout=ANSWER_S_MAX,
        )

    async def _described(self) -> Mapping[str, Any]:
        return await self._metadata.get("", self._ask_metadata)

    async def _ask_metadata(self) -> Mapping[str, Any]:
        metadata = await self._get(self.config.issuer.rstrip("/") + DISCOVERY)
        if metadata.get("issuer") != self.config.issuer:
            raise UnavailableError(
                f"the provider calls itself {metadata.get('issuer')!r}; --oidc-issuer has to be exactly that"
            )
        missing = [name for name in ENDPOINTS if not isinstance(metadata.get(name), str)]
        if missing:
            raise UnavailableError(f"the provider does not tell its {', '.join(missing)}")
        return metadata

    async def _get(self, address: str, access_token: str = "") -> Mapping[str, Any]:
        """Return a JSON object of the provider."""
        import httpx2

        headers = {"authorization": f"Bearer {access_token}"} if access_token else {}
        try:
            async with (
                httpx2.AsyncClient(timeout=ANSWER_S_MAX) as client,
                client.stream("GET", address, headers=headers) as answer,
            ):
                answer.raise_for_status()
                body = b""
                async for piece in answer.aiter_bytes():
                    body += piece
                    if len(body) > ANSWER_BYTES_MAX:
                        raise UnavailableError(f"{address} answers with more than {ANSWER_BYTES_MAX} bytes")
            found = httpx2.Response(200, content=body).json()
        except (httpx2.HTTPError, ValueError) as error:
            raise self._away(error) from None
        if not isinstance(found, dict):
            raise UnavailableError(f"{address} is no JSON object")
        return found

    def _away(self, error: Exception) -> UnavailableError:
        log.warning("the provider did not answer", provider=self.name, reason=repr(error)[:300])
        return UnavailableError(f"{self.name} does not answer; try again in a moment")

    async def _exchange(self, code: str, verifier: str, redirect_uri: str) -> Mapping[str, Any]:
        """Return the tokens that a code stands for; a code is taken once."""
        import httpx2
        from authlib.common.errors import AuthlibBaseError

        metadata = await self._described()
        try:
            async with self._client(redirect_uri) as client:
                tokens: Mapping[str, Any] = await client.fetch_token(
                    metadata["token_endpoint"], code=code, code_verifier=verifier
                )
                return tokens
        except AuthlibBaseError as error:  # its text is the provider's; it holds no secret of ours
            log.warning("the provider took no code", provider=self.name, reason=str(error)[:300])
            raise RefusedError(
                403, f"{self.name} does not know this sign-in any more; sign in again"
            ) from None
        except (httpx2.HTTPError, ValueError) as error:
            raise self._away(error) from None

    async def _claims(self, id_token: str, nonce: str) -> dict[str, Any]:
        """Return what a token says that the provider signed for us, now, and for this sign-in."""
        from authlib.oidc.core import CodeIDToken
        from joserfc import jwt
        from joserfc.errors import InvalidKeyIdError, JoseError

        try:
            try:
                token = jwt.decode(id_token, await self._key_set(), algorithms=list(ALGORITHMS))
            except InvalidKeyIdError:
                token = jwt.decode(id_token, await self._key_set(anew=True), algorithms=list(ALGORITHMS))
            claims = CodeIDToken(
                token.claims,
                token.header,
                {
                    "iss": {"essential": True, "value": self.config.issuer},
                    "aud": {"essential": True, "value": self.config.client_id},
                    "nonce": {"essential": True, "value": nonce},
                    "sub": {"essential": True},
                },
                {"nonce": nonce, "client_id": self.config.client_id},
            )
            claims.validate(leeway=LEEWAY_S)
        except (JoseError, ValueError) as error:
            log.warning("a token of the provider is not valid", provider=self.name, reason=repr(error)[:300])
            raise RefusedError(
                403, f"what {self.name} says of you cannot be trusted; the log says why"
            ) from None
        return dict(claims)

    async def _key_set(self, *, anew: bool = False) -> "KeySet":
        if anew and time.monotonic() - self._keys_from > KEYS_PAUSE_S:
            self._keys.forget()
        return await self._keys.get("", self._ask_keys)

    async def _ask_keys(self) -> "KeySet":
        from joserfc.jwk import KeySet

        self._keys_from = time.monotonic()
        metadata = await self._described()
        return KeySet.import_key_set(await self._get(metadata["jwks_uri"]))  # type: ignore[arg-type]

    def _lacks(self, claims: Mapping[str, Any]) -> bool:
        """Tell whether the token leaves out what the provider's page of the user may have."""
        wanted = {self.config.name_claim, self.config.groups_claim, "email" if self.config.domains else ""}
        return not wanted - {""} <= claims.keys()

    async def _more_claims(self, subject: str, tokens: Mapping[str, Any]) -> Mapping[str, Any]:
        address = (await self._described()).get("userinfo_endpoint")
        if not isinstance(address, str):
            return {}
        found = await self._get(address, str(tokens.get("access_token", "")))
        if found.get("sub") != subject:  # OpenID Connect Core 1.0, section 5.3.2
            raise RefusedError(403, f"{self.name} tells of somebody else than who signed in")
        return found

    def _user(self, claims: Mapping[str, Any]) -> ProvidedUser:
        email = claims.get("email")
        email = email.lower() if isinstance(email, str) else ""
        if self.config.domains:
            self._require_domain(email, is_verified=claims.get("email_verified") in (True, "true"))
        named = claims.get(self.config.name_claim) or email or claims["sub"]
        groups = claims.get(self.config.groups_claim) if self.config.groups_claim else ()
        return ProvidedUser(self.config.issuer, str(claims["sub"]), str(named), email, _texts(groups))

    def _require_domain(self, email: str, *, is_verified: bool) -> None:
        _, _, domain = email.rpartition("@")
        allowed = {domain.lower().removeprefix("@") for domain in self.config.domains}
        if not is_verified or domain not in allowed:
            raise RefusedError(
                403, f"this server is for people with a verified address at {' or '.join(sorted(allowed))}"
            )


def _random() -> str:
    return secrets.token_urlsafe(32)


def _texts(claim: Any) -> tuple[str, ...]:
    """Return the names in a claim of groups: a list of texts, or one text."""
    found = [claim] if isinstance(claim, str) else claim if isinstance(claim, list) else []
    return tuple(name for name in found if isinstance(name, str) and name)
