"""Artifacts of the client against a real server: MLflow's functions, files, folders, refusals, waiting."""

import io
import json
import os
import threading
import uuid
from pathlib import Path
from typing import Any

import matplotlib.figure
import numpy as np
import pandas
import plotly.graph_objects
import pytest
from PIL import Image

import stepwell as mlflow
from stepwell import MlflowClient, settings
from stepwell.entities import FileInfo
from stepwell.files import local, options, progress, uploads
from stepwell.files.calls import ArtifactCalls
from stepwell.files.outgoing import outbox
from stepwell.wire.connection import Connection
from tests.client.conftest import Script
from tests.harness.client_errors import refused
from tests.harness.network.ports import free_port

pytestmark = pytest.mark.usefixtures("tracking_uri", "spool")

MIB = 1024 * 1024


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STEPWELL_SPOOL_DIR", str(tmp_path / "spool"))
    monkeypatch.setattr(outbox, "_away_until", {})
    return tmp_path / "spool"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with files of several kinds."""
    root = tmp_path / "files"
    for name, data in {
        "a.txt": b"a",
        "sub/b.bin": os.urandom(70_000),
        "sub/deep/ü x.csv": b"1,2",
        "empty": b"",
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_files_and_folders(folder: Path, tmp_path: Path) -> None:
    with mlflow.start_run() as run:
        mlflow.log_artifact(folder / "a.txt")
        mlflow.log_artifact(str(folder / "a.txt"), "below/it")
        mlflow.log_artifact(folder, "whole")
        mlflow.log_artifacts(folder, "flat")
        mlflow.log_artifacts(folder)
    client = MlflowClient()
    assert [dict(info) for info in client.list_artifacts(run.info.run_id)] == [
        {"path": "a.txt", "is_dir": False, "file_size": 1},
        {"path": "below", "is_dir": True, "file_size": None},
        {"path": "empty", "is_dir": False, "file_size": 0},
        {"path": "flat", "is_dir": True, "file_size": None},
        {"path": "sub", "is_dir": True, "file_size": None},
        {"path": "whole", "is_dir": True, "file_size": None},
    ]
    assert client.list_artifacts(run.info.run_id, "whole/files/sub")[0] == FileInfo(
        "whole/files/sub/b.bin", False, 70_000
    )
    assert client.list_artifacts(run.info.run_id, "a.txt") == []
    for path, where in (("flat", "flat"), ("whole/files", "whole/files")):
        target = client.download_artifacts(run.info.run_id, path, str(tmp_path / "out"))
        assert target == str(tmp_path / "out" / where)
        assert content(Path(target)) == content(folder)
    everything = content(Path(mlflow.artifacts.download_artifacts(run_id=run.info.run_id)))
    assert (len(everything), everything["below/it/a.txt"]) == (13, b"a")


def test_large_files_come_back_whole_and_over_the_old(tmp_path: Path) -> None:
    source, out = tmp_path / "large.bin", tmp_path / "out"
    with mlflow.start_run() as run:
        for _ in range(2):
            source.write_bytes(os.urandom(9 * MIB + 17))
            mlflow.log_artifact(source)
            target = mlflow.artifacts.download_artifacts(
                f"runs:/{run.info.run_id}/large.bin", dst_path=str(out)
            )
            assert Path(target).read_bytes() == source.read_bytes()
    assert [path.name for path in out.iterdir()] == ["large.bin"]


def test_text_dicts_and_streams() -> None:
    with mlflow.start_run() as run:
        mlflow.log_text("grüße\n", "notes/a.txt")
        mlflow.log_dict({"k": [1, 2.5], "path": Path("x")}, "d.json")
        mlflow.log_dict({"k": [1, 2.5]}, "d.yaml")
        mlflow.log_stream(io.BytesIO(b"x" * 3_000_000), "s.bin")
        uri = mlflow.get_artifact_uri("notes/a.txt")
        assert uri == f"{run.info.artifact_uri}/notes/a.txt"
        assert mlflow.artifacts.load_text(uri) == "grüße\n"
        assert mlflow.artifacts.load_dict(f"runs:/{run.info.run_id}/d.json") == {"k": [1, 2.5], "path": "x"}
        assert mlflow.artifacts.load_dict(mlflow.get_artifact_uri("d.yaml")) == {"k": [1, 2.5]}
        assert mlflow.artifacts.load_text(mlflow.get_artifact_uri("s.bin")) == "x" * 3_000_000
        assert mlflow.get_artifact_uri() == run.info.artifact_uri
        with refused("INVALID_PARAMETER_VALUE", "binary mode"):
            mlflow.log_stream(io.StringIO("text"), "t")
        with refused("INVALID_PARAMETER_VALUE", "a folder"):
            mlflow.artifacts.load_text(mlflow.get_artifact_uri("notes"))


def test_figures() -> None:
    with mlflow.start_run() as run:
        drawn = matplotlib.figure.Figure()
        drawn.subplots().plot([1, 2])
        mlflow.log_figure(drawn, "plots/m.png", save_kwargs={"dpi": 20})
        mlflow.log_figure(plotly.graph_objects.Figure(), "p.html")
        image = mlflow.artifacts.load_image(mlflow.get_artifact_uri("plots/m.png"))
        assert image.width < 200
        assert "plotly" in mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/p.html")
        with pytest.raises(TypeError, match="file extension"):
            mlflow.log_figure(plotly.graph_objects.Figure(), "p.txt")
        with pytest.raises(TypeError, match="figure object"):
            mlflow.log_figure("no figure", "x.png")


def test_images() -> None:
    pixels = np.arange(0, 240, dtype=np.uint8).reshape(8, 10, 3)
    with mlflow.start_run() as run:
        mlflow.log_image(pixels, "a.png")
        mlflow.log_image(Image.fromarray(pixels), "b.png")
        mlflow.log_image(pixels / 255, "c.png")
        mlflow.log_image(np.ones((4, 4, 1), bool), "d.png")
        mlflow.log_image(pixels, key="dogs/all", step=3, timestamp=17)
        for name in ("a.png", "b.png", "c.png"):
            assert np.array_equal(
                np.asarray(mlflow.artifacts.load_image(mlflow.get_artifact_uri(name))), pixels
            )
    names = [info.path for info in MlflowClient().list_artifacts(run.info.run_id, "images")]
    assert all(name.startswith("images/dogs#all%step%3%timestamp%17%") for name in names)
    assert sorted(name.rpartition(".")[2] for name in names) == ["png", "webp"]
    assert mlflow.get_run(run.info.run_id).data.tags["mlflow.loggedImages"] == "True"


def test_images_that_are_none() -> None:
    with mlflow.start_run():
        for bad, error, text in (
            (np.zeros((2, 2, 5)), ValueError, "shape"),
            (np.full((2, 2), 256), ValueError, "Integer pixel"),
            (np.full((2, 2), np.nan), ValueError, "Float pixel"),
            (np.full((2, 2), "x"), TypeError, "data type"),
            ([[1, 2]], TypeError, "image object"),
        ):
            with pytest.raises(error, match=text):
                mlflow.log_image(bad, "x.png")
        for arguments in ({}, {"artifact_file": "a.png", "key": "k"}, {"artifact_file": "a.png", "step": 1}):
            with pytest.raises(TypeError):
                mlflow.log_image(np.zeros((2, 2)), **arguments)
        with pytest.raises(ValueError, match="alphanumerics"):
            mlflow.log_image(np.zeros((2, 2)), key="a*b")


@pytest.mark.parametrize("suffix", ["json", "parquet"])
def test_tables(suffix: str) -> None:
    path = f"tables/t.{suffix}"
    with mlflow.start_run() as run:
        mlflow.log_param("p", 5)
        mlflow.log_table({"n": [1, 2], "text": ["ä", None]}, path)
        mlflow.log_table(pandas.DataFrame({"n": [3], "text": ["c"]}), path)
        mlflow.log_table({"n": 4, "text": "d"}, path)
        table = mlflow.load_table(path, run_ids=[run.info.run_id], extra_columns=["run_id", "p"])
    assert table["n"].tolist() == [1, 2, 3, 4]
    assert table["text"].tolist()[2:] == ["c", "d"]
    assert set(table["run_id"]) == {run.info.run_id}
    assert set(table["p"]) == {"5"}
    assert mlflow.load_table(path)["n"].tolist() == [1, 2, 3, 4]  # of the experiment that new runs go to
    assert mlflow.active_run() is None
    tag = mlflow.get_run(run.info.run_id).data.tags["mlflow.loggedArtifacts"]
    assert json.loads(tag) == [{"path": path, "type": "table"}]
    with refused("RESOURCE_DOES_NOT_EXIST", "has a table"):
        mlflow.load_table("other.json", run_ids=[run.info.run_id])
    with refused("INVALID_PARAMETER_VALUE", r"\.json or \.parquet"):
        MlflowClient().log_table(run.info.run_id, {"n": 1}, "t.csv")


def test_removing(folder: Path) -> None:
    with mlflow.start_run() as run:
        mlflow.log_artifacts(folder, "f")
        mlflow.log_text("x", "y")
    client = MlflowClient()
    assert client.delete_artifacts(run.info.run_id, "f/sub") == 2
    assert client.delete_artifacts(run.info.run_id, "f/sub") == 0
    assert client.delete_artifacts(run.info.run_id, "f/a.txt") == 1
    assert [info.path for info in client.list_artifacts(run.info.run_id)] == ["f", "y"]
    assert client.delete_artifacts(run.info.run_id) == 2


def test_paths_that_are_none(folder: Path) -> None:
    with mlflow.start_run() as run:
        for path in ("../x", "/x", "a//b", "a/", "C:/x", "a\\b", "a\0b", "x" * 256, "a/./b"):
            with refused("INVALID_PARAMETER_VALUE", "artifact"):
                mlflow.log_text("t", path)
            with refused("INVALID_PARAMETER_VALUE", "artifact"):
                mlflow.log_artifact(folder / "a.txt", path)
            with refused("INVALID_PARAMETER_VALUE", "artifact"):
                MlflowClient().download_artifacts(run.info.run_id, path)
        with refused("INVALID_PARAMETER_VALUE", "does not exist"):
            mlflow.log_artifact(folder / "nowhere")
        with refused("INVALID_PARAMETER_VALUE", "not a folder"):
            mlflow.log_artifacts(folder / "a.txt")
        with refused("RESOURCE_DOES_NOT_EXIST"):
            MlflowClient().download_artifacts(run.info.run_id, "nowhere")
        with refused("INVALID_PARAMETER_VALUE", "names no artifact"):
            mlflow.artifacts.load_text("ftp://example.org/x")
        with refused("INVALID_PARAMETER_VALUE", "Exactly one"):
            mlflow.artifacts.list_artifacts()
    with refused("RESOURCE_DOES_NOT_EXIST", "no run"):
        MlflowClient().log_text(uuid.uuid4().hex, "t", "p")


def test_links(folder: Path, tmp_path: Path) -> None:
    (folder / "inside").symlink_to(folder / "a.txt")
    (folder / "sub2").symlink_to(folder / "sub")
    with mlflow.start_run() as run:
        mlflow.log_artifacts(folder)
        names = {info.path for info in MlflowClient().list_artifacts(run.info.run_id)}
        assert {"inside", "sub2"} <= names
        (tmp_path / "secret").write_text("s")
        for target, text in (
            (tmp_path / "secret", "leaves the folder"),
            (folder / "gone", "leads nowhere"),
            (folder, "around it"),
        ):
            (folder / "link").symlink_to(target)
            with refused("INVALID_PARAMETER_VALUE", text):
                mlflow.log_artifacts(folder)
            (folder / "link").unlink()
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "outside").mkdir()
    (out / "sub").symlink_to(tmp_path / "outside")
    with refused("INVALID_PARAMETER_VALUE", "symbolic link that leaves"):
        MlflowClient().download_artifacts(run.info.run_id, "sub", str(out))
    assert list((tmp_path / "outside").iterdir()) == []


@pytest.mark.parametrize("away", [False, True])
def test_what_is_wrong_with_one_file_does_not_keep_the_others_back(
    folder: Path, monkeypatch: pytest.MonkeyPatch, away: bool
) -> None:
    os.mkfifo(folder / "pipe")
    (folder / "sub" / "link").symlink_to(folder / "gone")
    (folder / os.fsdecode(b"latin \xe4")).write_text("no Unicode")
    unreadable = folder / "sub" / "b.bin"
    original = os.open

    # Tests may run as root, who reads everything.
    def open_others(path: object, *arguments: int, **below: int) -> int:
        if path == unreadable:
            raise PermissionError(13, "Permission denied", str(path))
        return original(path, *arguments, **below)  # type: ignore[call-overload]

    monkeypatch.setattr(os, "open", open_others)
    with mlflow.start_run() as run:
        monkeypatch.setenv("STEPWELL_MODE", "offline" if away else "online")
        with pytest.raises(mlflow.StepwellException, match="4 files were not logged") as found:
            mlflow.log_artifacts(folder)
        monkeypatch.setenv("STEPWELL_MODE", "online")
    for name, reason in (
        ("pipe", "neither"),
        ("link", "leads nowhere"),
        ("latin", "no Unicode text"),
        ("b.bin", "Permission denied"),
    ):
        assert any(name in line and reason in line for line in found.value.message.splitlines())
    assert set(mlflow_paths(run.info.run_id)) == {"a.txt", "sub", "empty"}
    assert mlflow_paths(run.info.run_id, "sub") == ["sub/deep"]


def mlflow_paths(run_id: str, folder: str | None = None) -> list[str]:
    return [info.path for info in MlflowClient().list_artifacts(run_id, folder)]


@pytest.mark.parametrize("size", [20_000, 3 * MIB])
def test_a_file_that_grows_is_logged_as_it_was_when_the_call_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    source = tmp_path / "train.log"
    source.write_bytes(b"x" * size)
    original = ArtifactCalls.begin

    def begin(self: ArtifactCalls, *arguments: Any, **keywords: Any) -> Any:
        with source.open("ab") as log:  # after it was hashed, before it is sent
            log.write(b"epoch 1: loss 0.1\n")
        return original(self, *arguments, **keywords)

    monkeypatch.setattr(ArtifactCalls, "begin", begin)
    with mlflow.start_run() as run:
        mlflow.log_artifact(source)
    (info,) = MlflowClient().list_artifacts(run.info.run_id)
    assert info.file_size == size
    assert mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/train.log") == "x" * size


@pytest.mark.parametrize("mode", ["online", "offline"])
def test_files_of_the_kernel_do_not_tell_their_size_and_are_whole(
    monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    version, mtu = Path("/proc/version"), Path("/sys/class/net/lo/mtu")
    with mlflow.start_run() as run:
        monkeypatch.setenv("STEPWELL_MODE", mode)
        mlflow.log_artifact(version)
        mlflow.log_artifacts("/sys/class/net/lo/statistics", "lo")
        mlflow.log_artifact(mtu)
        monkeypatch.setenv("STEPWELL_MODE", "online")
    for source in (version, mtu):
        assert mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/{source.name}") == source.read_text()
    assert int(mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/lo/rx_packets")) > 0


def test_what_does_not_tell_its_size_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "UNTOLD_BYTES_MAX", 10)
    with mlflow.start_run(), refused("INVALID_PARAMETER_VALUE", "does not tell its size"):
        mlflow.log_artifact("/proc/version")


@pytest.mark.parametrize("size", [20_000, 2 * MIB])
def test_a_file_that_is_rewritten_while_it_is_sent_is_tried_again_and_then_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    folder = tmp_path / "some"
    folder.mkdir()
    source = folder / "f"
    source.write_bytes(b"x" * size)
    (folder / "other").write_text("fine")
    original = ArtifactCalls.begin
    rewrites: list[bytes] = []

    def begin(self: ArtifactCalls, run_id: str, specs: Any, **keywords: Any) -> Any:
        if rewrites and any(spec.path == "f" for spec in specs):
            source.write_bytes(rewrites.pop())
        return original(self, run_id, specs, **keywords)

    monkeypatch.setattr(ArtifactCalls, "begin", begin)
    monkeypatch.setattr(uploads, "BACKOFF_MAX_S", 0.01)
    with mlflow.start_run() as run:
        rewrites += [b"y" * size, b"z" * (size - 1)]
        mlflow.log_artifact(source)
        assert mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/f") == "y" * size
        rewrites += [bytes([number]) * size for number in range(20)]
        with pytest.raises(mlflow.StepwellException, match="f was rewritten while"):
            mlflow.log_artifacts(folder)
        assert {"f", "other"} <= set(mlflow_paths(run.info.run_id))
        assert mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/f") == "y" * size


def test_many_threads_log_at_once() -> None:
    client = MlflowClient()
    run_id = client.create_run("0").info.run_id
    failures = []

    def log(number: int) -> None:
        try:
            for step in range(5):
                client.log_text(run_id, f"{number} {step}", f"{number}/{step}.txt")
        except mlflow.StepwellException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=log, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sum(len(client.list_artifacts(run_id, str(number))) for number in range(8)) == 40


def test_what_is_logged_while_the_server_is_away_waits(
    tracking_uri: str, folder: Path, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPWELL_REACH_TIMEOUT_S", "0.3")
    monkeypatch.setattr(outbox, "start_delivery", lambda: None)
    run_id = MlflowClient().create_run("0").info.run_id
    away = MlflowClient(f"grpc://127.0.0.1:{free_port()}")
    away.log_artifacts(run_id, folder, "f")
    away.log_text(run_id, "first", "t")
    away.log_text(run_id, "second", "t")
    (folder / "a.txt").write_text("changed since")
    assert len(list((spool / "artifacts" / run_id).glob("*.json"))) == 6
    assert outbox.deliver_outbox().waiting == 6
    report = outbox.deliver_outbox(tracking_uri=tracking_uri)
    assert (report.delivered, report.waiting, report.refused) == (6, 0, [])
    assert list((spool / "artifacts").iterdir()) == []
    uri = f"runs:/{run_id}"
    assert mlflow.artifacts.load_text(f"{uri}/f/a.txt") == "a"
    assert mlflow.artifacts.load_text(f"{uri}/t") == "second"
    assert outbox.deliver_outbox().delivered == 0
    monkeypatch.setenv("STEPWELL_ON_UNREACHABLE", "raise")
    monkeypatch.setattr(outbox, "_away_until", {})
    with refused("TEMPORARILY_UNAVAILABLE"):
        away.log_text(run_id, "t", "u")


def test_offline_everything_waits_and_reading_delivers_it(
    spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = MlflowClient()
    run_id = client.create_run("0").info.run_id
    monkeypatch.setattr(outbox, "start_delivery", lambda: None)
    monkeypatch.setenv("STEPWELL_MODE", "offline")
    client.log_text(run_id, "x", "a")
    monkeypatch.delenv("STEPWELL_MODE")
    assert [info.path for info in client.list_artifacts(run_id)] == ["a"]
    assert not any((spool / "artifacts").iterdir())


def test_tables_and_uris_without_a_server(
    tracking_uri: str, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = MlflowClient().create_run("0").info.run_id
    MlflowClient().log_table(run_id, {"n": [1, 2]}, "t.json")
    monkeypatch.setattr(outbox, "start_delivery", lambda: None)
    monkeypatch.setenv("STEPWELL_REACH_TIMEOUT_S", "0.3")
    away = MlflowClient(f"grpc://127.0.0.1:{free_port()}")
    away.log_table(run_id, pandas.DataFrame({"n": [3]}), "t.json")
    monkeypatch.setenv("STEPWELL_MODE", "offline")
    away.log_table(run_id, {"n": 4}, "t.json")
    away.log_table(run_id, {"m": [0.5]}, "new.parquet")
    with mlflow.start_run() as offline:
        uri = mlflow.get_artifact_uri("notes/a b.txt")
        assert uri == f"runs:/{offline.info.run_id}/notes/a b.txt"
    monkeypatch.delenv("STEPWELL_MODE")
    monkeypatch.setenv("STEPWELL_REACH_TIMEOUT_S", "20")
    report = outbox.deliver_outbox(tracking_uri=tracking_uri)
    assert (report.delivered, report.waiting, report.refused) == (3, 0, [])
    assert mlflow.load_table("t.json", [run_id])["n"].tolist() == [1, 2, 3, 4]
    assert mlflow.load_table("new.parquet", [run_id])["m"].tolist() == [0.5]
    noted = json.loads(mlflow.get_run(run_id).data.tags["mlflow.loggedArtifacts"])
    assert [entry["path"] for entry in noted] == ["t.json", "new.parquet"]


def test_a_server_that_is_away_is_waited_for_once(
    spool: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(outbox, "start_delivery", lambda: None)
    monkeypatch.setenv("STEPWELL_REACH_TIMEOUT_S", "0.3")
    away = MlflowClient(f"grpc://127.0.0.1:{free_port()}")
    for _ in range(3):
        away.log_text(uuid.uuid4().hex, "x", "a")
    tries = []

    async def reach(connection: Connection, timeout_s: float) -> None:
        tries.append(connection)
        await original(connection, timeout_s)

    original = Connection.reach
    monkeypatch.setattr(Connection, "reach", reach)
    assert outbox.deliver_outbox().waiting == 3
    assert len(tries) == 1
    for ask in (
        lambda: away.list_artifacts(uuid.uuid4().hex),
        lambda: away.download_artifacts("0" * 32, "a"),
    ):
        tries.clear()
        with refused("TEMPORARILY_UNAVAILABLE", "No Stepwell server answers"):
            ask()
        assert len(tries) == 1


class Screen(io.StringIO):
    """Standard error, with a person before it or without."""

    def __init__(self, is_terminal: bool) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


@pytest.mark.parametrize(("is_terminal", "wish"), [(True, "true"), (True, "false"), (False, "true")])
def test_long_transfers_show_a_bar_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, folder: Path, tmp_path: Path, is_terminal: bool, wish: str
) -> None:
    client = MlflowClient()
    run_id = client.create_run("0").info.run_id
    monkeypatch.setenv("STEPWELL_PROGRESS", wish)
    monkeypatch.setattr(progress, "SHOWN_BYTES_MIN", 1_000)
    screen = Screen(is_terminal)
    monkeypatch.setattr("sys.stderr", screen)
    client.log_text(run_id, "short", "t")
    assert screen.getvalue() == ""
    client.log_artifacts(run_id, folder)
    client.download_artifacts(run_id, "sub", str(tmp_path / "out"))
    shown = screen.getvalue()
    for title in ("Uploading: 100%", "Downloading: 100%"):
        assert (title in shown) == (is_terminal and wish == "true")


def test_what_the_server_refuses_later_is_kept_and_told(spool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = MlflowClient()
    run_id, unknown = client.create_run("0").info.run_id, uuid.uuid4().hex
    client.log_text(run_id, "x", "a")
    monkeypatch.setattr(outbox, "start_delivery", lambda: None)
    monkeypatch.setenv("STEPWELL_MODE", "offline")
    client.log_text(run_id, "x", "a/b")
    client.log_text(run_id, "x", "c")
    client.log_text(unknown, "x", "d")
    monkeypatch.delenv("STEPWELL_MODE")
    report = outbox.deliver_outbox()
    assert (report.delivered, report.waiting) == (1, 1)  # a run that is not there may come
    ((refused_run, path, reason),) = report.refused
    assert (refused_run, path) == (run_id, "a/b")
    assert "file and a folder" in reason
    kept = list((spool / "artifacts" / run_id / "refused").glob("*.data"))
    assert [file.read_text() for file in kept] == ["x"]


def test_the_next_process_delivers_what_waits(script: Script, spool: Path, tmp_path: Path) -> None:
    run_id = MlflowClient().create_run("0").info.run_id
    environment = {"STEPWELL_SPOOL_DIR": str(spool)}
    text = "import stepwell, sys; stepwell.StepwellClient().log_text(sys.argv[1], 'x' * 10, sys.argv[2])"
    assert script(text, run_id, "a", **environment, STEPWELL_MODE="offline").returncode == 0
    assert len(list((spool / "artifacts" / run_id).glob("*.json"))) == 1
    answer = script(text, run_id, "b", **environment)
    assert answer.returncode == 0, answer.stderr
    assert [info.path for info in MlflowClient().list_artifacts(run_id)] == ["a", "b"]


def test_settings_that_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value, ask in (
        ("STEPWELL_ARTIFACT_TRANSFER", "pigeon", options.transfer),
        ("STEPWELL_ARTIFACT_ATTEMPTS", "0", options.attempts),
        ("STEPWELL_ARTIFACT_PARTS_AT_ONCE", "x", options.parts_at_once),
        ("STEPWELL_ARTIFACT_TIMEOUT_S", "-1", options.timeout_s),
    ):
        monkeypatch.setenv(name, value)
        with refused("INVALID_PARAMETER_VALUE", name):
            ask()


def test_addresses_of_other_places_are_no_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with mlflow.start_run() as run:
        mlflow.log_text("x", "a.txt")
    with refused("INVALID_PARAMETER_VALUE", "'gs://bucket/x'"):
        mlflow.artifacts.download_artifacts(f"runs:/{run.info.run_id}/a.txt", dst_path="gs://bucket/x")
    with refused("INVALID_PARAMETER_VALUE", "hdfs: is not served"):
        mlflow.artifacts.download_artifacts("hdfs://bucket/x")
    with refused("INVALID_PARAMETER_VALUE", "hdfs: are not served"):
        mlflow.create_experiment(uuid.uuid4().hex, artifact_location="hdfs://bucket/x")
    monkeypatch.setenv("STEPWELL_SPOOL_DIR", "s3://bucket/x")
    with refused("INVALID_PARAMETER_VALUE", "STEPWELL_SPOOL_DIR"):
        settings.spool_dir()
    assert [path for path in tmp_path.iterdir() if path.name != "spool"] == []
