"""`stepwell artifacts verify` against a real server whose folder or bucket lost something."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stepwell import StepwellClient
from stepwell.commands.artifacts import artifacts
from stepwell_server.store.content.buckets.s3 import S3Client
from tests.harness.content.files import files_below
from tests.harness.content.s3 import BUCKET, S3Server, s3_server
from tests.harness.servers.processes import ServerProcess

GOOD, DAMAGED, MISSING = "good", "damaged", "missing!"


class Place:
    """A server and where its content lies."""

    def __init__(self, server: ServerProcess, folder: Path, s3: S3Server | None = None) -> None:
        self.s3 = s3
        self.folder = folder
        self.client = StepwellClient(server.tracking_uri)
        self.run_id = self.client.create_run("0").info.run_id

    def log(self, path: str, text: str) -> None:
        self.client.log_text(self.run_id, text, path)

    def read(self, path: str, folder: Path) -> str:
        return Path(self.client.download_artifacts(self.run_id, path, str(folder))).read_text()

    def lose(self, text: str, instead: bytes | None = None) -> None:
        """Remove content behind the server's back, or put other bytes in its place."""
        (found,) = (path for path in files_below(self.folder) if path.read_text() == text)
        if self.s3 is not None:  # rclone remembers what lies in its folder
            asyncio.run(self._lose(found.relative_to(self.folder).as_posix(), instead))
        elif instead is None:
            found.unlink()
        else:
            found.write_bytes(instead)

    async def _lose(self, key: str, instead: bytes | None) -> None:
        async with S3Client(60) as client:
            await client.calls.delete_object(Bucket=BUCKET, Key=key)
            if instead is not None:
                await client.calls.put_object(Bucket=BUCKET, Key=key, Body=instead)

    def verify(self, *options: str) -> Result:
        return CliRunner().invoke(artifacts, ["verify", *options])


@pytest.fixture(params=["folder", "bucket"])
def place(
    request: pytest.FixtureRequest,
    database_url: str,
    start_server: Callable[..., ServerProcess],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Place]:
    options = ("--store", database_url, "--data", str(tmp_path / "data"))
    monkeypatch.setenv("STEPWELL_SPOOL_DIR", str(tmp_path / "spool"))
    if request.param == "folder":
        server = start_server(*options)
        monkeypatch.setenv("STEPWELL_TRACKING_URI", server.tracking_uri)
        yield Place(server, tmp_path / "data" / "artifacts")
        return
    with s3_server(tmp_path / "s3") as s3:
        server = start_server(*options, "--artifacts", f"s3://{BUCKET}/a", environment=s3.environment())
        monkeypatch.setenv("STEPWELL_TRACKING_URI", server.tracking_uri)
        for name, value in s3.environment().items():
            monkeypatch.setenv(name, value)
        yield Place(server, s3.folder / BUCKET, s3)


def test_what_is_missing_or_damaged_is_named_and_healed_by_the_next_log(place: Place, tmp_path: Path) -> None:
    for text in (GOOD, DAMAGED, MISSING):
        place.log(f"{text}.txt", text)
    place.log("again.txt", DAMAGED)
    answer = place.verify()
    assert (answer.exit_code, answer.output) == (0, "3 contents, 19 bytes: none missing or damaged.\n")

    place.lose(DAMAGED, b"DAMAGED")
    place.lose(MISSING)
    for options in ((), ("--repair",)):
        answer = place.verify("--json", *options)
        assert answer.exit_code == 1
        found = json.loads(answer.output)
        assert (found["checked"], found["bytes"]) == (3, 19)
        damaged, missing = sorted(found["broken"], key=lambda it: it["size_bytes"])
        assert "SHA-256" in damaged["problem"]
        assert sorted(it["path"] for it in damaged["artifacts"]) == ["again.txt", f"{DAMAGED}.txt"]
        assert damaged["artifact_count"] == 2
        assert missing["artifacts"] == [{"run_id": place.run_id, "path": f"{MISSING}.txt"}]
    lines = place.verify("--run-id", place.run_id).output.splitlines()
    assert lines[-1] == "3 contents, 19 bytes: 2 missing or damaged."
    assert f"  {place.run_id}  again.txt" in lines

    for text in (DAMAGED, MISSING):  # damage of the same size would not have been seen without --repair
        place.log("new.txt", text)
        assert place.read(f"{text}.txt", tmp_path / "out") == text
    assert place.read("again.txt", tmp_path / "out") == DAMAGED
    assert place.verify().exit_code == 0


def test_only_one_run_is_verified(place: Place) -> None:
    place.log("a.txt", GOOD)
    other = place.client.create_run("0").info.run_id
    place.client.log_text(other, MISSING, "b.txt")
    place.lose(MISSING)
    assert place.verify("-r", place.run_id).exit_code == 0
    assert place.verify("-r", other).exit_code == 1
    answer = place.verify("-r", "0" * 32)
    assert answer.exit_code == 1
    assert "0" * 32 in answer.output
