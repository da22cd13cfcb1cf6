"""Credentials of the server with clouds: how it gets them, and what is told when they are missing or wrong."""

import http.server
import json
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from stepwell_server.errors import InvalidArgumentError, UnavailableError
from stepwell_server.store.content.buckets.azure import configured
from stepwell_server.store.content.buckets.cloud import told
from stepwell_server.store.content.buckets.google_tokens import Tokens
from stepwell_server.store.content.kinds import kind_of
from tests.content.conftest import MIB, file_of, pieces_of
from tests.harness.content.clouds import ACCOUNT, account_signature, service_account
from tests.harness.content.stores import Store


@contextmanager
def token_server(status: int) -> Iterator[str]:
    """Give tokens, a new one each time, or refuse."""
    given: list[int] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            given.append(len(given))
            body = json.dumps({"access_token": f"token{len(given)}", "expires_in": 3600}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(body if status == 200 else b'{"error": "invalid_grant"}')

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/token"
        server.shutdown()


@pytest.mark.parametrize("status", [200, 400])
async def test_tokens_of_a_service_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    with token_server(status) as address:
        found = tmp_path / "credentials.json"
        found.write_text(json.dumps({**service_account(), "token_uri": address}))
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(found))
        tokens = Tokens()
        if status == 200:
            assert await tokens.headers() == await tokens.headers() == {"Authorization": "Bearer token1"}
        else:
            with pytest.raises(UnavailableError, match="invalid_grant"):
                await tokens.headers()


async def test_google_without_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    with pytest.raises(UnavailableError, match=r"none\.json"):
        await Tokens().headers()
    place = kind_of("gs://bucket/x")
    assert place is not None
    with pytest.raises(InvalidArgumentError, match=r"bucket cannot be used.*none\.json"):
        async with place.opened("gs://bucket/x", 60):
            pass


async def test_azure_without_an_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_STORAGE_CONNECTION_STRING", raising=False)
    place = kind_of("az://container/x")
    assert place is not None
    with pytest.raises(InvalidArgumentError, match=r"container cannot be used.*Account must be specified"):
        async with place.opened("az://container/x", 60):
            pass


@pytest.mark.parametrize("kind", [pytest.param("azure", marks=pytest.mark.xdist_group("store-azure"))])
async def test_a_wrong_key_is_told_and_not_shown(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = "d3Jvbmcga2V5"
    text = store.environment(None)["AZURE_STORAGE_CONNECTION_STRING"]
    key = next(part for part in text.split(";") if part.startswith("AccountKey="))
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", text.replace(key, f"AccountKey={wrong}"))
    place = kind_of(store.root)
    assert place is not None
    async with place.opened(store.root, 60) as content:
        with pytest.raises(UnavailableError, match="403 AuthorizationFailure") as refusal:
            await content.write_small([("ab/x", b"x")])
    assert wrong not in str(refusal.value)


@pytest.mark.parametrize(
    ("root", "environment", "config"),
    [
        ("az://box/a", {"AZURE_STORAGE_ACCOUNT": "mine"}, {"account_name": "mine"}),
        (
            "az://box/a",
            {"AZURE_STORAGE_ACCOUNT_NAME": "mine", "AZURE_STORAGE_ACCESS_KEY": "k"},
            {"account_name": "mine", "account_key": "k"},
        ),
        (
            "az://box/a",
            {
                "AZURE_STORAGE_CONNECTION_STRING": "AccountName=mine;AccountKey=a==;BlobEndpoint=http://x/mine/"
            },
            {"account_name": "mine", "account_key": "a==", "endpoint": "http://x/mine"},
        ),
        (
            "wasbs://box@other.blob.core.windows.net/a",
            {"AZURE_STORAGE_ACCOUNT": "mine", "AZURE_STORAGE_KEY": "k"},
            {
                "account_name": "other",
                "endpoint": "https://other.blob.core.windows.net",
                "skip_signature": "true",
            },
        ),
    ],
)
def test_accounts_of_azure(root: str, environment: Mapping[str, str], config: Mapping[str, str]) -> None:
    assert configured(root, environment) == ("box", "a", config)


@pytest.mark.parametrize(
    ("root", "module", "command"),
    [("az://box/a", "obstore", "azure"), ("gs://box/a", "google.auth", "gcs")],
)
def test_what_is_not_installed_is_told(
    root: str, module: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("stepwell_server.store.content.buckets.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    place = kind_of(root)
    assert place is not None
    with pytest.raises(
        InvalidArgumentError, match=rf"{module} is missing.*pip install 'stepwell\[{command}\]'"
    ):
        place.opened(root, 60)


def test_signatures_are_not_told() -> None:
    address = "https://a.blob.core.windows.net/c/k?sv=1&sig=secret%3D&sp=r"
    assert "secret" not in told(ValueError(f"cannot connect to {address}"))
    assert (
        told(
            ValueError(
                f"x: Error performing GET {address} in 1ms - Server returned non-2xx status code: 403 Forbidden: "
                "<Error><Code>AuthenticationFailed</Code></Error>\nDebug: …"
            )
        )
        == "GET https://a.blob.core.windows.net/c/k was answered with 403 AuthenticationFailed"
    )


@pytest.mark.parametrize("kind", [pytest.param("azure", marks=pytest.mark.xdist_group("store-azure"))])
async def test_a_shared_access_signature_is_enough(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """It signs nothing for others: everything goes through the server, in blocks, too."""
    address = f"http://127.0.0.1:{store.port}/{ACCOUNT}"
    said = f"AccountName={ACCOUNT};BlobEndpoint={address};SharedAccessSignature={account_signature()}"
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", said)
    place = kind_of(store.root)
    assert place is not None
    async with place.opened(store.root, 60) as content:
        assert content.direct is None
        data = bytes(20 * MIB)
        await content.write("ab/x", 0, pieces_of(data), file_of(data))
        assert await content.verify("ab/x", file_of(data)) == ""
        assert store.objects() == {"ab/x": len(data)}
        await content.remove("ab/x", None)
        assert store.objects() == {}
