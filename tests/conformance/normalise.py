"""What of an answer is compared: without ids, times of the clock and orders that nobody promises."""

import json
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from tests.conformance.steps import Answer, Variables

CLOCK_KEYS = {
    "creation_time",
    "last_update_time",
    "start_time",
    "end_time",
    "timestamp",
    "creation_timestamp",
    "last_updated_timestamp",
    "creation_timestamp_ms",
    "last_updated_timestamp_ms",
}
CLOCK_SLACK_MS = 3_600_000
# Lists that are sets: by what their members are told apart.
UNORDERED = {
    "tags": ("key", "value"),
    "params": ("key",),
    "dataset_inputs": ("dataset", "tags"),
    "data.metrics": ("key",),
    "bulk.metrics": ("run_id", "step", "timestamp", "value"),
}
HEADERS = ("content-type", "content-disposition", "content-range", "accept-ranges", "x-content-type-options")
# What a server calls a run or a model that got no name: MLflow by words, ours by letters.
RUN_NAME = re.compile(r"[a-z]+-[a-z]+-\d+|(run|model)-[0-9a-f]{8}")
RUN_ID = re.compile(r"\b[0-9a-f]{32}\b")
TEXT_CHARS_MAX = 100


def normalised(answer: Answer, variables: Variables) -> dict[str, Any]:
    """Return what is compared of an answer, as JSON can hold it."""
    content = answer.json
    if content is None:
        text = answer.body.decode(errors="replace")
        compared: dict[str, Any] = {"status": answer.status, "text": _plain(text, variables)[:TEXT_CHARS_MAX]}
        if answer.status >= 400:
            return {"status": answer.status}  # HTML of a framework
    else:
        compared = {"status": answer.status, "json": _value(content, variables, "")}
    if not _is_api_json(answer):
        compared["headers"] = {
            name: _plain(answer.headers[name], variables).removesuffix("; charset=utf-8")
            for name in HEADERS
            if name in answer.headers
        }
    return compared


def _is_api_json(answer: Answer) -> bool:
    """Tell whether it is the usual answer, whose headers nobody looks at but for the type."""
    return answer.headers.get("content-type", "").startswith("application/json") and (
        "content-disposition" not in answer.headers
    )


def _value(value: Any, variables: Variables, key: str) -> Any:
    if isinstance(value, Mapping):
        if "error_code" in value:  # the words are ours; that there are some is promised
            return {"error_code": value["error_code"], "message": bool(value.get("message"))}
        # Workspaces are for servers that have them; without models, MLflow 3 says that there are none.
        return {
            name: _value(inner, variables, "data.metrics" if (key, name) == ("data", "metrics") else name)
            for name, inner in value.items()
            if name != "workspace" and (name, inner) != ("outputs", {})
        }
    if isinstance(value, list):
        found = [_value(inner, variables, key) for inner in value]
        if key == "metrics" and found and isinstance(found[0], Mapping) and "run_id" in found[0]:
            key = "bulk.metrics"
        return sorted(found, key=lambda item: _place(item, UNORDERED[key])) if key in UNORDERED else found
    if isinstance(value, str):
        if key in {"next_page_token", "page_token"}:
            return "<token>" if value else value
        if RUN_NAME.fullmatch(value):
            return "<name>"
        return _plain(value, variables, key)
    if key in CLOCK_KEYS and isinstance(value, int) and abs(value - time.time() * 1_000) < CLOCK_SLACK_MS:
        return "<now>"
    return value


def _place(item: Any, keys: Sequence[str]) -> str:
    return json.dumps([item.get(key) for key in keys] if isinstance(item, Mapping) else item)


def _plain(text: str, variables: Variables, key: str = "") -> str:
    """Return a text with the names of variables where their values were."""
    for name, value in variables.items():
        if name == "unique" or not value:
            continue
        if len(value) >= 32:  # of a run, or of a model
            text = text.replace(value, f"<{name}>")
        elif text == value and key == "experiment_id":
            text = f"<{name}>"
        else:  # the number of an experiment, in where its artifacts go
            text = re.sub(rf"(?<=artifacts:/){re.escape(value)}(?=/|$)", f"<{name}>", text)
    text = RUN_ID.sub("<id>", text)
    if key == "experiment_id" and text != "0" and text.isdigit():
        return "<number>"
    text = re.sub(r"(?<=artifacts:/)\d+", lambda found: found[0] if found[0] == "0" else "<number>", text)
    return text if len(text) <= TEXT_CHARS_MAX else f"{text[:TEXT_CHARS_MAX]}… {len(text)} characters"
