"""All routes of MLflow's server are answered, or said not to be; and docs/mlflow.md lists ours, all and no others."""

import re
from pathlib import Path

import pytest

from tests.conformance.record import RECORDED, ROUTES
from tests.fuzz.requests import all_routes

PAGE = Path(__file__).parents[2] / "docs" / "mlflow.md"
MLFLOW, ARTIFACTS = "/api/2.0/mlflow/", "/api/2.0/mlflow-artifacts/"
# Where MLflow's page asks, and nobody else.
PAGE_ONLY = "/ajax-api/2.0/mlflow/"
# What the page names as not offered, by the first part of the path behind the version.
NOT_OFFERED = {
    "evaluation data sets": {"datasets"},
    "gateway": {"gateway", "gateway-proxy"},
    "GraphQL": {"graphql"},
    "issues": {"issues"},
    "jobs": {"jobs", "genai", "prompt-optimization"},
    "runs of the prompt lab": {"create-promptlab-run"},
    "reviews": {"review-queues", "label-schemas"},
    "scorers": {"scorer", "scorers"},
    "traces": {"traces", "get-trace-artifact", "get-online-trace-details", "unified-traces"},
    "workspaces": {"workspaces"},
}
# Files and figures of MLflow's own page, and a slip of its routing.
OF_ITS_PAGE = {"build", "static-files", "demo", "ui-telemetry", "2.0mlflow"}

Route = tuple[str, str]


@pytest.fixture(scope="module")
def ours() -> set[Route]:
    """Method and path of what REST clients ask, parameters as <>."""
    found = {(method, plain(path)) for method, path in all_routes() if method != "HEAD"}
    return {it for it in found if "mlflow" in it[1] or it[1].endswith("/get-artifact")}


def plain(path: str) -> str:
    return re.sub(r"\{[^}]*\}|<[^>]*>", "<>", path)


def theirs() -> set[Route]:
    lines = (RECORDED / ROUTES).read_text().splitlines()
    return {
        (method, plain(path))
        for line in lines
        for methods, path in [line.split()]
        for method in methods.split(",")
    }


def test_mlflows_routes_are_ours_or_named_as_not_offered(ours: set[Route]) -> None:
    not_offered = set().union(*NOT_OFFERED.values(), OF_ITS_PAGE)
    places = {path: method for method, path in ours}
    missing = {
        (method, path)
        for method, path in theirs()
        if (method, path) not in ours
        and (method, path.replace("/ajax-api/", "/api/")) not in ours
        and not not_offered & set(path.split("/"))
    }
    assert missing <= {("GET", "/"), ("GET", "/health"), ("GET", "/version")}
    offered = {path for path in places if not_offered & set(path.split("/"))}
    assert not offered
    (line,) = re.findall(
        r"^\| (.*) \| not offered: 404 `ENDPOINT_NOT_FOUND` \|$", PAGE.read_text(), re.MULTILINE
    )
    assert set(line.split(", ")) == set(NOT_OFFERED)


def test_the_page_lists_our_routes(ours: set[Route]) -> None:
    table = PAGE.read_text().partition("| route | what it does |\n|---|---|\n")[2].partition("\n\n")[0]
    listed: set[Route] = set()
    for row in table.splitlines():
        if "not offered" not in row:
            listed |= routes_of(row.split(" | ")[0].removeprefix("| "))
    assert listed == {(method, path.replace(PAGE_ONLY, MLFLOW)) for method, path in ours}


def routes_of(cell: str) -> set[Route]:
    """Return the routes that a cell names: methods, then paths in backticks, again and again.

    A word stands for a path in the folder of the one before, `…/word` for one below its parameter, `…` for a parameter.
    """
    found: set[Route] = set()
    methods: list[str] = []
    before = ""
    for kind, path in re.findall(r"([A-Z]+)|`([^`]*)`", cell):
        if kind:
            methods = [kind] if before.startswith("!") or not methods else [*methods, kind]
            before = before.removeprefix("!")
            continue
        before = _whole(path, before.removeprefix("!"))
        for each in _alternatives(before):
            where = each if each.startswith("/") else MLFLOW + each
            found |= {(method, plain(where.replace("…", "<>"))) for method in methods}
        before = "!" + before  # the next method begins anew
    return found


def _whole(path: str, before: str) -> str:
    if path.startswith("…/"):
        return before[: before.index("<id>") + len("<id>")] + path[1:]
    is_word = "/" not in path and "/" in before and not before.startswith("/")
    return f"{before.rpartition('/')[0]}/{path}" if is_word else path


def _alternatives(path: str) -> list[str]:
    found = re.search(r"\{(.*)\}", path)
    return [path.replace(found[0], word) for word in found[1].split(",")] if found else [path]
