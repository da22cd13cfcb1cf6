"""Artifacts: the listing of a run, the proxy, and what browsers fetch."""

from tests.conformance.scenarios.odds import RUN_IDS, STRINGS, raw
from tests.conformance.steps import PROXY, Scenario, Steps

AJAX = "/ajax-api/2.0/mlflow"
BAD_PATHS = [
    "..",
    "../x",
    "a/../../x",
    "%2e%2e/x",
    "a/%2e%2e/%2e%2e/x",
    "%252e%252e/x",
    "/etc/passwd",
    "%2Fetc/passwd",
    "a//b",
    "a/",
    "./a",
    "a/./b",
    "a%5Cb",
    "..%5Cx",
    "C:/x",
    "a%00b",
    "file:///etc/passwd",
    "a%3Fb",
    "a%23b",
    "%C3%BC.txt",
    "a%20b",
]


def scenarios() -> list[Scenario]:
    """Return them."""
    return [
        Scenario("artifact proxy", _proxy().all),
        Scenario("artifact ranges", _ranges().all),
        Scenario("artifact types", _types().all),
        Scenario("artifact paths", _paths().all),
        Scenario("artifacts list", _list().all),
        Scenario("get artifact", _get().all),
        Scenario("upload artifact", _upload().all),
        Scenario("artifacts in parts", _parts().all),
    ]


def _started() -> Steps:
    steps = Steps()
    steps.experiment()
    steps.run(run_name="named")
    return steps


def put(steps: Steps, path: str, content: str, name: str = "") -> None:
    """PUT an artifact of the run through the proxy."""
    steps.add(
        "PUT",
        f"{PROXY}/${{experiment}}/${{run}}/artifacts/{path}",
        content,
        name=name or f"put {path}",
        headers={"Content-Type": "application/octet-stream"},
    )


def fetch(steps: Steps, path: str, name: str = "", **headers: str) -> None:
    """GET an artifact of the run through the proxy."""
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    steps.add(
        "GET", f"{PROXY}/${{experiment}}/${{run}}/artifacts/{path}", name=name or f"get {path}", headers=named
    )


def _proxy() -> Steps:
    steps = _started()
    root = "${experiment}/${run}/artifacts"
    steps.add("GET", f"{PROXY}?path={root}", name="list nothing")
    put(steps, "a.txt", "first")
    put(steps, "a.txt", "second", "replaced")
    put(steps, "folder/b.txt", "b")
    put(steps, "folder/deep/c.txt", "c")
    put(steps, "empty.txt", "")
    fetch(steps, "a.txt")
    fetch(steps, "empty.txt")
    fetch(steps, "folder/deep/c.txt")
    fetch(steps, "missing.txt")
    fetch(steps, "folder")
    put(steps, "a.txt/below", "x", "below a file")
    put(steps, "folder", "x", "over a folder")
    for path in [
        "",
        root,
        f"{root}/folder",
        f"{root}/folder/deep",
        f"{root}/a.txt",
        f"{root}/missing",
        "${experiment}",
        "${experiment}/${run}",
        "999999/none/artifacts",
        "..",
        "../x",
    ]:
        steps.add("GET", f"{PROXY}?path={path}", name=f"list {path}")
    steps.add("DELETE", f"{PROXY}/{root}/folder/b.txt", name="delete a file")
    steps.add("DELETE", f"{PROXY}/{root}/folder/b.txt", name="delete it again")
    steps.add("DELETE", f"{PROXY}/{root}/folder", name="delete a folder")
    steps.add("DELETE", f"{PROXY}/{root}/../x", name="delete outside")
    steps.add("GET", f"{PROXY}?path={root}", name="list the rest")
    steps.post("runs/delete", {"run_id": "${run}"})
    put(steps, "late.txt", "x", "to a deleted run")
    fetch(steps, "a.txt", "from a deleted run")
    steps.add("DELETE", f"{PROXY}/{root}", name="delete all of a deleted run")
    steps.add("GET", f"{PROXY}?path={root}", name="list nothing any more")
    steps.add("POST", f"{PROXY}/{root}/a.txt", "x", name="POST")
    return steps


def _ranges() -> Steps:
    steps = _started()
    put(steps, "digits.bin", "0123456789")
    put(steps, "empty.bin", "")
    for value in [
        "bytes=0-3",
        "bytes=4-",
        "bytes=-3",
        "bytes=0-99",
        "bytes=9-9",
        "bytes=10-",
        "bytes=-0",
        "bytes=-99",
        "bytes=5-2",
        "bytes=x",
        "items=0-3",
        "bytes=0-1,4-5",
        "bytes=0-3,20-30",
        "bytes 0-3",
    ]:
        fetch(steps, "digits.bin", f"range {value}", Range=value)
    fetch(steps, "empty.bin", "range of nothing", Range="bytes=0-3")
    steps.add("HEAD", f"{PROXY}/${{experiment}}/${{run}}/artifacts/digits.bin", name="head")
    return steps


def _types() -> Steps:
    steps = _started()
    for name in [
        "page.html",
        "drawing.svg",
        "picture.png",
        "data.json",
        "notes.md",
        "MLmodel",
        "script.js",
        "style.css",
        "table.csv",
        "config.yaml",
        "model.pkl",
        "archive.tar.gz",
        "page.xhtml",
        "data.xml",
        "no_ending",
        "weights.bin",
        "clip.mp4",
        "paper.pdf",
    ]:
        put(steps, name, "content")
        fetch(steps, name)
        steps.add("GET", f"/get-artifact?run_id=${{run}}&path={name}", name=f"get-artifact {name}")
    return steps


