"""Histograms, alerts, sounds and videos: what is stored of them, once, and what is refused."""

import wave
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

import stepwell
from stepwell import StepwellClient
from stepwell.delivery import histograms
from stepwell.errors import StepwellException
from stepwell_api.v1 import alerts_pb2, histograms_pb2
from stepwell_api.v1.alerts_pb2_grpc import AlertServiceStub
from stepwell_api.v1.histograms_pb2_grpc import HistogramServiceStub
from stepwell_server.model.alerts import ALERTS_PER_RUN_MAX
from tests.client.conftest import Script
from tests.harness.servers.processes import ServerProcess

pytestmark = pytest.mark.usefixtures("tracking_uri")


def test_values_are_counted_in_bins() -> None:
    values = np.random.default_rng(7).normal(size=(40, 25))
    with stepwell.start_run() as run:
        stepwell.log_histogram("weights/layer 1", values, step=3, bins=10)
        stepwell.log_histogram("weights/layer 1", [1, np.nan, 2, np.inf, 2], step=-5, bins=2)
        stepwell.log_histogram("counted", counts=[1, 0, 7], edges=[0, 1, 10, 100], timestamp=17)
    client = StepwellClient()
    assert client.histogram_keys(run.info.run_id) == ["counted", "weights/layer 1"]
    first, second = client.get_histograms(run.info.run_id, "weights/layer 1")
    assert (first.step, first.edges, first.counts, first.not_finite) == (-5, [1.0, 1.5, 2.0], [1, 2], 2)
    counts, edges = np.histogram(values, 10)
    assert (second.step, second.counts, second.not_finite) == (3, counts.tolist(), 0)
    np.testing.assert_allclose(second.edges, edges)
    (counted,) = client.get_histograms(run.info.run_id, "counted")
    assert (counted.edges, counted.counts, counted.timestamp) == ([0, 1, 10, 100], [1, 0, 7], 17)


@pytest.mark.parametrize(
    ("values", "counts"),
    [
        ([3.0] * 4, 4),
        ([np.nan] * 3, 0),
        ([-1.7e308, 1.7e308], 2),
        (np.array([2**63 - 1, 0], np.int64), 2),
        ([True, False], 2),
        (np.float16(1), 1),
    ],
)
def test_odd_values_have_histograms_too(values: Any, counts: int) -> None:
    with stepwell.start_run() as run:
        stepwell.log_histogram("h", values)
        assert run.writer.flush().rejected == 0
    (found,) = StepwellClient().get_histograms(run.info.run_id, "h")
    assert (sum(found.counts), found.not_finite) == (counts, np.size(values) - counts)


def test_tensors_of_any_type_are_taken() -> None:
    torch = pytest.importorskip("torch")
    tensor = torch.linspace(0, 1, 8, requires_grad=True)
    for kind in (torch.float32, torch.bfloat16, torch.int8):
        found = histograms.of_values("h", (tensor * 4).to(kind), 4, 0, 0)
        assert sum(found.counts) == 8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"values": []}, "there are no values"),
        ({"values": ["a"]}, "must be numbers"),
        ({"values": [1], "bins": 0}, "from 1 to 512, not 0"),
        ({"values": [1], "bins": 1.5}, "from 1 to 512, not 1.5"),
        ({}, "either values, or both counts and edges"),
        ({"values": [1], "counts": [1], "edges": [0, 1]}, "either values, or both"),
        ({"counts": [1, 2], "edges": [0, 1]}, "2 counts and 2 edges"),
        ({"counts": [1], "edges": [1, 1]}, "finite and ascending"),
        ({"counts": [-1], "edges": [0, 1]}, "not negative"),
        ({"values": [1], "step": "x"}, "the step must be an integer"),
    ],
)
def test_what_is_no_histogram_is_refused_at_once(arguments: dict[str, Any], message: str) -> None:
    with stepwell.start_run(), pytest.raises(StepwellException, match=message):
        stepwell.log_histogram("h", **arguments)


def test_of_many_steps_evenly_many_are_read() -> None:
    with stepwell.start_run() as run:
        for step in range(257):
            stepwell.log_histogram("h", [step, step + 1], step=step, bins=1)
    client = StepwellClient()
    found = [it.step for it in client.get_histograms(run.info.run_id, "h", max_steps=5)]
    assert found == [0, 64, 128, 192, 256]
    some = client.get_histograms(run.info.run_id, "h", step_range=(10, 12))
    assert [it.step for it in some] == [10, 11, 12]
    assert len(client.get_histograms(run.info.run_id, "h", max_steps=100)) == 100
    assert [it.step for it in client.get_histograms(run.info.run_id, "h", max_steps=1)] in ([0], [256])
    with pytest.raises(StepwellException, match="max_steps"):
        client.get_histograms(run.info.run_id, "h", max_steps=1_001)


