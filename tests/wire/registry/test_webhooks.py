"""Webhooks: who is told, how deliveries are signed, and what happens when nobody answers."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import grpc.aio
import pytest

import stepwell
from stepwell.delivery.writer import writer_for
from stepwell_api.v1 import registry_pb2
from stepwell_api.v1 import webhooks_pb2 as pb
from stepwell_api.v1.webhooks_pb2_grpc import WebhookServiceStub
from stepwell_server.app import RunningServer, running_server
from stepwell_server.config import Config
from stepwell_server.model import webhooks as limits
from tests.harness.calls import invalid, not_found, refused
from tests.wire.registry.conftest import Registry

SECRET = "a secret of some length"
DELIVERY_S = 30.0


class Receiver:
    """An HTTP server that keeps what it is sent, and answers with the statuses it is told, then 200."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.received: asyncio.Queue[tuple[dict[str, str], bytes]] = asyncio.Queue()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:-2])}
        body = await reader.readexactly(int(headers["content-length"]))
        status = self.statuses.pop(0) if self.statuses else 200
        location = "Location: http://127.0.0.1:1/elsewhere\r\n" if status == 302 else ""
        writer.write(
            f"HTTP/1.1 {status} Told\r\n{location}Content-Length: 0\r\nConnection: close\r\n\r\n".encode()
        )
        await writer.drain()
        writer.close()
        await self.received.put(({"request": head[0], **headers}, body))

    async def next(self) -> tuple[dict[str, str], Any]:
        """Return headers and content of the next delivery, which is signed."""
        headers, body = await asyncio.wait_for(self.received.get(), DELIVERY_S)
        signed = headers["x-stepwell-timestamp"].encode() + b"." + body
        expected = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
        assert headers["x-stepwell-signature"] == f"sha256={expected}"
        return headers, json.loads(body)


