"""Requests by chance to the routes of the HTTP door, all of which it finds by itself."""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from unittest.mock import MagicMock
from urllib.parse import quote, urlencode

from starlette.routing import Route

from stepwell_server.app import http_routes
from stepwell_server.process.holding import Holding
from stepwell_server.transport.registrations import registrations
from stepwell_server.web.pages import ServerFacts, pages
from stepwell_server.web.signing_in.no_accounts import no_sessions
from tests.fuzz.contract import Rpc, all_rpcs
from tests.fuzz.messages import Chooser

# MLflow's page asks below this what its clients ask below /api: the same handlers answer.
TWIN = "/ajax-api/"
# Every field that some route reads.
FIELDS = (
    "alias", "archive_existing_versions", "artifact_directory_path", "artifact_location", "ascending", "columns",
    "dataset_digest", "dataset_name", "datasets", "description", "end_step", "end_time", "experiment_id",
    "experiment_ids", "experiment_name", "expiration", "field_name", "filter", "inputs", "key", "max_results",
    "metric_key", "metrics", "model_id", "model_json", "model_type", "models", "name", "new_name", "num_parts",
    "order_by", "outputs", "page_token", "params", "parts", "path", "run_id", "run_ids", "run_link", "run_name",
    "run_uuid", "run_view_type", "runId", "source", "source_run_id", "stage", "stages", "start_step", "start_time",
    "status", "step", "tags", "timestamp", "upload_id", "user_id", "value", "version", "view_type", "zip",
)  # fmt: skip
# A stream that goes on for ever ends then.
STREAM_MS = "200"
STRINGS = (
    "",
    "a",
    "0",
    "1",
    "-1",
    "NaN",
    "Infinity",
    "1e400",
    "0x10",
    "1_000",
    "٣",
    "\0",
    "a\0b",
    "\ud800",
    "\U0001f600",
    "../x",
    "a//b",
    "/",
    ".",
    "x" * 251,
    "x" * 9_000,
    "null",
    "{}",
    "[]",
    "'",
    '"',
    "`",
    "%",
    "\\",
    "metrics.a > 1",
    "a = 'b' OR 1",
    "metrics.a DESC",
    "tags.`x y` LIKE '%'",
    "runs:/x",
    "mlflow.runName",
    "ACTIVE_ONLY",
    "FINISHED",
    "s.",
    "t.",
    "s.e30=",
    "WyJhIl0=",
    "t.WyJoaXN0b3J5IiwgMCwgMSwgMSwgMSwgMV0=",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
)
NUMBERS = (
    0,
    1,
    -1,
    1.5,
    2.0,
    1e300,
    2**31,
    2**53 + 1,
    2**63 - 1,
    2**63,
    -(2**63),
    -(2**63) - 1,
    10**30,
    10**400,
)
BODIES = (
    b"",
    b"{",
    b"[]",
    b"5",
    b"null",
    b'""',
    b'"{}"',
    b"\xff\xfe",
    b'{"a": NaN}',
    b"{}" * 2,
    b"[" * 5_000,
    b"{" * 5_000,
)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request."""

    method: str
    path: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@cache
def all_routes() -> Sequence[tuple[str, str]]:
    """Return method and path of every route, those of MLflow's page only where its clients have none."""
    holding, services = Holding(), MagicMock()
    services.holding = holding
    about = [*pages(ServerFacts("0", "127.0.0.1:1", grpc_tls=False)), *no_sessions()]
    routes = http_routes(about, services, registrations(services))
    paths = {route.path for route in routes if isinstance(route, Route)}
    return [
        (method, route.path)
        for route in routes
        if isinstance(route, Route) and not _has_twin(route.path, paths)
        for method in sorted(route.methods or {"GET"})
    ]


def _has_twin(path: str, paths: set[str]) -> bool:
    return path.startswith(TWIN) and "/api/" + path.removeprefix(TWIN) in paths


@cache
def _rpcs() -> Mapping[str, Rpc]:
    return {rpc.path: rpc for rpc in all_rpcs()}


def any_request(chooser: Chooser, method: str, route: str, known: Mapping[str, Any]) -> Asked:
    """Return a request to a route. `known` are right values, by the names of their fields."""
    chosen = chooser.random
    path = _filled(chosen, route, known)
    if route in _rpcs():
        rpc = _rpcs()[route]
        sent = chooser.encoded(rpc.request)
        if not rpc.responses_stream:
            return Asked(method, path, sent, {"content_type": "application/proto"})
        enveloped = bytes(1) + len(sent).to_bytes(4, "big") + sent
        headers = {"content_type": "application/connect+proto", "connect_timeout_ms": STREAM_MS}
        return Asked(method, path, enveloped, headers)
    message = any_message(chosen, known)
    if method in {"GET", "HEAD"}:
        return Asked(method, f"{path}?{_query(message)}")
    body = chosen.choice(BODIES) if chosen.random() < 0.1 else json.dumps(message).encode()
    if chosen.random() < 0.1:
        body = chooser.mutated(body)
    return Asked(
        method,
        f"{path}?{_query(message)}" if chosen.random() < 0.1 else path,
        body,
        {"content_type": "application/json"},
    )


def _filled(chosen: random.Random, route: str, known: Mapping[str, Any]) -> str:
    """Return the path of a route with something in place of its parameters, often what is there."""
    parts = []
    for part in route.split("/"):
        if not part.startswith("{"):
            parts.append(part)
            continue
        name, _, kind = part.strip("{}").partition(":")
        value = known.get(name) if chosen.random() < 0.6 else chosen.choice(STRINGS)
        text = value if isinstance(value, str) else str(chosen.choice(STRINGS))
        parts.append(quote(text.encode("utf-8", "replace"), safe="/" if kind == "path" else ""))
    return "/".join(parts)


def _query(message: Mapping[str, Any]) -> str:
    return urlencode(
        {
            name: [str(it).encode("utf-8", "replace") for it in value]
            if isinstance(value, list)
            else str(value).encode("utf-8", "replace")
            for name, value in message.items()
        },
        doseq=True,
    )


def any_value(chosen: random.Random, known: Mapping[str, Any], depth: int = 0) -> Any:
    kind = chosen.randrange(9 if depth < 3 else 6)
    if kind < 2:
        return chosen.choice(STRINGS)
    if kind == 2:
        return chosen.choice(NUMBERS)
    if kind == 3:
        return chosen.choice((True, False, None, float("nan"), float("inf")))
    if kind < 6:
        return known[chosen.choice(list(known))]
    if kind < 8:
        return [any_value(chosen, known, depth + 1) for _ in range(chosen.randrange(4))]
    return any_message(chosen, known, depth + 1)


def any_message(chosen: random.Random, known: Mapping[str, Any], depth: int = 0) -> dict[str, Any]:
    fields = chosen.sample(FIELDS, chosen.randrange(1, 8))
    found = {name: any_value(chosen, known, depth) for name in fields}
    # Half of what is known by its name is right, so that messages come further than the first check.
    return found | {name: value for name, value in known.items() if chosen.random() < 0.5}
