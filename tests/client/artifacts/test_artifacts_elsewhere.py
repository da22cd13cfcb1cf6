"""Files that lie outside of Stepwell: on S3 and on the web, as artifacts and as parameters of projects."""

import base64
import http.server
import os
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import obstore
import pytest
from obstore.store import AzureStore

import stepwell
from stepwell.artifacts import download_artifacts, load_text
from tests.harness.client_errors import refused
from tests.harness.s3 import BUCKET, S3Server, s3_server
from tests.harness.stores import STORES

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
def website() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Web) as server:
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


def test_files_of_the_web(tmp_path: Path) -> None:
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