@asynccontextmanager
async def receiving() -> AsyncIterator[tuple[Receiver, str]]:
    receiver = Receiver()
    server = await asyncio.start_server(receiver.answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield receiver, f"http://127.0.0.1:{port}/hook?a=1"


@pytest.fixture
async def server(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[RunningServer]:
    """A server whose operator allows webhooks to this machine, and tries again soon."""
    monkeypatch.setattr(limits, "FIRST_PAUSE_MS", 50)
    config = Config(
        port=0,
        store=database_url,
        data=tmp_path,
        shutdown_grace_s=5,
        webhook_hosts=["127.0.0.1", "*.example.org"],
    )
    async with running_server(config) as running:
        yield running


@pytest.fixture
async def channel(server: RunningServer) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as opened:
        yield opened


@pytest.fixture
def hooks(channel: grpc.aio.Channel) -> WebhookServiceStub:
    return WebhookServiceStub(channel)


async def create(hooks: WebhookServiceStub, url: str, **fields: Any) -> pb.Webhook:
    request = pb.CreateWebhookRequest(**{"name": "hook", "url": url, "secret": SECRET, **fields})
    return (await hooks.CreateWebhook(request)).webhook


async def all_of(hooks: WebhookServiceStub) -> list[pb.Webhook]:
    return list((await hooks.ListWebhooks(pb.ListWebhooksRequest())).webhooks)


async def settled(hooks: WebhookServiceStub, **fields: Any) -> pb.Webhook:
    """Wait until the only webhook has these figures."""
    (webhook,) = await all_of(hooks)
    return await settled_of(hooks, webhook.url, **fields)


async def settled_of(hooks: WebhookServiceStub, url: str, **fields: Any) -> pb.Webhook:
    """Wait until the webhook of an address has these figures."""
    async with asyncio.timeout(DELIVERY_S):
        while True:
            (webhook,) = [it for it in await all_of(hooks) if it.url == url]
            if all(getattr(webhook, name) == value for name, value in fields.items()):
                return webhook
            await asyncio.sleep(0.05)


async def test_changes_are_delivered_in_order_and_signed(
    hooks: WebhookServiceStub, registry: Registry
) -> None:
    await registry.model("before")  # nobody is told what was before
    async with receiving() as (receiver, url):
        created = await create(hooks, url)
        assert SECRET not in str(created)
        # Nor what an import says that happened elsewhere.
        elsewhere = registry_pb2.RegistryChange(
            kind=registry_pb2.CHANGE_KIND_STAGE_CHANGED, name="m", version=1, time_ms=1
        )
        await registry.model(author=registry_pb2.Author(user="ada", comment="größe"), history=[elsewhere])
        await registry.version()
        await registry.move(1, "Production")
        headers, first = await receiver.next()
        assert headers["request"] == "POST /hook?a=1 HTTP/1.1"
        assert (headers["x-stepwell-event"], first["event"]) == ("model_created", "model_created")
        assert headers["x-stepwell-delivery"] == f"{created.webhook_id}-{first['number']}"
        assert (first["name"], first["version"], first["user"], first["comment"]) == (
            "m",
            None,
            "ada",
            "größe",
        )
        assert (await receiver.next())[1]["after"] == "s3://bucket/m"
        moved = (await receiver.next())[1]
        assert (moved["event"], moved["version"], moved["after"]) == ("stage_changed", 1, "Production")
        await settled(hooks, delivered=3, last_error="")


async def test_only_what_is_wanted_is_delivered(hooks: WebhookServiceStub, registry: Registry) -> None:
    await registry.model("other")
    await registry.model()
    async with receiving() as (receiver, url):
        await create(hooks, url, kinds=[registry_pb2.CHANGE_KIND_ALIAS_SET], model_name="m")
        for name in ("other", "m"):
            await registry.version(name)
            await registry.alias("champion", 1, name)
        told = (await receiver.next())[1]
        assert (told["event"], told["name"], told["key"], told["after"]) == (
            "alias_set",
            "m",
            "champion",
            "1",
        )
        await settled(hooks, delivered=1)
        assert receiver.received.empty()


async def test_alerts_of_runs_are_delivered_between_changes(
    server: RunningServer, hooks: WebhookServiceStub, registry: Registry
) -> None:
    async with receiving() as (receiver, url), receiving() as (other, other_url):
        await create(
            hooks, url, kinds=[registry_pb2.CHANGE_KIND_ALERT, registry_pb2.CHANGE_KIND_MODEL_CREATED]
        )
        await create(hooks, other_url, model_name="m")
        await registry.model()
        run = await asyncio.to_thread(raise_alerts, server.grpc_uri)
        await registry.model("n")
        told = [await receiver.next() for _ in range(4)]
        assert [content.get("title", content.get("name")) for _, content in told] == [
            "m",
            "first",
            "<b>",
            "n",
        ]
        headers, alert = told[1]
        assert headers["x-stepwell-event"] == alert["event"] == "alert"
        assert (alert["level"], alert["text"], alert["run_id"]) == ("WARNING", "größe", run.info.run_id)
        assert (alert["run_name"], alert["experiment_id"], alert["experiment_name"]) == (
            "noisy",
            "0",
            "Default",
        )
        assert [content["number"] for _, content in told] == sorted(content["number"] for _, content in told)
        assert (await other.next())[1]["name"] == "m"  # of a model: it is told of no alerts
        await settled_of(hooks, url, delivered=4, last_error="")
        assert other.received.empty()


def raise_alerts(uri: str) -> stepwell.Run:
    client = stepwell.StepwellClient(uri)
    run = client.create_run("0", run_name="noisy")
    writer_for(uri, run.info.run_id).log_alert(stepwell.entities.Alert("old", "", "ERROR", 1), imported=True)
    assert client.alert(run.info.run_id, "first", "größe", "warn")
    assert client.alert(run.info.run_id, "<b>")
    client.flush()
    return run


async def test_what_fails_is_tried_again_before_what_comes_next(
    hooks: WebhookServiceStub, registry: Registry
) -> None:
    async with receiving() as (receiver, url):
        receiver.statuses = [500, 302]  # a redirect is not followed
        await create(hooks, url)
        await registry.model("a")
        await registry.model("b")
        told = [await receiver.next() for _ in range(4)]
        assert [content["name"] for _, content in told] == ["a", "a", "a", "b"]
        assert len({headers["x-stepwell-delivery"] for headers, _ in told}) == 2
        await settled(hooks, delivered=2, given_up=0, failed_attempts=0)


async def test_a_clock_that_is_set_back_keeps_nothing_from_being_told(
    server: RunningServer, hooks: WebhookServiceStub, registry: Registry
) -> None:
    async with receiving() as (receiver, url):
        await create(hooks, url)
        connection = await asyncpg.connect(server.store)
        later = "(extract(epoch FROM now() + interval '1 day') * 1000)::bigint"
        await connection.execute(f"UPDATE webhook SET next_attempt_ms = {later}")
        await connection.close()
        await registry.model("a")
        assert (await receiver.next())[1]["name"] == "a"


async def test_what_fails_for_good_is_given_up(
    hooks: WebhookServiceStub, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stepwell_server.services.registry.webhooks.ATTEMPTS_MAX", 2)
    async with receiving() as (receiver, url):
        receiver.statuses = [503, 503]
        await create(hooks, url)
        await registry.model("a")
        await registry.model("b")
        assert [(await receiver.next())[1]["name"] for _ in range(3)] == ["a", "a", "b"]
        await settled(hooks, delivered=1, given_up=1)


async def test_of_too_many_the_oldest_are_given_up(
    hooks: WebhookServiceStub, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with receiving() as (receiver, url):
        monkeypatch.setattr("stepwell_server.store.registry.webhooks.WAITING_MAX", 2)
        monkeypatch.setattr(limits, "FIRST_PAUSE_MS", 5_000)  # while which they gather
        receiver.statuses = [500]
        await create(hooks, url)
        await registry.model("a")
        assert (await receiver.next())[1]["name"] == "a"
        for name in "bcd":
            await registry.model(name)
        assert [(await receiver.next())[1]["name"] for _ in range(2)] == ["c", "d"]
        assert (await settled(hooks, delivered=2)).given_up == 2


async def test_a_test_is_delivered_at_once(hooks: WebhookServiceStub) -> None:
    async with receiving() as (receiver, url):
        created = await create(hooks, url)
        request = pb.TestWebhookRequest(webhook_id=created.webhook_id)
        assert (await hooks.TestWebhook(request)).status == 200
        assert (await receiver.next())[1]["name"] == "test"
        receiver.statuses = [418]
        answer = await hooks.TestWebhook(request)
        assert (answer.status, answer.error) == (418, "answered with 418 Told")
    answer = await hooks.TestWebhook(request)
    assert (answer.status, "Refused" in answer.error) == (0, True)


async def test_webhooks_change_and_go(hooks: WebhookServiceStub) -> None:
    created = await create(hooks, "https://hooks.example.org/x", kinds=[registry_pb2.CHANGE_KIND_TAG_SET])
    update = pb.UpdateWebhookRequest(webhook_id=created.webhook_id, name="new", is_active=False)
    changed = (await hooks.UpdateWebhook(update)).webhook
    assert (changed.name, changed.is_active, changed.url) == ("new", False, created.url)
    assert list(changed.kinds) == [registry_pb2.CHANGE_KIND_TAG_SET]
    assert await all_of(hooks) == [changed]
    delete = pb.DeleteWebhookRequest(webhook_id=created.webhook_id)
    await hooks.DeleteWebhook(delete)
    for call in (hooks.DeleteWebhook(delete), hooks.UpdateWebhook(update)):
        async with not_found("no webhook"):
            await call


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest",
        "http://localhost/",
        "http://example.org/",
        "http://evil-example.org/",
        "http://hooks.example.org.evil.com/",
        "http://[::1]/",
    ],
)
async def test_hosts_that_the_operator_did_not_name(hooks: WebhookServiceStub, url: str) -> None:
    async with refused(grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED", "--webhook-hosts"):
        await create(hooks, url)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"url": "ftp://127.0.0.1/x"}, "http://HOST"),
        ({"url": "http:///x"}, "http://HOST"),
        ({"url": "http://127.0.0.1:x/"}, "http://HOST"),
        ({"url": "http://127.0.0.1/\r\nX: y"}, "http://HOST"),
        ({"url": "http://user:password@127.0.0.1/"}, "no user and password"),
        ({"url": "http://127.0.0.1/" + "x" * 2_048}, "2,048"),
        ({"secret": "short"}, "16 at least"),
        ({"secret": "s" * 201}, "200"),
        ({"name": " "}, "blank"),
        ({"model_name": "a/b"}, "slashes"),
        ({"kinds": [99]}, "kind of change"),
    ],
)
async def test_what_is_no_webhook(hooks: WebhookServiceStub, fields: dict[str, Any], problem: str) -> None:
    async with invalid(problem):
        await create(hooks, **{"url": "http://127.0.0.1/", **fields})


async def test_without_hosts_there_are_no_webhooks(database_url: str, tmp_path: Path) -> None:
    config = Config(port=0, store=database_url, data=tmp_path, shutdown_grace_s=5)
    async with (
        running_server(config) as running,
        grpc.aio.insecure_channel(f"127.0.0.1:{running.port}") as channel,
        refused(grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED", "--webhook-hosts"),
    ):
        await create(WebhookServiceStub(channel), "http://127.0.0.1/")
