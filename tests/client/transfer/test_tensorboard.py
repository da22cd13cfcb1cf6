"""Imports of TensorBoard's event files: whole, cut, damaged, purged, and of folders in all places."""

import math
import os
import struct
import uuid
from pathlib import Path

import numpy as np
import pytest
from tensorboardX import SummaryWriter

import stepwell
from stepwell import StepwellClient
from stepwell.transfer.imported_runs import NAMESPACE
from stepwell.transfer.tensorboard_files.crc32c import masked_crc32c
from stepwell.wire.calls import Calls
from stepwell.wire.messages import run_spec
from tests.harness.transfers import imported, points_of, run_import, runs_of


def record(message: bytes) -> bytes:
    """A record of an event file."""
    length = struct.pack("<Q", len(message))
    sums = masked_crc32c([length, message])
    return length + struct.pack("<I", sums[0]) + message + struct.pack("<I", sums[1])


def field(number: int, content: bytes) -> bytes:
    """A field of a protobuf message that is bytes, up to 127 of them."""
    return bytes([number << 3 | 2, len(content)]) + content


def event(step: int, value: bytes, time_s: float = 12.5) -> bytes:
    """A record with one value of a summary."""
    return record(b"\x09" + struct.pack("<d", time_s) + b"\x10" + bytes([step]) + field(5, field(1, value)))


def scalar(tag: str, value: float) -> bytes:
    return field(1, tag.encode()) + b"\x15" + struct.pack("<f", value)


def tensor(tag: str, value: float) -> bytes:
    return field(1, tag.encode()) + field(8, b"\x08\x01" + field(4, struct.pack("<f", value)))


def hparams(content: bytes) -> bytes:
    """What TensorFlow, PyTorch and tensorboardX write of a session."""
    return field(1, b"_hparams_/session") + field(9, field(1, field(1, b"hparams") + field(2, content)))


def folder_of(tmp_path: Path, name: str, *events: bytes) -> Path:
    folder = tmp_path / name
    folder.mkdir(parents=True)
    (folder / "events.out.tfevents.1.host").write_bytes(b"".join(events))
    return folder


def test_event_files_of_tensorboard(client: StepwellClient, tmp_path: Path) -> None:
    whole = event(1, scalar("loss", 0.5)) + event(2, tensor("loss", 0.25)) + event(3, scalar("acc", math.inf))
    last = event(4, scalar("loss", 0.125))
    train = folder_of(tmp_path, "logs/train", whole, last[:-6])  # the last record is not finished
    arguments = ("tensorboard", str(tmp_path / "logs"), "--experiment", "tb")
    assert "1 runs, 3 new points" in run_import(*arguments)
    (train / "events.out.tfevents.1.host").write_bytes(whole + last)
    assert "1 runs, 1 new points" in run_import(*arguments)
    (train / "tfevents.2").write_bytes(event(5, scalar("acc", 1.0)))
    assert "1 runs, 1 new points" in run_import(*arguments)
    (run,) = runs_of("tb").values()
    assert (run.info.run_name, run.info.status, run.info.start_time) == ("train", "FINISHED", 12_500)
    assert points_of(run.info.run_id, "loss") == [(1, 12_500, 0.5), (2, 12_500, 0.25), (4, 12_500, 0.125)]
    assert points_of(run.info.run_id, "acc") == [(3, 12_500, math.inf), (5, 12_500, 1.0)]


def test_what_is_sound_of_a_damaged_file_comes_and_the_rest_is_named(
    client: StepwellClient, tmp_path: Path
) -> None:
    events = [event(step, scalar("loss", step)) for step in range(20)]
    size = len(events[0])
    content = bytearray(b"".join(events) + bytes(64))  # zeros, as a power cut leaves them
    content[5 * size + 30] ^= 0x10  # in the data
    content[9 * size + 6] ^= 0x01  # in a length, which is now endless
    content[15 * size + size - 1] ^= 0x80  # in the checksum of the data
    no_event = record(b"\x09\x00")
    folder_of(tmp_path, "run", bytes(content[: 20 * size]), no_event, bytes(content[20 * size :]))
    report = imported("tensorboard", str(tmp_path), "--experiment", "tb")
    assert (report["runs"], report["points"], report["rejected"]) == (1, 17, 5)
    (reason,) = report["reasons"]
    for place in (5 * size, 9 * size, 15 * size, 20 * size, 20 * size + len(no_event)):
        assert f"byte {place:,}:" in reason
    (run,) = runs_of("tb").values()
    steps = [step for step, _, _ in points_of(run.info.run_id, "loss")]
    assert steps == [step for step in range(20) if step not in (5, 9, 15)]