def test_of_one_step_the_last_one_shows_and_what_a_resume_hides_does_not() -> None:
    with stepwell.start_run() as run:
        for step in (1, 2, 3):
            stepwell.log_histogram("h", [0], step=step, bins=step)
        stepwell.log_histogram("h", [0], step=2, bins=7)
    client = StepwellClient()
    assert [len(it.counts) for it in client.get_histograms(run.info.run_id, "h")] == [1, 7, 3]
    with stepwell.start_run(run_id=run.info.run_id, resume_from_step=2):
        stepwell.log_histogram("h", [0], step=2, bins=9)
    assert [(it.step, len(it.counts)) for it in client.get_histograms(run.info.run_id, "h")] == [
        (1, 1),
        (2, 9),
    ]


def test_what_other_clients_get_wrong_is_refused_by_the_server(shared_server: ServerProcess) -> None:
    with stepwell.start_run() as run:
        for wrong in ([1.0], [2.0, 1.0], [float("nan"), 1.0], [0.0, 1.0, 2.0, 3.0]):
            run.writer.log_histogram(stepwell.Histogram("h", 0, 0, wrong, [1, 2]))
        run.writer.log_histogram(stepwell.Histogram("h", 0, 0, [0.0, 1.0], [1] * 513))
        run.writer.log_histogram(stepwell.Histogram("h", 0, -1, [0.0, 1.0], [-1]))
        run.writer.log_alert(stepwell.Alert(" ", "", "INFO", 0))
        run.writer.log_alert(stepwell.Alert("t" * 251, "", "INFO", 0))
        assert run.writer.flush().rejected == 8
    with grpc.insecure_channel(f"127.0.0.1:{shared_server.port}") as channel:
        read, listed = HistogramServiceStub(channel).ReadHistograms, AlertServiceStub(channel).ListAlerts
        for request in (
            histograms_pb2.ReadHistogramsRequest(run_id=run.info.run_id, key="h", limit=1_001),
            histograms_pb2.ReadHistogramsRequest(run_id=run.info.run_id, key="", limit=1),
        ):
            with pytest.raises(grpc.RpcError, match="INVALID_ARGUMENT"):
                read(request)
        with pytest.raises(grpc.RpcError, match="does not exist"):
            read(histograms_pb2.ReadHistogramsRequest(run_id="0" * 32, key="h"))
        with pytest.raises(grpc.RpcError, match="does not exist"):
            listed(alerts_pb2.ListAlertsRequest(run_id="0" * 32))
        with pytest.raises(grpc.RpcError, match="ask for 1 to 1000"):
            listed(alerts_pb2.ListAlertsRequest(limit=-1))


def test_alerts_are_listed_latest_first() -> None:
    client = StepwellClient()
    with stepwell.start_run(run_name="noisy") as run:
        assert stepwell.alert("low", "batch <i>7</i>\nsecond line")
        assert stepwell.alert("high", level="ERROR")
        assert stepwell.alert("middle", level=stepwell.AlertLevel.WARNING)
        # Known at once, while the run goes on.
        assert [it.title for it in client.list_alerts(run.info.run_id)] == ["middle", "high", "low"]
    assert [it.title for it in client.list_alerts(run.info.run_id, level="warning")] == ["middle", "high"]
    (last,) = client.list_alerts(experiment_ids=[run.info.experiment_id], max_results=1)
    assert (last.title, last.level, last.run_id, last.run_name) == (
        "middle",
        "WARNING",
        run.info.run_id,
        "noisy",
    )
    assert client.list_alerts(run.info.run_id)[-1].text == "batch <i>7</i>\nsecond line"
    client.delete_run(run.info.run_id)
    assert client.list_alerts(experiment_ids=[run.info.experiment_id]) == []


def test_a_title_waits_if_it_is_told_to() -> None:
    with stepwell.start_run() as run:
        raised = [stepwell.alert("again", wait_duration=60) for _ in range(3)]
        assert stepwell.alert("another", wait_duration=timedelta(minutes=1))
        assert not stepwell.alert("another", wait_duration=timedelta(minutes=1))
        assert stepwell.alert("again")
        for wrong in (-1, timedelta(seconds=-1), float("nan")):
            with pytest.raises(StepwellException, match="wait_duration"):
                stepwell.alert("never", wait_duration=wrong)
    assert raised == [True, False, False]
    assert [it.title for it in StepwellClient().list_alerts(run.info.run_id)] == ["again", "another", "again"]


@pytest.mark.parametrize(
    ("log", "given", "said"),
    [
        ("log_histogram", ("h", [1.0]), "Histogram 'h': the step"),
        ("log_audio", (np.zeros(4), "speech"), "Audio 'speech': the step"),
        ("log_video", (np.zeros((2, 4, 4)), "walk"), "Video 'walk': the step"),
    ],
)
def test_whose_step_is_wrong(log: str, given: tuple[Any, ...], said: str) -> None:
    with stepwell.start_run(), pytest.raises(StepwellException, match=said):
        getattr(stepwell, log)(*given, step="first")


