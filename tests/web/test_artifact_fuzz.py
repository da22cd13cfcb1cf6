"""Whatever is asked of the artifact routes gets an answer, and never 500."""

import json
import random
from typing import Any
from urllib.parse import quote

import pytest

from stepwell_server.app import RunningServer
from tests.harness.network.raw_http import Answer
from tests.harness.network.rest import Rest

CALLS = 300
PROXY = "/api/2.0/mlflow-artifacts"
PARTS = [
    "",
    "a",
    "a.txt",
    "m",
    "..",
    ".",
    "%2e%2e",
    "\0",
    "ü",
    "\n",
    "\\",
    "C:",
    "x" * 256,
    "?",
    "#",
    "%",
    '"',
    "☃" * 90,
]
RANGES = [
    "bytes=0-0",
    "bytes=-1",
    "bytes=1-",
    "bytes=9-1",
    "bytes=",
    "bytes=-",
    "x",
    "bytes=0-,1-",
    "bytes=99999999999999999999-",
]
DATES = [
    "Thu, 01 Jan 1970 00:00:00 GMT",
    "Fri, 01 Jan 9999 00:00:00 GMT",
    "x",
    "0",
    "Thu, 99 Jan 1970 00:00:00 GMT",
]
TAGS = ["*", '"x"', 'W/"x"', "x", '"', ",", ""]
HEADERS = {
    "range": RANGES,
    "if-range": DATES + TAGS,
    "if-match": TAGS,
    "if-none-match": TAGS,
    "if-modified-since": DATES,
    "if-unmodified-since": DATES,
    "expect": ["100-continue", "x"],
}


@pytest.mark.parametrize("seed", range(2))
async def test_any_request_gets_an_answer(server: RunningServer, seed: int) -> None:
    rest, chosen = Rest(server.http_url), random.Random(seed)
    run = await rest.new_run()
    root = f"0/{run}/artifacts"
    for path in ("a.txt", "m/a.txt"):
        assert (await rest.place.ask("PUT", f"{PROXY}/artifacts/{root}/{path}", b"content")).status == 200
    seen = set()
    for _ in range(CALLS):
        method, path, body = any_request(chosen, run, root)
        headers = {name: chosen.choice(values) for name, values in HEADERS.items() if chosen.random() < 0.15}
        answer = await rest.place.ask(method, path, body, **headers)
        seen.add(answer.status)
        assert answer.status < 500 or answer.status == 501, (method, path, headers, answer)
        assert method == "HEAD" or is_sound(answer), (method, path, headers, answer)
    assert {200, 400, 404} <= seen


def is_sound(answer: Answer) -> bool:
    """Tell whether an error is JSON, and a file no page of ours."""
    if answer.status >= 400 and answer.status not in {412, 417}:
        return answer.headers["content-type"] == "application/json" and set(answer.json) == {
            "error_code",
            "message",
        }
    if "content-disposition" in answer.headers:
        return "sandbox" in answer.headers["content-security-policy"]
    return True


def any_path(chosen: random.Random) -> str:
    return quote("/".join(chosen.choice(PARTS) for _ in range(chosen.randrange(4))), safe="/")


def any_request(chosen: random.Random, run: str, root: str) -> tuple[str, str, bytes]:
    run_id = chosen.choice([run, run, run, "0" * 32, "x", ""])
    below = chosen.choice([root, root, root, "x", f"0/{run}", ""])
    path = chosen.choice(["a.txt", "m/a.txt", "m", any_path(chosen), any_path(chosen)])
    query = f"run_id={run_id}&run_uuid={run_id}&path={path}&zip={chosen.choice('01')}"
    fields: dict[str, Any] = {
        "path": chosen.choice(["big.bin", "", None, 7, "../x", "a\0b"]),
        "num_parts": chosen.choice([1, 0, -1, "x", 10**9]),
        "upload_id": chosen.choice(["0" * 32, "x", None, 5]),
        "parts": chosen.choice([[], [{}], [{"part_number": 1, "etag": "e"}], "x"]),
        "run_id": run_id,
        "expiration": chosen.choice([1, 0, "x", 10**9]),
    }
    requests = [
        *[("GET", f"{PROXY}/artifacts/{below}/{path}", b"")] * 2,
        ("HEAD", f"/api/stepwell/v1/runs/{run_id}/artifacts/{path}?{query}", b""),
        ("GET", f"/api/stepwell/v1/runs/{run_id}/artifacts/{path}?{query}", b""),
        ("PUT", f"{PROXY}/artifacts/{below}/n{path}", b"x"),
        ("DELETE", f"{PROXY}/artifacts/{below}/n{path}", b""),
        ("GET", f"{PROXY}/artifacts?path={below}/{path}", b""),
        ("GET", f"/get-artifact?{query}", b""),
        ("GET", f"/api/2.0/mlflow/artifacts/list?{query}", b""),
        ("POST", f"/ajax-api/2.0/mlflow/upload-artifact?{query}", chosen.choice([b"", b"x"])),
        ("GET", f"{PROXY}/presigned/{below}/{path}", b""),
        *(
            ("POST", f"{PROXY}/mpu/{action}/{below}/{path}", json.dumps(fields).encode())
            for action in ("create", "complete", "abort")
        ),
        ("POST", "/api/2.0/mlflow/artifacts/presigned-upload-url", json.dumps(fields).encode()),
    ]
    return chosen.choice(requests)