def test_what_a_restart_purged_does_not_come(client: StepwellClient, tmp_path: Path) -> None:
    def start(step: int) -> bytes:
        return record(b"\x10" + bytes([step]) + field(7, b"\x08\x01"))

    def points(steps: range, add: int) -> list[bytes]:
        return [event(step, scalar(key, add + step)) for step in steps for key in ("loss", "acc")]

    folder = folder_of(tmp_path, "run", *points(range(6), 0), start(3), *points(range(3, 8), 100))
    late = [start(6), *points(range(6, 7), 200), start(7), *points(range(7, 9), 300)]
    (folder / "events.out.tfevents.2.host").write_bytes(b"".join(late))
    assert "1 runs, 18 new points" in run_import("tensorboard", str(tmp_path), "--experiment", "tb")
    (run,) = runs_of("tb").values()
    for key in ("loss", "acc"):
        values = [value for _, _, value in points_of(run.info.run_id, key)]
        assert values == [0, 1, 2, 103, 104, 105, 206, 307, 308]


def test_what_tensorboardx_writes(client: StepwellClient, tmp_path: Path) -> None:
    with SummaryWriter(str(tmp_path / "run")) as writer:
        for step in range(6):
            writer.add_scalar("loss", step, step)
        params = {"lr": 0.1, "bs": 32, "big": 2.0**60, "opt": "adam", "amp": True, "decay": 1.0}
        writer.add_hparams(params, {"hparam/accuracy": 0.9}, name="trial")
        writer.add_text("note", "words")
        writer.add_histogram("weights", np.arange(9.0))
        writer.add_image("picture", np.zeros((3, 8, 8), np.uint8))
    with SummaryWriter(str(tmp_path / "run"), purge_step=3, filename_suffix=".2") as writer:
        for step in range(3, 5):
            writer.add_scalar("loss", 100 + step, step)
    report = imported("tensorboard", str(tmp_path), "--experiment", "tb")
    assert (report["runs"], report["points"], report["rejected"]) == (2, 6, 3)
    assert report["reasons"] == ["run run: 1 histograms, 1 images, 1 texts are not imported"]
    runs = runs_of("tb")
    loss = points_of(runs["run"].info.run_id, "loss")
    assert [value for _, _, value in loss] == [0, 1, 2, 103, 104]
    assert runs["run"].data.params == {}
    assert runs["run/trial"].data.params == {
        "lr": "0.1", "bs": "32", "big": "1.152921504606847e+18", "opt": "adam", "amp": "True", "decay": "1"
    }  # fmt: skip
    assert runs["run/trial"].data.metrics == {"hparam/accuracy": pytest.approx(0.9)}
    assert runs["run/trial"].info.status == "FINISHED"


def test_a_session_that_failed(client: StepwellClient, tmp_path: Path) -> None:
    lr = field(1, field(1, b"lr") + field(2, b"\x11" + struct.pack("<d", 0.25)))
    other = field(1, field(1, b"lr") + field(2, field(3, b"fast")))
    end = b"\x08\x02" + b"\x11" + struct.pack("<d", 99.5)
    events = [
        event(0, hparams(field(3, lr))),
        event(0, hparams(field(3, other))),
        event(0, hparams(field(4, end))),
    ]
    folder_of(tmp_path, "run", *events)
    report = imported("tensorboard", str(tmp_path), "--experiment", "tb")
    assert report["reasons"] == ["run run: param 'lr' is also 'fast'; the first value is kept"]
    (run,) = runs_of("tb").values()
    assert (run.data.params, run.info.status, run.info.end_time) == ({"lr": "0.25"}, "FAILED", 99_500)


