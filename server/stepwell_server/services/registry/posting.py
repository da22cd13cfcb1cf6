"""One POST of a webhook: signed, to a host that is allowed, with a limit for everything.

It follows no redirect, which could lead elsewhere. The operator's list of hosts is the guard: without it the server
could be made to send requests into the network around it.
"""

import asyncio
import hashlib
import hmac
import http.client
import json
import time
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

from stepwell_server.errors import InvalidArgumentError, PermissionDeniedError
from stepwell_server.model.alerts import Alert
from stepwell_server.model.registry import ChangeKind, RegistryChange
from stepwell_server.model.webhooks import ERROR_CHARS_MAX, WEBHOOK_URL_CHARS_MAX, Answer, Webhook
from stepwell_server.services.validation import check_text, shown

TIMEOUT_S = 10.0  # of each step: connecting, sending, the answer
ANSWER_BYTES_MAX = 4_096  # that are read of an answer
ANY_HOST = "*"


def check_url(url: str, allowed_hosts: Sequence[str]) -> None:
    """Check the address of a webhook.

    Raises:
        InvalidArgumentError: it is no address of http or https, or holds a user.
        PermissionDeniedError: the operator does not allow its host.
    """
    check_text("the address of a webhook", url, WEBHOOK_URL_CHARS_MAX)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = SplitResult("", "", "", "", ""), None
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or not url.isascii()
        or not url.isprintable()
        or " " in url
    ):
        raise InvalidArgumentError(
            f"{shown(url)} is no address of a webhook: use http://HOST/… or https://HOST/…, in ASCII"
        )
    if parts.username is not None or parts.password is not None:
        raise InvalidArgumentError(
            "the address of a webhook holds no user and password; deliveries are signed"
        )
    if not any(_allows(host, parts.hostname, port) for host in allowed_hosts):
        raise PermissionDeniedError(
            f"this server does not deliver webhooks to {shown(parts.hostname)}: its operator names the hosts that are"
            " allowed, with --webhook-hosts or STEPWELL_WEBHOOK_HOSTS"
        )


def _allows(pattern: str, host: str, port: int | None) -> bool:
    """Tell whether HOST, HOST:PORT, *.DOMAIN or * stands for a host."""
    name, colon, number = pattern.rpartition(":") if not pattern.endswith("]") else (pattern, "", "")
    if not colon:
        name = pattern
    if colon and number != str(port):
        return False
    name = name.strip("[]").lower()
    return name == ANY_HOST or host == name or (name.startswith("*.") and host.endswith(name[1:]))


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return what shows a receiver that a delivery is ours, and when it was sent."""
    signed = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256)
    return f"sha256={signed.hexdigest()}"


async def post(webhook: Webhook, event: RegistryChange | Alert) -> Answer:
    """Deliver a change, or an alert, once; whatever goes wrong is in the answer."""
    return await asyncio.to_thread(_post, webhook, event)


def _post(webhook: Webhook, event: RegistryChange | Alert) -> Answer:
    content = _of_alert(event) if isinstance(event, Alert) else _of_change(event)
    body = json.dumps(content).encode()
    timestamp = str(int(time.time()))
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "stepwell",
        "X-Stepwell-Event": str(content["event"]),
        "X-Stepwell-Delivery": f"{webhook.webhook_id.hex}-{event.number}",
        "X-Stepwell-Timestamp": timestamp,
        "X-Stepwell-Signature": signature(webhook.secret, timestamp, body),
    }
    parts = urlsplit(webhook.url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        answer.read(ANSWER_BYTES_MAX)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Answer(0, f"{type(error).__name__}: {error}"[:ERROR_CHARS_MAX])
    finally:
        connection.close()
    if 200 <= answer.status < 300:
        return Answer(answer.status, "")
    return Answer(answer.status, f"answered with {answer.status} {answer.reason}"[:ERROR_CHARS_MAX])


def _of_change(change: RegistryChange) -> dict[str, object]:
    return {
        "event": change.kind.value,
        "number": change.number,
        "time_ms": change.time_ms,
        "name": change.name,
        "version": change.version or None,
        "key": change.key,
        "before": change.before,
        "after": change.after,
        "user": change.user,
        "comment": change.comment,
    }


def _of_alert(alert: Alert) -> dict[str, object]:
    return {
        "event": ChangeKind.ALERT.value,
        "number": alert.number,
        "time_ms": alert.time_ms,
        "level": alert.level.name,
        "title": alert.title,
        "text": alert.text,
        "run_id": alert.run_id.hex,
        "run_name": alert.run_name,
        "experiment_id": str(alert.experiment_id),
        "experiment_name": alert.experiment_name,
    }
