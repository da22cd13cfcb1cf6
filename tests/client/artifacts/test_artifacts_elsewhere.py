"""Files that lie outside of Stepwell: on S3 and on the web, as artifacts and as parameters of projects."""

import base64
import http.server
import os
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote, urlsplit

import obstore
import pytest
from obstore.store import AzureStore

import stepwell
from stepwell.artifacts import download_artifacts, load_text
from stepwell.files import uploads
from stepwell.files.elsewhere import allowance, clouds, listings, web
from stepwell.files.elsewhere.sites import Site
from tests.harness.client_errors import refused
from tests.harness.content.s3 import BUCKET, S3Server, s3_server
from tests.harness.content.sftp import sftp_server
from tests.harness.content.stores import STORES

pytestmark = pytest.mark.usefixtures("tracking_uri")

SECRET = base64.b64encode(b"me:se cret").decode()


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        folder = server.folder / BUCKET / "data"
        (folder / "more").mkdir(parents=True)
        (folder / "a.csv").write_text("1,2")
        (folder / "more" / "ü b.csv").write_text("3,4")
        yield server


@pytest.fixture
def bucket(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    return f"s3://{BUCKET}"


class Web(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        status = {"/missing.csv": 404, "/busy.csv": 503}.get(path, 200)
        if path == "/closed.csv" and self.headers["Authorization"] != f"Basic {SECRET}":
            status = 401
        self.send_response(status)
        self.send_header("Content-Length", "30" if path == "/cut.csv" else "3")
        self.end_headers()
        self.wfile.write(b"5,6")

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def website(handler: Callable[..., http.server.BaseHTTPRequestHandler] = Web) -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def test_objects_and_prefixes_of_a_bucket(bucket: str, tmp_path: Path) -> None:
    assert load_text(f"{bucket}/data/a.csv") == "1,2"
    got = Path(download_artifacts(f"{bucket}/data/a.csv", dst_path=str(tmp_path)))
    assert (got, got.read_text()) == (tmp_path / "a.csv", "1,2")
    below = Path(download_artifacts(f"{bucket}/data", dst_path=str(tmp_path / "all")))
    assert below == tmp_path / "all" / "data"
    assert {it.relative_to(below).as_posix(): it.read_text() for it in below.rglob("*.csv")} == {
        "a.csv": "1,2",
        "more/ü b.csv": "3,4",
    }
    with refused("RESOURCE_DOES_NOT_EXIST", "nothing at s3://bucket/dat"):
        download_artifacts(f"{bucket}/dat", dst_path=str(tmp_path / "none"))
    with refused("RESOURCE_DOES_NOT_EXIST", "s3://nowhere/a"):
        download_artifacts("s3://nowhere/a", dst_path=str(tmp_path / "none"))
    with refused("INVALID_PARAMETER_VALUE", "names no bucket"):
        download_artifacts("s3:///a", dst_path=str(tmp_path / "none"))
    with refused("NOT_IMPLEMENTED", "s3://bucket/data' is not of a run.*download_artifacts fetches it"):
        stepwell.artifacts.list_artifacts(f"{bucket}/data")
    assert not list((tmp_path / "none").iterdir())


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.xdist_group(f"store-{kind}")) for kind in ("azure", "gcs")]
)
def test_objects_of_other_clouds(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with STORES[kind](tmp_path / "server") as store:
        for name, value in store.environment(None).items():
            monkeypatch.setenv(name, value)
        put_objects(store.root, {"data/a.csv": b"1,2", "data/more/ü %25 #?.csv": b"3,4", "data/empty": b""})
        assert load_text(f"{store.root}/data/a.csv") == "1,2"
        below = Path(download_artifacts(f"{store.root}/data", dst_path=str(tmp_path / "all")))
        assert {
            it.relative_to(below).as_posix(): it.read_text() for it in below.rglob("*") if it.is_file()
        } == {
            "a.csv": "1,2",
            "more/ü %25 #?.csv": "3,4",
            "empty": "",
        }
        with refused("RESOURCE_DOES_NOT_EXIST", f"nothing at {store.root}/dat"):
            download_artifacts(f"{store.root}/dat", dst_path=str(tmp_path / "none"))
        with refused("INVALID_PARAMETER_VALUE", "names no bucket"):
            download_artifacts(f"{store.root.partition(':')[0]}:///a", dst_path=str(tmp_path / "none"))
        assert not list((tmp_path / "none").iterdir())
        monkeypatch.setitem(sys.modules, "obstore.store", None)
        with refused("NOT_IMPLEMENTED", rf"needs obstore.*\[{kind}\]"):
            load_text(f"{store.root}/data/a.csv")


@pytest.mark.parametrize(
    ("place", "environment", "config"),
    [
        ("box", {"AZURE_STORAGE_ACCOUNT": "acc", "AZURE_STORAGE_KEY": "k"}, {"account_key": "k"}),
        (
            "box@acc.blob.core.windows.net",
            {"AZURE_STORAGE_ACCESS_KEY": "k"},  # as MLflow's users have it
            {"account_key": "k", "endpoint": "https://acc.blob.core.windows.net"},
        ),
        # What lets into one account is not shown to another one.
        (
            "box@acc.dfs.core.windows.net",
            {"AZURE_STORAGE_ACCOUNT": "mine", "AZURE_STORAGE_SAS_TOKEN": "sig=secret"},
            {"skip_signature": "true", "endpoint": "https://acc.blob.core.windows.net"},
        ),
    ],
)
def test_accounts_of_azure(place: str, environment: dict[str, str], config: dict[str, str]) -> None:
    assert clouds.configured(place, environment) == ("box", {"account_name": "acc", **config})


def put_objects(root: str, objects: dict[str, bytes]) -> None:
    """Store objects as somebody else does."""
    if root.startswith("gs:"):
        address = (
            f"{os.environ['STORAGE_EMULATOR_HOST']}/upload/storage/v1/b/{root[5:]}/o?uploadType=media&name="
        )
        for name, data in objects.items():
            request = urllib.request.Request(address + quote(name, safe=""), data, method="POST")
            urllib.request.urlopen(request).close()
        return
    said = dict(part.split("=", 1) for part in os.environ["AZURE_STORAGE_CONNECTION_STRING"].split(";"))
    config = {
        "account_name": said["AccountName"],
        "account_key": said["AccountKey"],
        "endpoint": said["BlobEndpoint"],
    }
    store = AzureStore(root[5:], config=config, client_options={"allow_http": True})
    for name, data in objects.items():
        obstore.put(store, name, data)


def test_what_a_bucket_needs_is_said(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with refused("UNAUTHENTICATED", "s3://bucket/data/a.csv could not be fetched"):
        download_artifacts(f"{bucket}/data/a.csv")
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    with refused("NOT_IMPLEMENTED", r"needs botocore.*\[s3\]"):
        download_artifacts(f"{bucket}/data/a.csv")


def test_files_of_the_web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPWELL_ARTIFACT_ATTEMPTS", "2")
    with website() as host:
        got = Path(download_artifacts(f"http://{host}/x/a%20b.csv?version=1", dst_path=str(tmp_path)))
        assert (got.name, got.read_text()) == ("a b.csv", "5,6")
        assert load_text(f"http://me:se%20cret@{host}/closed.csv") == "5,6"
        for name, code in (
            ("closed", "UNAUTHENTICATED"),
            ("missing", "RESOURCE_DOES_NOT_EXIST"),
            ("busy", "TEMPORARILY_UNAVAILABLE"),
            ("cut", "TEMPORARILY_UNAVAILABLE"),
        ):
            with refused(code, f"^http://{host}/{name}.csv could not be fetched"):
                download_artifacts(f"http://me:guess@{host}/{name}.csv?key=abc", dst_path=str(tmp_path / "x"))
    assert not list((tmp_path / "x").iterdir())
    with refused("TEMPORARILY_UNAVAILABLE", "could not be fetched"):
        download_artifacts(f"http://{host}/a.csv")


@contextmanager
def listing(folder: Path) -> Iterator[str]:
    """Python's own server of a folder, as `python -m http.server` runs it."""

    class Files(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with website(partial(Files, directory=str(folder))) as host:
        yield host


def below(folder: Path) -> dict[str, str]:
    return {it.relative_to(folder).as_posix(): it.read_text() for it in folder.rglob("*") if it.is_file()}


def test_folders_that_a_web_server_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served = tmp_path / "served"
    files = {
        "data/a.csv": "1",
        "data/more/50%25 ü#?.csv": "2",
        "data/more/deep/<b>&amp;.csv": "3",
        "data/empty": "",
    }
    for name, text in {**files, "other.csv": "4"}.items():
        (served / name).parent.mkdir(parents=True, exist_ok=True)
        (served / name).write_text(text)
    with listing(served) as host:
        for address in (f"http://{host}/data/", f"http://{host}/data"):  # to the same place again
            got = Path(download_artifacts(address, dst_path=str(tmp_path / "out")))
            assert (got, below(got.parent)) == (tmp_path / "out" / "data", files)
        (tmp_path / "in the way" / "data").mkdir(parents=True)
        (tmp_path / "in the way" / "data" / "more").write_text("")
        with refused("INVALID_STATE", "more is a file; a folder is needed"):
            download_artifacts(f"http://{host}/data", dst_path=str(tmp_path / "in the way"))
        everything = Path(download_artifacts(f"http://{host}/", dst_path=str(tmp_path / "all")))
        assert below(everything) == {**files, "other.csv": "4"}
        for module, limit, text in (
            (allowance, ("FILES_MAX", 3), "more than 3 files"),
            (web, ("LISTING_BYTES_MAX", 100), "a page of more than 100 bytes"),
        ):
            with monkeypatch.context() as patch, refused("INVALID_PARAMETER_VALUE", text):
                patch.setattr(module, *limit)
                download_artifacts(f"http://{host}/data/", dst_path=str(tmp_path / "x"))
        (served / "data" / "more" / "deep" / "circle").symlink_to(served)
        with refused("INVALID_PARAMETER_VALUE", "more than 32 deep"):
            download_artifacts(
                f"http://{host}/data/more/deep/circle/data/more/deep/", dst_path=str(tmp_path / "x")
            )
        (served / "data" / "more" / "index.html").write_text("<title>Welcome</title>")
        with refused("INVALID_PARAMETER_VALUE", f"http://{host}/data/more/ shows a page of its own"):
            download_artifacts(f"http://{host}/data/", dst_path=str(tmp_path / "x"))
        assert load_text(f"http://{host}/data/more/") == "<title>Welcome</title>"


@pytest.mark.parametrize(
    ("page", "names"),
    [
        (  # nginx
            '<html><head><title>Index of /d/</title></head><h1>Index of /d/</h1><a href="../">../</a>'
            '<a href="sub/">sub/</a> <a href="a%20b.csv">a b.csv</a> <a href="./x%3Ay">x:y</a></html>',
            ["sub/", "a b.csv", "x:y"],
        ),
        (  # Apache
            '<title>Index of /d</title><th><a href="?C=N;O=D">Name</a></th><a href="/">Parent Directory</a>'
            "<a href='f.csv'>f.csv</a><a href='i?x=1'>i</a><a href=\"http://host/d/g\">g</a><a href='https://evil/d/h'>h</a>",
            ["f.csv", "g"],
        ),
        ('<title>Index of /d/</title><a href="/e/x">x</a><a href="a/b">b</a><a href="">y</a>', []),
        ("<title>My page</title><a href='f.csv'>f</a>", None),
        ("", None),
    ],
)
def test_pages_that_list_a_folder(page: str, names: list[str] | None) -> None:
    found = listings.entries(page, "http://host/d/")
    assert found == names if names is None else list(found or ()) == names


def test_names_that_lead_elsewhere_are_refused(tmp_path: Path) -> None:
    class Hostile(Web):
        def do_GET(self) -> None:
            name = {"/up/": "%2e%2e%2fout", "/dots/": "..%5cout", "/zero/": "a%00b"}.get(self.path, "")
            body = f'<title>Index of</title><a href="{name}">x</a>'.encode() if name else b"x"
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with website(Hostile) as host:
        for folder in ("up", "dots", "zero"):
            with refused("INVALID_PARAMETER_VALUE", "no name of a file|backslash|NUL"):
                download_artifacts(f"http://{host}/{folder}/", dst_path=str(tmp_path / "out"))
    assert not [it for it in tmp_path.rglob("*") if it.is_file()]


class Cutting(http.server.BaseHTTPRequestHandler):
    """Gives a file whose version is known in pieces: each answer is cut, and the next one goes on, or begins anew."""

    data = bytes(range(256)) * 4_000
    version = '"1"'
    asked: ClassVar[list[str | None]] = []

    def do_GET(self) -> None:
        kind, wanted = self.path.rpartition("/")[2], self.headers["Range"]
        self.asked.append(wanted)
        first = int(wanted[6:-1]) if wanted and self.headers["If-Range"] == self.version else 0
        if kind == "other":  # another part than the one that was asked for
            first = first and 1
        if kind == "changes" and len(self.asked) == 2:
            type(self).data, type(self).version, first = self.data[::-1], '"2"', 0
        self.send_response(206 if first else 200)
        if kind != "unknown":
            self.send_header("ETag", self.version)
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(self.data) - 1}/{len(self.data)}")
        self.send_header("Content-Length", str(len(self.data) - first))
        self.end_headers()
        end = len(self.data) if len(self.asked) >= 4 else first + 300_000
        self.wfile.write(self.data[first:end])

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        ("known", [None, "bytes=300000-", "bytes=600000-", "bytes=900000-"]),
        ("changes", [None, "bytes=300000-", "bytes=300000-", "bytes=600000-"]),
        ("unknown", [None, None, None, None]),
        ("other", [None, "bytes=300000-", None, "bytes=300000-", None]),
    ],
)
def test_a_file_of_the_web_that_is_cut_goes_on(
    kind: str, asked: list[str | None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "BACKOFF_FIRST_S", 0.01)

    class Handler(Cutting):
        asked: ClassVar[list[str | None]] = []

    with website(Handler) as host:
        got = Path(download_artifacts(f"http://{host}/{kind}", dst_path=str(tmp_path)))
    assert (Handler.asked, got.read_bytes() == Handler.data) == (asked, True)
    assert (Handler.data == Cutting.data) == (kind != "changes")


def test_redirections_stay_at_their_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str | None] = []

    class Other(Web):
        def do_GET(self) -> None:
            seen.append(self.headers["Authorization"])
            super().do_GET()

    with website(Other) as other:

        class Leading(Web):
            def do_GET(self) -> None:
                target = {"/here": "/closed.csv", "/there": f"http://{other}/a.csv?key=secret"}.get(self.path)
                if target is None:
                    super().do_GET()
                    return
                self.send_response(302)
                self.send_header("Location", target)
                self.send_header("Content-Length", "0")
                self.end_headers()

        with website(Leading) as host:
            assert load_text(f"http://me:se%20cret@{host}/here") == "5,6"
            with refused(
                "PERMISSION_DENIED", f"/there leads to http://{other}/a.csv, at another.*HOSTS={other}$"
            ):
                download_artifacts(f"http://me:se%20cret@{host}/there", dst_path=str(tmp_path))
            assert not seen
            monkeypatch.setenv("STEPWELL_ARTIFACT_HOSTS", other)
            assert load_text(f"http://me:se%20cret@{host}/there") == "5,6"
    assert seen == [None]