def test_folders_behind_links_are_found_once_and_circles_end(client: StepwellClient, tmp_path: Path) -> None:
    for name in ("a", "b"):
        folder_of(tmp_path, f"store/{name}", event(1, scalar("loss", 1.0)))
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "baseline").symlink_to(tmp_path / "store" / "a")
    (tree / "idea").symlink_to(tmp_path / "store" / "b")
    (tree / "z same idea").symlink_to(tmp_path / "store" / "b")
    (tree / "circle").symlink_to(tree)
    (tree / "itself").symlink_to(tree / "itself")
    folder_of(tree, "real", event(1, scalar("loss", 1.0)))
    (tree / "real" / "tfevents.gone").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tree / "real" / "tfevents.fifo")
    report = imported("tensorboard", str(tree), "--experiment", "tb")
    assert (report["runs"], report["points"], report["rejected"]) == (3, 3, 2)
    assert sorted(runs_of("tb")) == ["baseline", "idea", "real"]
    only = tmp_path / "only links"
    only.mkdir()
    (only / "baseline").symlink_to(tmp_path / "store" / "a")
    assert "1 runs, 0 new points" in run_import("tensorboard", str(only), "--experiment", "tb")


def test_folders_of_one_name_are_runs_of_their_own(client: StepwellClient, tmp_path: Path) -> None:
    for below in ("", "/exp"):
        experiment = f"tb{below}"
        for name, value in (("A", 1.0), ("B", 2.0)):
            folder_of(tmp_path, f"{name}{below}", event(1, scalar("loss", value)))
            arguments = ("tensorboard", str(tmp_path / name), "--experiment", experiment)
            first = "1 runs, 1 new points" if not below else "2 runs, 2 new points"
            assert first in run_import(*arguments)
            assert "0 new points" in run_import(*arguments)
    found = stepwell.search_runs(experiment_names=["tb"], output_format="list")
    values = {run.info.run_name: points_of(run.info.run_id, "loss") for run in found}
    assert values == {"A": [(1, 12_500, 1.0)], "B": [(1, 12_500, 2.0)]}
    assert len(stepwell.search_runs(experiment_names=["tb/exp"], output_format="list")) == 4


def test_a_folder_that_another_training_takes_over_is_another_run(
    client: StepwellClient, tmp_path: Path
) -> None:
    folder = folder_of(tmp_path, "run", event(1, scalar("loss", 1.0)))
    run_import("tensorboard", str(tmp_path), "--experiment", "tb")
    (folder / "events.out.tfevents.1.host").rename(tmp_path / "old")
    (folder / "events.out.tfevents.9.host").write_bytes(event(1, scalar("loss", 2.0), 99.0))
    run_import("tensorboard", str(tmp_path), "--experiment", "tb")
    assert len(stepwell.search_runs(experiment_names=["tb"], output_format="list")) == 2


def test_runs_that_earlier_versions_imported_are_recognised(client: StepwellClient, tmp_path: Path) -> None:
    """They went by the name below the log folder; their tag tells whether the folder is this one."""
    experiment_id = client.create_experiment("tb")
    for name in ("mine", "other"):
        folder = folder_of(tmp_path, f"logs/{name}", event(1, scalar("loss", 1.0)))
        run_id = uuid.uuid5(NAMESPACE, f"run tensorboard tb {name}").hex
        source = folder if name == "mine" else f"/elsewhere/{name}"
        spec = run_spec(
            run_id=run_id,
            experiment_id=int(experiment_id),
            name=f"earlier {name}",
            start_time_ms=12_500,
            user="",
            tags={"stepwell.source": f"tensorboard {source}"},
        )
        Calls(stepwell.get_tracking_uri()).create_run(spec)
    assert "2 runs, 2 new points" in run_import("tensorboard", str(tmp_path / "logs"), "--experiment", "tb")
    counts = {name: len(run.data.metrics) for name, run in runs_of("tb").items()}
    assert counts == {"earlier mine": 1, "earlier other": 0, "other": 1}