def test_a_run_has_so_many_alerts_at_most() -> None:
    with stepwell.start_run() as run:
        for number in range(ALERTS_PER_RUN_MAX + 3):
            stepwell.alert(f"alert {number}")
        receipt = run.writer.flush()
    assert receipt.rejected == 3
    assert "the most that a run may have" in receipt.rejections[0].reason
    found = StepwellClient().list_alerts(run.info.run_id, max_results=2_000)
    assert [it.title for it in found] == [f"alert {number}" for number in reversed(range(ALERTS_PER_RUN_MAX))]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((" ",), "a text that is not empty"),
        ((None,), "a text that is not empty"),
        (("t" * 251,), "251 characters"),
        (("t", "x" * 10_001), "10,001 characters"),
        (("t", "a\0b"), "NUL"),
        (("t", "", "LOUD"), "INFO, WARNING or ERROR, not 'LOUD'"),
    ],
)
def test_what_is_no_alert_is_refused_at_once(arguments: tuple[Any, ...], message: str) -> None:
    with stepwell.start_run(), pytest.raises(StepwellException, match=message):
        stepwell.alert(*arguments)


def test_they_survive_a_kill(script: Script) -> None:
    done = script(
        "import os, signal, stepwell\n"
        "os.environ['STEPWELL_TRACKING_URI'] = 'grpc://127.0.0.1:9'\n"
        "run = stepwell.start_run()\n"
        "stepwell.alert('about to die')\n"
        "stepwell.log_histogram('h', [1, 2, 3])\n"
        "print(run.info.run_id, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n",
        STEPWELL_SPOOL_DIR="spool",
    )
    run_id = done.stdout.split()[0]
    for _ in range(2):
        script(
            "import sys; sys.argv[1:] = ['sync', '--to', sys.argv[1], 'spool']\n"
            "from stepwell.cli import main; main()",
            stepwell.get_tracking_uri(),
        )
    assert [it.title for it in StepwellClient().list_alerts(run_id)] == ["about to die"]
    assert [sum(it.counts) for it in StepwellClient().get_histograms(run_id, "h")] == [3]


def test_sounds_and_videos_are_files_of_a_series(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"a film")
    with stepwell.start_run() as run:
        stepwell.log_audio(np.sin(np.arange(800) / 10), "speech/one", step=2, sample_rate=8_000)
        stepwell.log_audio(np.zeros((80, 2), np.int16), "speech/one", step=3)
        stepwell.log_video(np.random.default_rng(1).random((3, 8, 8, 3)), "walk", step=1, fps=10)
        stepwell.log_video(tmp_path / "clip.mp4", "walk", step=2)
    client = StepwellClient()
    sounds = [it.path for it in client.list_artifacts(run.info.run_id, "audio")]
    assert [path.split("%timestamp%")[0] for path in sounds] == [
        "audio/speech#one%step%2",
        "audio/speech#one%step%3",
    ]
    with wave.open(client.download_artifacts(run.info.run_id, sounds[0])) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getnframes()) == (8_000, 1, 800)
        first = np.frombuffer(sound.readframes(800), "<i2")
    np.testing.assert_allclose(first / 32_767, np.sin(np.arange(800) / 10), atol=1e-4)
    films = [it.path for it in client.list_artifacts(run.info.run_id, "video")]
    assert [Path(path).suffix for path in films] == [".gif", ".mp4"]
    assert Path(client.download_artifacts(run.info.run_id, films[1])).read_bytes() == b"a film"
    from PIL import Image

    with Image.open(client.download_artifacts(run.info.run_id, films[0])) as film:
        assert (film.n_frames, film.size, film.info["duration"]) == (3, (8, 8), 100)


@pytest.mark.parametrize(
    ("log", "given", "message"),
    [
        ("log_audio", "speech.txt", "ends in .wav"),
        ("log_audio", "gone.wav", "does not exist"),
        ("log_audio", object(), "not object"),
        ("log_audio", np.zeros((2, 2, 2)), "the shape"),
        ("log_audio", np.zeros(3, np.int64), "not of int64"),
        ("log_video", np.zeros(3), "the shape"),
        ("log_video", np.full((1, 2, 2), 2.0), "out of acceptable range"),
    ],
)
def test_what_is_no_sound_or_video_is_refused(log: str, given: Any, message: str) -> None:
    with stepwell.start_run(), pytest.raises(StepwellException, match=message):
        getattr(stepwell, log)(given, "k")


def test_nested_params_become_flat() -> None:
    nested: dict[str, Any] = {
        "adam": {"lr": 0.1, "betas": (0.9, 0.99)},
        "seed": 1,
        "empty": {},
        "by": {3: "x"},
    }
    with stepwell.start_run() as run:
        stepwell.log_params(nested, flatten=True)
        stepwell.log_params({"model": {"depth": 3}}, flatten="/")
        with pytest.raises(StepwellException, match=r"Two of the nested params get the name 'a\.b'"):
            stepwell.log_params({"a": {"b": 1}, "a.b": 2}, flatten=True)
        with pytest.raises(StepwellException, match="flatten is True, False or the text"):
            stepwell.log_params(nested, flatten="")
    assert stepwell.get_run(run.info.run_id).data.params == {
        "adam.lr": "0.1",
        "adam.betas": "(0.9, 0.99)",
        "seed": "1",
        "empty": "{}",
        "by.3": "x",
        "model/depth": "3",
    }