@pytest.mark.parametrize(
    ("address", "target", "is_followed"),
    [
        ("https://host/a", "https://host/b", True),
        ("http://host/a", "https://host/a", True),
        ("http://host:8000/a", "http://host:8001/a", False),
        ("http://host:8000/a", "https://host/a", False),
        ("https://host/a", "http://host/a", False),
        ("https://host/a", "https://cdn.host/a", False),
        ("https://host/a", "https://cdn.example.org/a", True),
        ("https://host/a", "http://cdn.example.org/a", False),
        ("http://host/a", "http://cdn.example.org/a", True),
        ("http://host/a", "file:///etc/passwd", False),
    ],
)
def test_where_redirections_may_lead(
    address: str, target: str, is_followed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPWELL_ARTIFACT_HOSTS", "cdn.example.org")
    assert Site(urlsplit(address)).leads_to(target) is is_followed


def test_more_than_may_come_is_refused(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless(Web):
        def do_GET(self) -> None:
            self.send_response(200)
            if self.path == "/huge":
                self.send_header("Content-Length", str(10**18))
            self.end_headers()
            with suppress(OSError):  # whoever reads goes
                while True:
                    self.wfile.write(bytes(65_536))

    with website(Endless) as host:
        monkeypatch.setenv("STEPWELL_FETCHED_BYTES_MAX", str(2 * 10**18))
        with refused("RESOURCE_EXHAUSTED", "1,000,000,000,000,000,000 bytes are to come, and the disk"):
            download_artifacts(f"http://{host}/huge", dst_path=str(tmp_path))
        monkeypatch.setenv("STEPWELL_FETCHED_BYTES_MAX", "2")
        for address in (
            f"http://{host}/huge",
            f"http://me:secret@{host}/endless?key=secret",
            f"{bucket}/data",
        ):
            with refused(
                "RESOURCE_EXHAUSTED", f"^{'http://127' if 'http' in address else 's3:'}[^?]*more than 2 bytes"
            ):
                download_artifacts(address, dst_path=str(tmp_path))
    assert not [it for it in tmp_path.rglob("*") if it.is_file()]


@pytest.mark.xdist_group("store-sftp")
def test_files_of_an_sftp_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with sftp_server(tmp_path / "server") as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        files = {"data/a.csv": "1,2", "data/more/ü %25 #?.csv": "3,4", "data/empty": ""}
        for name, text in files.items():
            (server.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (server.folder / name).write_text(text)
        root = server.root()
        assert load_text(f"{root}/data/a.csv") == "1,2"
        got = Path(download_artifacts(f"{root}/data", dst_path=str(tmp_path / "all")))
        assert (got, below(tmp_path / "all")) == (tmp_path / "all" / "data", files)
        (server.folder / "data" / "circle").symlink_to(".")
        for address, code, text in (
            (f"{root}/dat", "RESOURCE_DOES_NOT_EXIST", "nothing at sftp://127.0.0.1"),
            (f"{root}/data/more/circle/", "RESOURCE_DOES_NOT_EXIST", "nothing at"),
            (f"{root}/data", "INVALID_PARAMETER_VALUE", "more than 32 deep"),
            ("sftp:///data", "INVALID_PARAMETER_VALUE", "names no server; write sftp://user@host/path"),
            ("sftp://me@127.0.0.1:x/data", "INVALID_PARAMETER_VALUE", "names no server"),
            (
                "sftp://me:secret@127.0.0.1:1/data",
                "TEMPORARILY_UNAVAILABLE",
                "sftp://127.0.0.1:1/data could not",
            ),
            ("ftp://host/data", "INVALID_PARAMETER_VALUE", "ftp: is not served; http, https, sftp"),
        ):
            with refused(code, f"^(?!.*secret).*{text}"):
                download_artifacts(address, dst_path=str(tmp_path / "x"))
        (server.home / ".ssh" / "id_ed25519").rename(tmp_path / "key")
        with refused("UNAUTHENTICATED", "does not let you in"):
            load_text(f"{root}/data/a.csv")
        (server.home / ".ssh" / "known_hosts").write_text("")
        with refused("PERMISSION_DENIED", f"ssh-keyscan -p {server.port} 127.0.0.1 >> ~/.ssh/known_hosts"):
            load_text(f"{root}/data/a.csv")
        monkeypatch.setitem(sys.modules, "asyncssh", None)
        with refused("NOT_IMPLEMENTED", r"needs asyncssh.*\[sftp\]"):
            load_text(f"{root}/data/a.csv")


def test_parameters_of_projects_are_fetched(bucket: str, tmp_path: Path) -> None:
    names = ("object", "page", "artifact")
    (tmp_path / "MLproject").write_text(
        "entry_points: {main: {parameters: {object: path, page: path, artifact: path},"
        " command: 'cat {object} {page} {artifact}'}}"
    )
    with stepwell.start_run() as first:
        stepwell.log_text("7,8", "kept.csv")
    with website() as host:
        given = {
            "object": f"{bucket}/data/a.csv",
            "page": f"http://me:secret@{host}/b.csv?key=secret",
            "artifact": f"runs:/{first.info.run_id}/kept.csv",
        }
        run = stepwell.get_run(stepwell.run(str(tmp_path), parameters=given).run_id)
    assert load_text(f"runs:/{run.info.run_id}/output.log") == "1,25,67,8"
    assert [run.data.params[name] for name in names] == [
        given["object"],
        f"http://{host}/b.csv",
        given["artifact"],
    ]
