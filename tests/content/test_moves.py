"""`stepwell artifacts move`: the bytes of an experiment go to another place, whole and checked, whatever happens."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from uuid import UUID

import pytest
from click.testing import CliRunner, Result

from stepwell import LoggedModelStatus, StepwellClient
from stepwell.commands.artifacts import artifacts
from stepwell.files.calls import ArtifactCalls
from stepwell_server.app import running_server
from stepwell_server.config import Config
from stepwell_server.model.moves import Copied
from stepwell_server.store.content.moves import PostgresMoveStore
from tests.harness.content.files import files_below
from tests.harness.content.s3 import BUCKET, s3_server
from tests.harness.network.faults import Meanwhile, passed, until
from tests.harness.network.proxy import Proxy, Way
from tests.harness.servers.processes import ServerProcess

MIB = 1024 * 1024
ODD_NAMES = ("a b", "ü/ñ", "100%", "#1", "what?", "x" * 200)


def move(*arguments: str) -> Result:
    return CliRunner().invoke(artifacts, ["move", *arguments])


class Places:
    """A server with a folder of its own, one beside it, and a bucket behind a proxy."""

    def __init__(self, start: Callable[[str], ServerProcess], folder: Path, proxy: Proxy) -> None:
        self._start = start
        self.own = folder / "data" / "artifacts" / "content"
        self.beside = folder / "beside"
        self.objects = folder / "s3" / BUCKET
        self.proxy = proxy
        self.server = start("600")
        self.use()

    def use(self) -> None:
        os.environ["STEPWELL_TRACKING_URI"] = self.server.tracking_uri
        self.client = StepwellClient(self.server.tracking_uri)

    def restart(self, idle_s: str) -> None:
        """Kill the server, and start another one, which gives uploads up when nothing happens so long."""
        self.server.process.kill()
        self.server.process.wait()
        self.server = self._start(idle_s)
        self.use()

    def read(self, run_id: str, path: str, folder: Path) -> bytes:
        return Path(self.client.download_artifacts(run_id, path, str(folder))).read_bytes()


@pytest.fixture
def places(
    database_url: str,
    start_server: Callable[..., ServerProcess],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Places]:
    monkeypatch.setenv("STEPWELL_TRACKING_URI", "")
    monkeypatch.setenv("STEPWELL_ON_UNREACHABLE", "raise")  # what waited would come later
    monkeypatch.setenv("STEPWELL_REACH_TIMEOUT_S", "30")
    monkeypatch.setenv("STEPWELL_ARTIFACT_TRANSFER", "server")
    with s3_server(tmp_path / "s3") as s3, Proxy(s3.port) as proxy:

        def start(idle_s: str) -> ServerProcess:
            return start_server(
                *("--store", database_url, "--data", str(tmp_path / "data"), "--artifact-idle", idle_s),
                *("--artifact-folder", str(tmp_path / "beside"), "--artifact-bucket", f"s3://{BUCKET}/b"),
                environment=s3.environment(f"http://127.0.0.1:{proxy.port}"),
            )

        yield Places(start, tmp_path, proxy)


def test_an_experiment_moves_from_place_to_place_and_back(places: Places, tmp_path: Path) -> None:
    client = places.client
    experiment = client.create_experiment("moving")
    runs = [client.create_run(experiment).info.run_id for _ in range(3)]
    for name in ODD_NAMES:
        client.log_text(runs[0], name, name)
    client.log_text(runs[0], "", "empty")
    for run_id in runs:
        client.log_text(run_id, "shared", "shared.txt")
    client.delete_run(runs[2])
    model = client.create_logged_model(experiment, "m", source_run_id=runs[1])
    (tmp_path / "MLmodel").write_text("a: 1")
    client.log_model_artifact(model.model_id, str(tmp_path / "MLmodel"))
    client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
    elsewhere = client.create_run("0").info.run_id
    client.log_text(elsewhere, "shared", "shared.txt")  # of another experiment: stays

    number = len(ODD_NAMES) + 1 + 3 + 2
    assert f"{number} files" in move("-e", "moving", "--to", f"file://{places.beside}", "--dry-run").output
    assert client.get_experiment(experiment).artifact_location.startswith("stepwell-artifacts:")
    for place in (f"file://{places.beside}", f"s3://{BUCKET}/b/team", "default"):
        answer = move("-e", "moving", "--to", place, "--json")
        found = json.loads(answer.stdout)
        assert (answer.exit_code, found["moved"], found["files"], found["left"]) == (0, number, number, [])
        for name in ODD_NAMES:
            assert places.read(runs[0], name, tmp_path / "out").decode() == name
        assert places.read(runs[0], "empty", tmp_path / "out") == b""
        assert places.read(runs[1], "m/MLmodel", tmp_path / "out") == b"a: 1"
        assert places.read(elsewhere, "shared.txt", tmp_path / "out") == b"shared"
        new = client.create_run(experiment).info
        location = client.get_experiment(experiment).artifact_location
        assert new.artifact_uri == f"{location}/{new.run_id}/artifacts"
        assert client.get_run(runs[0]).info.artifact_uri == f"{location}/{runs[0]}/artifacts"
        assert place == "default" or location == place
        assert json.loads(move("-e", experiment, "--to", place, "--json").stdout)["files"] == 0
    assert move("-e", "moving", "--to", f"s3://{BUCKET}/b").exit_code == 0
    verified = CliRunner().invoke(artifacts, ["verify", "--all"])
    assert verified.exit_code == 0
    assert f"s3://{BUCKET}/b: {len(ODD_NAMES) + 3} contents" in verified.output
    assert "data:artifacts: 1 contents, 6 bytes" in verified.output
    assert move("-e", "moving", "--to", "default").exit_code == 0
    places.restart("0.5")  # it sweeps often
    until(lambda: len(files_below(places.own)) == len(ODD_NAMES) + 3)
    until(lambda: not files_below(places.beside))
    until(lambda: not files_below(places.objects))


def test_what_is_damaged_or_nowhere_is_named(places: Places, tmp_path: Path) -> None:
    client = places.client
    experiment = client.create_experiment("damaged")
    run_id = client.create_run(experiment).info.run_id
    for text in ("good", "damaged", "lost"):
        client.log_text(run_id, text, f"{text}.txt")
    for found in files_below(places.own):
        if found.read_text() == "damaged":
            found.write_text("DAMAGED")
        elif found.read_text() == "lost":
            found.unlink()
    answer = move("-e", "damaged", "--to", f"file://{places.beside}")
    assert answer.exit_code == 1
    assert "1 of 3 files" in answer.output
    assert f"{run_id}  damaged.txt: the bytes there are not those that were logged" in answer.output
    assert f"{run_id}  lost.txt: the content is not in the artifact folder any more" in answer.output
    assert places.read(run_id, "good.txt", tmp_path / "out") == b"good"
    for text in ("damaged", "lost"):  # what is logged again takes the place of both
        client.log_text(run_id, text, f"{text}.txt")
        assert places.read(run_id, f"{text}.txt", tmp_path / "out").decode() == text
    for arguments, text in (
        (("-e", "nowhere", "--to", "default"), "There is no experiment 'nowhere'"),
        (("-e", "999", "--to", "default"), "999"),
        (("-e", "damaged", "--to", "s3://other/b"), "--artifact-bucket"),
        (("-e", "damaged", "--to", "/etc"), "--artifact-folder"),
        (("-e", "damaged", "--to", "ftp://a/b"), "not served"),
    ):
        answer = move(*arguments)
        assert (answer.exit_code, answer.output.count("\n")) == (1, 1), answer.output
        assert text in answer.output


def test_a_move_goes_on_after_a_kill_and_keeps_what_was_logged_meanwhile(
    places: Places, tmp_path: Path
) -> None:
    client = places.client
    experiment = client.create_experiment("cut", f"s3://{BUCKET}/b/cut")
    run_id = client.create_run(experiment).info.run_id
    large = tmp_path / "large.bin"
    large.write_bytes(os.urandom(24 * MIB))
    for name in ("a", "b"):
        client.log_artifact(run_id, str(large), name)
        with large.open("r+b") as file:
            file.write(os.urandom(16))
    unfinished = places.own.parent / "unfinished"

    def arrived() -> int:
        return sum(path.stat().st_size for path in files_below(unfinished))

    places.proxy.slow(8 * MIB)
    half = passed(places.proxy, Way.DOWN, 8 * MIB)
    results: list[Result] = []
    moving = Meanwhile(lambda: results.append(move("-e", "cut", "--to", "default")))
    until(half)
    places.server.process.kill()
    moving.result()
    assert results[0].exit_code == 1
    assert "run the command again, and it goes on" in results[0].output
    held = arrived()
    assert held >= MIB
    places.proxy.heal()
    places.restart("600")
    places.client.log_text(run_id, "new", "a/large.bin")
    first = places.proxy.bytes_passed[Way.DOWN]
    answer = move("-e", "cut", "--to", "default")
    assert answer.exit_code == 0, answer.output
    travelled = places.proxy.bytes_passed[Way.DOWN] - first
    assert travelled < 25 * MIB  # of the one that is still shown, and no more than is missing
    assert places.read(run_id, "a/large.bin", tmp_path / "out") == b"new"
    assert places.read(run_id, "b/large.bin", tmp_path / "out")[16:] == large.read_bytes()[16:]
    places.restart("0.5")  # what came of the one that is not shown any more is given up
    until(lambda: len(files_below(places.own)) == 2)
    until(lambda: not files_below(unfinished) and not files_below(places.objects))


def test_a_move_whose_command_is_killed_goes_on(places: Places, tmp_path: Path) -> None:
    """The server ends a move when nobody listens any more; the same command finds what is there already."""
    client = places.client
    experiment = client.create_experiment("left", f"s3://{BUCKET}/b/left")
    run_id = client.create_run(experiment).info.run_id
    large = tmp_path / "large.bin"
    large.write_bytes(os.urandom(24 * MIB))
    client.log_artifact(run_id, str(large))
    for name in ODD_NAMES:
        client.log_text(run_id, name, name)
    unfinished = places.own.parent / "unfinished"
    places.proxy.slow(8 * MIB)
    half = passed(places.proxy, Way.DOWN, 8 * MIB)
    options = ("--experiment", "left", "--to", "default", "--json")
    command = [sys.executable, "-c", "from stepwell.cli import main; main()", "artifacts", "move", *options]
    moving = subprocess.Popen(command, stdout=subprocess.PIPE)
    until(half)
    moving.kill()
    assert moving.communicate()[0] == b""
    assert places.read(run_id, ODD_NAMES[0], tmp_path / "out").decode() == ODD_NAMES[0]
    places.proxy.heal()
    first = places.proxy.bytes_passed[Way.DOWN]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, check=True
    )  # though the former one has only just ended
    found = json.loads(done.stdout)
    number = len(ODD_NAMES) + 1
    assert (found["files"], found["moved"], found["left"], found["open_uploads"]) == (number, number, [], 0)
    assert places.proxy.bytes_passed[Way.DOWN] - first < 23 * MIB
    assert CliRunner().invoke(artifacts, ["verify", "--all"]).exit_code == 0
    assert places.read(run_id, "large.bin", tmp_path / "out") == large.read_bytes()
    places.restart("0.5")  # it sweeps often
    until(lambda: len(files_below(places.own)) == number)
    until(lambda: not files_below(unfinished) and not files_below(places.objects))


async def test_what_is_logged_in_the_last_moment_is_kept(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPWELL_ON_UNREACHABLE", "raise")
    beside, third, real = tmp_path / "beside", tmp_path / "third", PostgresMoveStore.show_instead
    config = Config(
        port=0,
        store=database_url,
        data=tmp_path / "data",
        artifact_folders=[str(beside), str(third)],
        artifact_upload_idle_s=1.0,
        shutdown_grace_s=5.0,
    )
    async with running_server(config) as running:
        client = StepwellClient(running.grpc_uri)
        experiment = await asyncio.to_thread(client.create_experiment, "late")
        run_id = (await asyncio.to_thread(client.create_run, experiment)).info.run_id
        for name in ("a", "b"):
            await asyncio.to_thread(client.log_text, run_id, "old", name)

        async def late(self: PostgresMoveStore, owner_id: UUID, root: str, copied: Sequence[Copied]) -> None:
            await asyncio.to_thread(client.log_text, run_id, "new", "a")
            await real(self, owner_id, root, copied)

        def moved(folder: Path) -> int:
            steps = ArtifactCalls(running.grpc_uri).move(experiment, f"file://{folder}", dry_run=False)
            return list(steps)[-1].moved_count

        def read(name: str) -> str:
            return Path(client.download_artifacts(run_id, name, str(tmp_path / "out"))).read_text()

        monkeypatch.setattr(PostgresMoveStore, "show_instead", late)
        assert await asyncio.to_thread(moved, beside) == 2
        assert [await asyncio.to_thread(read, name) for name in ("a", "b")] == ["new", "old"]
        monkeypatch.setattr(PostgresMoveStore, "show_instead", real)
        # Equal bytes in two places, which come together in a third.
        assert running.pool is not None
        await PostgresMoveStore(running.pool).relocate(int(experiment), "")
        await asyncio.to_thread(client.log_text, run_id, "old", "c")
        assert await asyncio.to_thread(moved, third) == 3
        assert [await asyncio.to_thread(read, name) for name in ("a", "b", "c")] == ["new", "old", "old"]
        await asyncio.to_thread(until, lambda: len(files_below(third)) == 2)
        for name in ("a", "b", "c"):  # each content is counted as often as it is shown
            await asyncio.to_thread(client.delete_artifacts, run_id, name)
        places = (beside, third, tmp_path / "data" / "artifacts")
        await asyncio.to_thread(until, lambda: not any(map(files_below, places)))