def _paths() -> Steps:
    steps = _started()
    for path in BAD_PATHS:
        put(steps, path, "x")
        fetch(steps, path)
        steps.add("DELETE", f"{PROXY}/${{experiment}}/${{run}}/artifacts/{path}", name=f"delete {path}")
    for path in [
        "x",
        "..",
        "%2e%2e/%2e%2e/x",
        "999999/none/artifacts/x",
        "${experiment}/artifacts/x",
        "${experiment}/${run}/x",
        "${experiment}/${run}",
    ]:
        steps.add("GET", f"{PROXY}/{path}", name=f"get at the root {path}")
    steps.add("GET", f"{PROXY}/", name="get nothing")
    return steps


def _list() -> Steps:
    steps = _started()
    for path in ["z.txt", "a.txt", "m/one.txt", "m/deep/two.txt", "ü.txt".encode().hex()]:
        put(steps, path, "content")
    run = "run_id=${run}"
    for query in [
        run,
        f"{run}&path=m",
        f"{run}&path=m/deep",
        f"{run}&path=",
        f"{run}&path=a.txt",
        f"{run}&path=none",
        f"{run}&path=m/",
        f"{run}&page_token=x",
        f"{run}&page_token=",
        "run_uuid=${run}",
        "run_id=",
        "",
        f"run_id={'0' * 32}",
        "run_id=x&path=m",
    ]:
        steps.get("artifacts/list", query, f"list ?{query}")
    for path in BAD_PATHS:
        steps.get("artifacts/list", f"{run}&path={path}", f"list path={path}")
    steps.add("GET", f"{AJAX}/artifacts/list?{run}", name="ajax")
    return steps


def _get() -> Steps:
    steps = _started()
    put(steps, "m/one.txt", "content")
    for base in ("/get-artifact", f"{AJAX}/get-artifact"):
        for query in [
            "run_id=${run}&path=m/one.txt",
            "run_uuid=${run}&path=m/one.txt",
            "run_id=${run}&path=none",
            "run_id=${run}&path=m",
            "run_id=${run}&path=",
            "run_id=${run}",
            "path=m/one.txt",
            "",
            f"run_id={'0' * 32}&path=a",
        ]:
            steps.add("GET", f"{base}?{query}", name=f"{base}?{query}")
    for path in BAD_PATHS:
        steps.add("GET", f"/get-artifact?run_id=${{run}}&path={path}", name=f"get path={path}")
    steps.add(
        "GET", "/get-artifact?run_id=${run}&path=m/one.txt", name="range", headers={"Range": "bytes=2-4"}
    )
    return steps


def _upload() -> Steps:
    steps = _started()
    route = f"{AJAX}/upload-artifact"
    for query, content in [
        ("run_uuid=${run}&path=a.txt", "one"),
        ("run_uuid=${run}&path=m/b.txt", "two"),
        ("run_uuid=${run}&path=a.txt", ""),
        ("run_id=${run}&path=a.txt", "x"),
        ("run_uuid=${run}", "x"),
        ("path=a.txt", "x"),
        ("", "x"),
        ("run_uuid=${run}&path=", "x"),
        (f"run_uuid={'0' * 32}&path=a", "x"),
        ("run_uuid=${run}&path=../x", "x"),
        ("run_uuid=${run}&path=%2Fx", "x"),
    ]:
        steps.add(
            "POST",
            f"{route}?{query}",
            content,
            name=f"upload ?{query} {content}",
            headers={"Content-Type": "application/octet-stream"},
        )
    large = "x" * (10 * 1024 * 1024 + 1)
    steps.add(
        "POST",
        f"{route}?run_uuid=${{run}}&path=large",
        large,
        name="upload too much",
        headers={"Content-Type": "application/octet-stream"},
    )
    steps.get("artifacts/list", "run_id=${run}")
    return steps


def _parts() -> Steps:
    steps = _started()
    put(steps, "a.txt", "content")
    base = "/api/2.0/mlflow-artifacts"
    path = "${experiment}/${run}/artifacts"
    for action, content in {
        "create": {"path": "big.bin", "num_parts": 3},
        "complete": {
            "path": "big.bin",
            "upload_id": "x",
            "parts": [{"part_number": 1, "etag": "e", "url": "u"}],
        },
        "abort": {"path": "big.bin", "upload_id": "x"},
    }.items():
        steps.add("POST", f"{base}/mpu/{action}/{path}", raw(content), name=action)
        steps.add("POST", f"{base}/mpu/{action}/{path}", "{}", name=f"{action} nothing")
        steps.add("POST", f"{base}/mpu/{action}/..", raw(content), name=f"{action} outside")
    steps.add("GET", f"{base}/presigned/{path}/a.txt", name="presigned")
    steps.add("GET", f"{base}/presigned/{path}/../../x", name="presigned outside")
    for route in ("artifacts/presigned-upload-url", "artifacts/presigned-download-url"):
        steps.post(route, {"run_id": "${run}", "path": "a.txt"})
        for value in RUN_IDS:
            steps.post(route, {"run_id": value, "path": "a.txt"}, f"{route} run_id={str(value)[:20]}")
        for value in [*STRINGS, "../x"]:
            steps.post(route, {"run_id": "${run}", "path": value}, f"{route} path={value}")
        for value in [0, -1, 604_801, "x"]:
            steps.post(route, {"run_id": "${run}", "path": "a.txt", "expiration": value}, f"{route} {value}")
    return steps
