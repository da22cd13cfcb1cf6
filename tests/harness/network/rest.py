"""A REST client by hand: JSON to a path of MLflow's API, over a connection of its own for each call."""

import json
from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.harness.network.raw_http import Answer, Place

PREFIX = "/api/2.0/mlflow/"


class Rest:
    """The REST API of a server at an address like http://127.0.0.1:5000."""

    def __init__(self, url: str) -> None:
        async def nothing() -> None:
            pass

        self.place = Place(urlsplit(url).port, nothing)

    async def send(self, method: str, path: str, fields: Any = None, **headers: str) -> Answer:
        """Send fields as JSON, or as a query with GET."""
        where = path if path.startswith("/") else PREFIX + path
        if method == "GET":
            return await self.place.ask(method, f"{where}?{urlencode(fields or {}, doseq=True)}", **headers)
        body = fields if isinstance(fields, bytes) else json.dumps(fields or {}).encode()
        headers.setdefault("content_type", "application/json")
        return await self.place.ask(method, where, body, **headers)

    async def post(self, path: str, fields: Any = None, **headers: str) -> Any:
        """Return what is answered, which has to be good."""
        return good(await self.send("POST", path, fields, **headers))

    async def get(self, path: str, **query: Any) -> Any:
        """Return what is answered, which has to be good."""
        return good(await self.send("GET", path, query))

    async def refused(
        self, method: str, path: str, fields: Any = None, **headers: str
    ) -> tuple[int, str, str]:
        """Return status, error code and message of a call that has to be refused."""
        answer = await self.send(method, path, fields, **headers)
        assert answer.status >= 400, answer
        assert answer.headers["content-type"] == "application/json"
        assert set(answer.json) == {"error_code", "message"}
        return answer.status, answer.json["error_code"], answer.json["message"]

    async def new_run(self, **fields: Any) -> str:
        """Create a run and return its id."""
        created = await self.post("runs/create", {"experiment_id": "0", **fields})
        return created["run"]["info"]["run_id"]

    async def points(self, run_id: str, key: str) -> list[tuple[int, int, Any]]:
        """Return the history of a metric as (step, timestamp, value)."""
        found = await self.get("metrics/get-history", run_id=run_id, metric_key=key)
        return [(it["step"], it["timestamp"], it["value"]) for it in found.get("metrics", [])]


def good(answer: Answer) -> Any:
    assert answer.status == 200, answer
    return answer.json
