"""Without a server everything still works; what was logged is delivered later, once, by whoever comes."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import stepwell as mlflow
from stepwell import MlflowClient, StepwellException
from stepwell.delivery.progress import LINGER_S
from stepwell.spool import folders
from stepwell.spool.records import RECORD_BYTES
from tests.harness.network.proxy import Proxy
from tests.harness.servers.processes import ServerProcess

NOBODY = "grpc://127.0.0.1:1"
# Where nobody is, nobody comes up: who looks, and who waits for the end, does so briefly.
BRIEFLY = {"STEPWELL_REACH_TIMEOUT_S": "0.2", "STEPWELL_FLUSH_TIMEOUT_S": "1", "STEPWELL_EXIT_TIMEOUT_S": "1"}

# How often a watching sync looks for spools, and how long it looks for a server until it says that there is none.
LOOK_S = 0.2
AWAY_S = 0.5

TRAINING = """
import sys
import stepwell

with stepwell.start_run(run_name="offline") as run:
    stepwell.log_params({"lr": 0.1, "epochs": 3})
    stepwell.set_tag("kind", "test")
    for step in range(3_000):
        stepwell.log_metric("loss", step / 2, step=step)
    stepwell.log_series("curve", [0.5, 0.25], steps=[10, -10])
    print(run.info.run_id)
"""

KILLED = """
import os, signal
import stepwell

run = stepwell.start_run()
print(run.info.run_id, flush=True)
stepwell.log_param("lr", 1)
for step in range(5_000):
    stepwell.log_metric("loss", step / 2, step=step)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place of the test's own for spools."""
    folder = tmp_path / "spools"
    monkeypatch.setenv("STEPWELL_SPOOL_DIR", str(folder))
    return folder


def sync(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from stepwell.cli import main; main()", "sync", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def sync_with_nobody(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The same where no server is; it does not look for it for as long as usually."""
    text = "from stepwell.commands import sync; sync.AWAY_S = 0.5; from stepwell.cli import main; main()"
    command = [sys.executable, "-c", text, "sync", "--to", NOBODY, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def offline_job(text: str) -> "subprocess.Popen[str]":
    """Begin a job in offline mode."""
    return subprocess.Popen(
        [sys.executable, "-c", text],
        env={**os.environ, "STEPWELL_MODE": "offline"},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip


@contextmanager
def living_job() -> "Iterator[tuple[subprocess.Popen[str], str]]":
    """A job in offline mode that has logged all but its end, and the id of its run; it goes on with a line."""
    text = TRAINING.replace("    print(run", "    print(run.info.run_id, flush=True); input()\n    print(run")
    with offline_job(text) as job:
        assert job.stdout
        yield job, job.stdout.readline().strip()


def change_format(folder: Path) -> None:
    """Make a spool one of a newer version."""
    described = json.loads((folder / "writer.json").read_text())
    (folder / "writer.json").write_text(json.dumps({**described, "format": 99}))


def check_run(run_id: str) -> None:
    run = mlflow.get_run(run_id)
    assert (run.info.status, run.info.run_name) == ("FINISHED", "offline")
    assert run.data.params == {"lr": "0.1", "epochs": "3"}
    assert run.data.tags["kind"] == "test"
    history = mlflow.get_metric_history(run_id, "loss")
    assert [(point.step, point.value) for point in history] == [(step, step / 2) for step in range(3_000)]
    assert sorted(point.step for point in mlflow.get_metric_history(run_id, "curve")) == [-10, 10]


def spools(place: Path) -> list[Path]:
    return list(folders.spools(place))


def test_offline_mode_and_sync(script, place: Path, tracking_uri: str) -> None:
    answer = script(TRAINING, STEPWELL_MODE="offline")
    assert answer.returncode == 0, answer.stderr
    assert answer.stderr.count("Offline mode") == 1
    assert len(spools(place)) == 1
    delivered = sync("--json")
    report = json.loads(delivered.stdout)
    assert (delivered.returncode, report["committed"], report["waiting"]) == (0, 3_006, 0)
    check_run(answer.stdout.strip())
    assert spools(place) == []
    assert "Nothing waits" in sync(str(place)).stdout


def test_a_server_that_is_not_there(script, place: Path, tracking_uri: str) -> None:
    answer = script(TRAINING, STEPWELL_TRACKING_URI=NOBODY, **BRIEFLY)
    assert answer.returncode == 0, answer.stderr
    assert answer.stderr.count("No Stepwell server answers") == 1
    assert "stepwell sync" in answer.stderr
    waiting = sync_with_nobody("--json")
    assert waiting.returncode == 1
    assert json.loads(waiting.stdout)["waiting"] > 0
    assert sync("--to", tracking_uri).returncode == 0
    check_run(answer.stdout.strip())


def test_sync_says_once_why_a_server_is_away(script, place: Path, tracking_uri: str) -> None:
    script("import stepwell; stepwell.set_experiment_tag('a', 'b')\n" + TRAINING, STEPWELL_MODE="offline")
    refused = sync_with_nobody()
    assert refused.returncode == 1
    assert len(refused.stderr.splitlines()) == 1
    assert refused.stderr.startswith("No Stepwell server answers")
    assert "Left: 2 of 2" in refused.stdout


def test_sync_also_looks_where_spools_go_when_the_usual_place_cannot_be_written(
    script, tmp_path: Path, tracking_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.delenv("STEPWELL_SPOOL_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".stepwell").write_text("in the way")
    answer = script(TRAINING, STEPWELL_MODE="offline")
    assert "so the spool is in" in answer.stderr
    delivered = sync("--json")
    assert (delivered.returncode, json.loads(delivered.stdout)["committed"]) == (0, 3_006)
    check_run(answer.stdout.strip())


def test_what_is_wrong_with_the_address_is_said_once(script, place: Path, tracking_uri: str) -> None:
    port = tracking_uri.rpartition(":")[2]
    wrong = {
        NOBODY: "nothing listens there",
        "grpc://nobody.invalid": "the name 'nobody.invalid' is not known",
        f"grpcs://127.0.0.1:{port}": "what listens there does not speak TLS",
    }
    with ThreadPoolExecutor(len(wrong)) as pool:
        answers = pool.map(
            lambda uri: script(
                TRAINING,
                STEPWELL_TRACKING_URI=uri,
                STEPWELL_FLUSH_TIMEOUT_S="1",
                STEPWELL_SPOOL_DIR=str(place / uri.partition("://")[2]),
            ),
            wrong,
        )
    for answer, reason in zip(answers, wrong.values(), strict=True):
        assert answer.returncode == 0, answer.stderr
        assert answer.stderr.count(reason) == 1
        assert len(answer.stderr.splitlines()) == 2, answer.stderr  # this, and where it waits


def test_a_sync_waits_once_for_a_server_that_is_away(script, place: Path, tracking_uri: str) -> None:
    answer = script(
        "import stepwell\n"
        "for number in range(3):\n"
        "    with stepwell.start_run() as run:\n"
        "        stepwell.log_metric('loss', number)\n"
        "        stepwell.log_text(str(number), 'a.txt')\n"
        "        stepwell.log_text(str(number), 'b.txt')\n"
        "    print(run.info.run_id)\n",
        STEPWELL_MODE="offline",
        STEPWELL_TRACKING_URI=NOBODY,
    )
    assert answer.returncode == 0, answer.stderr
    refused = sync_with_nobody("--json")  # ends within a minute; each upload by itself would try for ten
    receipts = [json.loads(line) for line in refused.stdout.splitlines()]
    assert (refused.returncode, len(receipts), receipts[-1]["waiting"]) == (1, 4, 6)
    assert sync("--to", tracking_uri).returncode == 0
    for number, run_id in enumerate(answer.stdout.split()):
        assert mlflow.artifacts.load_text(f"runs:/{run_id}/b.txt") == str(number)


def test_the_next_process_in_the_place_delivers(script, place: Path, tracking_uri: str) -> None:
    answer = script(TRAINING, STEPWELL_MODE="offline")
    next_one = script(
        "import stepwell, time\n"
        "with stepwell.start_run(): stepwell.log_metric('x', 1)\n"
        "import pathlib, os\n"
        "folder = pathlib.Path(os.environ['STEPWELL_SPOOL_DIR'])\n"
        "while any(folder.glob('*/writer.json')): time.sleep(0.05)\n"
    )
    assert next_one.returncode == 0, next_one.stderr
    check_run(answer.stdout.strip())


def test_kill_9_loses_nothing(script, place: Path, tracking_uri: str) -> None:
    answer = script(KILLED)
    assert answer.returncode == -signal.SIGKILL
    run_id = answer.stdout.strip()
    assert sync().returncode == 0
    assert [point.step for point in mlflow.get_metric_history(run_id, "loss")] == list(range(5_000))
    assert mlflow.get_run(run_id).data.params == {"lr": "1"}


def test_a_copied_spool_and_two_syncs_at_once_store_nothing_twice(
    script, place: Path, tracking_uri: str, tmp_path: Path
) -> None:
    answer = script(TRAINING, STEPWELL_MODE="offline")
    copy = tmp_path / "copy"
    shutil.copytree(place, copy)
    command = [sys.executable, "-c", "from stepwell.cli import main; main()", "sync"]
    jobs = [subprocess.Popen([*command, str(folder)]) for folder in (place, place, copy)]
    assert [job.wait(60) for job in jobs] == [0, 0, 0]
    check_run(answer.stdout.strip())


def test_sync_reads_beside_a_living_job(place: Path, tracking_uri: str) -> None:
    with living_job() as (job, run_id):
        assert sync().returncode == 0
        assert len(mlflow.get_metric_history(run_id, "loss")) == 3_000
        assert mlflow.get_run(run_id).info.status == "RUNNING"
        assert len(spools(place)) == 1
        job.communicate("go on\n")
    assert sync().returncode == 0
    check_run(run_id)
    assert spools(place) == []


@contextmanager
def watching(*options: str, ends_with: int = 0) -> Iterator[list[dict[str, Any]]]:
    """`stepwell sync --watch`, while the context lasts; afterwards its receipts are in the list."""
    # A shell that starts tests in the background lets them ignore SIGINT; who types Ctrl-C does not.
    text = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    text += "from stepwell.commands import spool_watch, sync\n"
    text += f"spool_watch.LOOK_S, sync.AWAY_S = {LOOK_S}, {AWAY_S}\n"
    text += "from stepwell.cli import main; main()"
    command = [sys.executable, "-c", text, "sync", "--watch", "--json", *options]
    receipts: list[dict[str, Any]] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watch:
        try:
            yield receipts
        finally:
            watch.send_signal(signal.SIGINT)
            output, _ = watch.communicate(timeout=30)
    receipts += map(json.loads, output.splitlines())
    assert watch.returncode == ends_with, output


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60  # other tests keep the machine busy
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_watch_follows_a_living_job_to_its_end(place: Path, tracking_uri: str) -> None:
    place.mkdir()
    text = TRAINING.replace("step=step)", "step=step); step % 1000 or __import__('time').sleep(0.5)")
    with watching() as receipts:
        output, _ = offline_job(text).communicate()
        until(lambda: spools(place) == [])
    run_id = output.strip()
    check_run(run_id)
    # One line, though the spool was met once more to be deleted.
    assert [(receipt["run_id"], receipt["waiting"]) for receipt in receipts] == [(run_id, 0)]


def test_watch_finds_new_spools_while_it_follows_a_living_job(place: Path, tracking_uri: str) -> None:
    with living_job() as (living, living_id), watching():
        until(lambda: stored_points(living_id) == 3_000)
        output, _ = offline_job(TRAINING).communicate()
        until(lambda: len(spools(place)) == 1)
        check_run(output.strip())
        assert living.poll() is None
        living.communicate("go on\n")
        until(lambda: spools(place) == [])
    check_run(living_id)


def test_watch_tries_on_while_the_server_is_away_and_says_once_what_it_cannot_read(
    place: Path, shared_server: ServerProcess
) -> None:
    offline_job(TRAINING).communicate()
    change_format(*spools(place))
    output, _ = offline_job(TRAINING).communicate()
    with Proxy(shared_server.port) as proxy:
        proxy.refuse()
        with watching("--to", proxy.tracking_uri, ends_with=1) as receipts:
            time.sleep(2 + AWAY_S)  # a sync that does not watch gives up then
            proxy.heal()
            until(lambda: len(spools(place)) == 1)
            time.sleep(5 * LOOK_S)
    assert sorted((receipt["run_id"], receipt["waiting"]) for receipt in receipts) == [
        ("", 1),
        (output.strip(), 0),
    ]


def test_watch_says_once_what_the_server_refuses(place: Path, tracking_uri: str) -> None:
    no_run = "0" * 32
    offline_job(f"import stepwell; stepwell.log_metric('x', 1, run_id='{no_run}')").communicate()
    (refused,) = spools(place)
    offline_job(TRAINING).communicate()
    with watching(ends_with=1) as receipts:
        until(lambda: spools(place) == [refused])
        time.sleep(5 * LOOK_S)
    assert [receipt["waiting"] for receipt in receipts if receipt["run_id"] == no_run] == [1]


def test_watch_tells_in_the_end_what_is_still_under_way(place: Path, tracking_uri: str) -> None:
    output, _ = offline_job(TRAINING).communicate()
    with socket.create_server(("127.0.0.1", 0)) as mute:  # it takes the call and says nothing
        mute.settimeout(60)
        with watching("--to", f"grpc://127.0.0.1:{mute.getsockname()[1]}", ends_with=1) as receipts:
            connection, _ = mute.accept()
    connection.close()
    assert [receipt["run_id"] for receipt in receipts if receipt["waiting"]] == [output.strip()]


def test_watch_ends_with_1_while_artifacts_wait(place: Path, tracking_uri: str) -> None:
    offline_job("import stepwell; stepwell.start_run(); stepwell.log_text('hello', 'a.txt')").communicate()
    (folder,) = spools(place)
    shutil.rmtree(folder)  # an artifact waits for its run
    with watching(ends_with=1) as receipts:
        until(lambda: any(place.glob("artifacts/*/lock")))
        time.sleep(5 * LOOK_S)
    assert [(receipt["run_name"], receipt["waiting"]) for receipt in receipts] == [("artifacts", 1)]


def stored_points(run_id: str) -> int:
    """How many points a run has that the server may not know yet."""
    try:
        return len(mlflow.get_metric_history(run_id, "loss"))
    except StepwellException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return 0


def test_a_newer_format_is_refused_and_left_alone(script, place: Path, tracking_uri: str) -> None:
    script(TRAINING, STEPWELL_MODE="offline")
    (folder,) = spools(place)
    change_format(folder)
    refused = sync()
    assert refused.returncode == 1
    assert "format 99" in refused.stdout
    assert spools(place) == [folder]


def test_a_damaged_spool_is_delivered_as_far_as_it_goes(script, place: Path, tracking_uri: str) -> None:
    answer = script(TRAINING, STEPWELL_MODE="offline")
    (folder,) = spools(place)
    os.truncate(folder / "points2-0000000000000000-400", RECORD_BYTES * 500)
    report = json.loads(sync("--json").stdout)
    assert report["damaged"] == 1_024 - 500
    assert len(mlflow.get_metric_history(answer.stdout.strip(), "loss")) == 3_000 - 524


def test_what_is_damaged_while_it_waits_is_in_the_receipt_and_in_health(
    place: Path, tracking_uri: str, shared_server: ServerProcess, caplog: pytest.LogCaptureFixture
) -> None:
    with Proxy(shared_server.port) as proxy:
        mlflow.set_tracking_uri(proxy.tracking_uri)
        with mlflow.start_run() as run:
            mlflow.log_metric("loss", 1.0, step=0)
            assert run.writer.flush().complete
            proxy.refuse()
            time.sleep(LINGER_S)
            for step in range(1, 100):
                mlflow.log_metric("loss", 1.0, step=step)
            (segment,) = place.glob("*/points2-0000000000000000-*")
            with segment.open("r+b") as file:
                file.seek(50 * RECORD_BYTES)
                file.write(b"\x7f")  # one of the two writings of a step
            proxy.heal()
            receipt = run.writer.flush()
            assert (receipt.damaged, receipt.waiting, receipt.complete) == (1, 0, False)
            assert mlflow.health().damaged == 1
            assert "record 50 (position 50)" in caplog.text
        mlflow.set_tracking_uri(tracking_uri)
        steps = {point.step for point in mlflow.get_metric_history(run.info.run_id, "loss")}
        assert len(steps) == 99
        assert steps < set(range(100))


def test_artifacts_wait_and_are_synced_too(script, place: Path, tracking_uri: str) -> None:
    text = (
        "import stepwell\nwith stepwell.start_run() as run:\n    stepwell.log_text('hello', 'notes/a.txt')\n"
    )
    answer = script(text + "print(run.info.run_id)", STEPWELL_MODE="offline")
    assert answer.returncode == 0, answer.stderr
    delivered = sync()
    assert delivered.returncode == 0, delivered.stdout
    assert "artifacts: delivered; 1 committed" in delivered.stdout
    assert mlflow.artifacts.load_text(f"runs:/{answer.stdout.strip()}/notes/a.txt") == "hello"


def test_sync_says_what_is_wrong_with_its_argument(tmp_path: Path) -> None:
    wrong = sync(str(tmp_path / "nowhere"))
    assert wrong.returncode == 1
    assert "There is no folder" in wrong.stderr


def test_set_experiment_without_a_server(script, place: Path, tracking_uri: str) -> None:
    text = "import stepwell\nstepwell.set_experiment('made later')\n" + TRAINING
    answer = script(text, STEPWELL_MODE="offline")
    assert answer.returncode == 0, answer.stderr
    assert sync().returncode == 0
    experiment = mlflow.get_experiment_by_name("made later")
    assert mlflow.get_run(answer.stdout.strip()).info.experiment_id == experiment.experiment_id


def test_a_run_without_any_entry_is_known_later(script, place: Path, tracking_uri: str) -> None:
    answer = script(
        "import stepwell, os, signal\nprint(stepwell.start_run().info.run_id, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)",
        STEPWELL_MODE="offline",
    )
    assert sync().returncode == 0
    assert mlflow.get_run(answer.stdout.strip()).info.status == "RUNNING"


def test_a_sweep_waits_once_for_a_server_that_is_away(script, place: Path) -> None:
    text = """
import time
import stepwell
from stepwell.delivery import progress as delivery

delivery.UNREACHABLE_PATIENCE_S = 1.0
with stepwell.start_run():
    pass
began = time.monotonic()
of_second = stepwell.start_run().writer.log().delivery
stepwell.end_run()
# It was away before this run, so nobody waits for it anew.
print(of_second._unreachable_since < began)
"""
    away = {"TRACKING_URI": NOBODY, "REACH_TIMEOUT_S": "0.3", "EXIT_TIMEOUT_S": "0"}
    answer = script(text, **{f"STEPWELL_{name}": value for name, value in away.items()})
    assert (answer.returncode, answer.stdout) == (0, "True\n"), answer.stderr


def test_settings_that_cannot_be(script, place: Path) -> None:
    for name, value in (
        ("SPOOL_FULL", "maybe"),
        ("SPOOL_BYTES_MAX", "12"),
        ("RANK", "first"),
        ("MODE", "on"),
        ("FLUSH_TIMEOUT_S", "soon"),
        ("EXIT_TIMEOUT_S", "late"),
    ):
        answer = script("import stepwell; stepwell.log_metric('x', 1)", **{f"STEPWELL_{name}": value})
        assert answer.returncode == 1
        assert f"STEPWELL_{name} is '{value}'" in answer.stderr


def test_a_place_that_cannot_be_written(script) -> None:
    answer = script("import stepwell; stepwell.log_metric('x', 1)", STEPWELL_SPOOL_DIR="/proc/nowhere")
    assert answer.returncode == 1
    assert "STEPWELL_SPOOL_DIR is '/proc/nowhere'" in answer.stderr


def test_a_working_folder_that_is_gone(script, tracking_uri: str, tmp_path: Path) -> None:
    answer = script(
        "import stepwell, os, tempfile\nhere = tempfile.mkdtemp()\nos.chdir(here)\nos.rmdir(here)\n"
        "with stepwell.start_run() as run:\n  stepwell.log_metric('x', 1)\n  stepwell.log_text('a', 'a.txt')\n"
        "print(run.info.run_id, end='')",
        STEPWELL_SPOOL_DIR="",
        TMPDIR=str(tmp_path),
    )
    assert answer.returncode == 0, answer.stderr
    assert f"the spool is in {tmp_path}" in answer.stderr
    assert MlflowClient().get_run(answer.stdout).data.metrics == {"x": 1.0}


class TestReceipts:
    """What end_run and health say."""

    def test_receipt(self, tracking_uri: str) -> None:
        mlflow.start_run()
        mlflow.log_param("lr", 1)
        mlflow.log_series("x", list(range(100_000)))
        receipt = mlflow.end_run()
        # 100,000 points, the param, and the end of the run.
        assert (receipt.sent, receipt.committed, receipt.waiting, receipt.complete) == (
            100_002,
            100_002,
            0,
            True,
        )

    def test_health(self, script, place: Path) -> None:
        text = (
            "import json, dataclasses, stepwell\nwith stepwell.start_run():\n"
            "    stepwell.log_metric('x', 1, timestamp=1_000)\n    stepwell.log_metric('x', 1)\n"
            "    print(json.dumps(dataclasses.asdict(stepwell.health())))"
        )
        health = json.loads(script(text, STEPWELL_MODE="offline").stdout)
        assert (health["runs"], health["waiting"], health["offline"]) == (1, 2, True)
        assert health["lag_s"] > 1e9
        assert health["waiting_bytes"] > 0


class TestJobsOfManyProcesses:
    """Ranks stream into one run, with nothing to coordinate."""

    RANK = """
import sys
import stepwell

with stepwell.start_run():
    for step in range(500):
        stepwell.log_metric("loss", float(sys.argv[1]), step=step)
"""

    def test_ranks_share_a_run(
        self, tracking_uri: str, tmp_path: Path, start_server: Callable[..., ServerProcess]
    ) -> None:
        run_id = "0123456789abcdef0123456789abcdef"
        jobs = [
            subprocess.Popen(
                [sys.executable, "-c", self.RANK, str(rank)],
                env={**os.environ, "STEPWELL_RUN_ID": run_id, "RANK": str(rank)},
            )
            for rank in range(4)
        ]
        assert [job.wait(60) for job in jobs] == [0] * 4
        history = mlflow.get_metric_history(run_id, "loss")
        expected = sorted((step, float(rank)) for rank in range(4) for step in range(500))
        assert sorted((point.step, point.value) for point in history) == expected
        assert mlflow.get_run(run_id).info.status == "FINISHED"

    def test_leaving_does_not_end_the_run_for_the_others(self, tracking_uri: str, script) -> None:
        with mlflow.start_run() as run:
            run_id = run.info.run_id
            assert (
                script(f"import stepwell\nwith stepwell.start_run(run_id='{run_id}'): pass").returncode == 0
            )
            assert mlflow.get_run(run_id).info.status == "RUNNING"
            script(f"import stepwell\nstepwell.start_run(run_id='{run_id}')\nstepwell.end_run('KILLED')")
            assert mlflow.get_run(run_id).info.status == "KILLED"
        assert mlflow.get_run(run_id).info.status == "FINISHED"


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_ends_the_run_and_delivers(script, tracking_uri: str, name: str) -> None:
    answer = script(
        "import stepwell, os, signal, time\nprint(stepwell.start_run().info.run_id, flush=True)\n"
        f"stepwell.log_metric('x', 1)\nos.kill(os.getpid(), signal.{name})\ntime.sleep(10)"
    )
    assert answer.returncode == -getattr(signal, name)
    run = MlflowClient().get_run(answer.stdout.strip())
    assert (run.info.status, run.data.metrics) == ("KILLED", {"x": 1.0})


def test_sigterm_while_the_process_ends_its_runs_leaves_none_open(script, tracking_uri: str) -> None:
    # As of pools, which send it to workers that are on their way out.
    answer = script(
        "import stepwell, os, signal\nfrom stepwell.runs import active\nsignals = [signal.SIGTERM]\n"
        "active._stop_monitor = lambda run: signals and os.kill(os.getpid(), signals.pop())\n"
        "print(stepwell.start_run().info.run_id, flush=True)"
    )
    assert answer.returncode == -signal.SIGTERM
    assert MlflowClient().get_run(answer.stdout.strip()).info.status == "KILLED"


def test_a_terminal_and_its_shell_both_hang_up(script, tracking_uri: str) -> None:
    answer = script(
        "import stepwell, os, signal, time\nfrom stepwell.runs import active\n"
        "active._stop_monitor = lambda run: [os.kill(os.getpid(), signal.SIGHUP), time.sleep(0.1)]\n"
        "print(stepwell.start_run().info.run_id, flush=True)\nos.kill(os.getpid(), signal.SIGHUP)\ntime.sleep(10)"
    )
    assert answer.returncode == -signal.SIGHUP
    assert MlflowClient().get_run(answer.stdout.strip()).info.status == "KILLED"


def test_who_ignores_the_end_of_the_terminal_goes_on(script, tracking_uri: str) -> None:
    answer = script(
        "import stepwell, os, signal\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "print(stepwell.start_run().info.run_id, flush=True)\nos.kill(os.getpid(), signal.SIGHUP)\n"
        "stepwell.log_metric('x', 1)"
    )
    assert answer.returncode == 0
    run = MlflowClient().get_run(answer.stdout.strip())
    assert (run.info.status, run.data.metrics) == ("FINISHED", {"x": 1.0})


def test_the_programs_own_sigterm_handler_is_respected(script, tracking_uri: str) -> None:
    answer = script(
        "import stepwell, os, signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
        "print(stepwell.start_run().info.run_id, flush=True)\nos.kill(os.getpid(), signal.SIGTERM)"
    )
    assert answer.returncode == 7


class TestLogSeries:
    """Arrays of any kind, or a clear refusal."""

    def test_kinds(self, tracking_uri: str) -> None:
        import numpy as np

        with mlflow.start_run() as run:
            mlflow.log_series("list", [1, 2.5])
            mlflow.log_series(
                "numpy", np.array([1.5, np.nan], np.float32), steps=np.array([7, -7]), timestamps=[5, 6]
            )
            mlflow.log_series("empty", [])
            mlflow.log_series("one time", (1.0, 2.0), timestamps=99)
        history = mlflow.get_metric_history(run.info.run_id, "numpy")
        assert [(point.step, point.timestamp) for point in history] == [(7, 5), (-7, 6)]
        assert [point.step for point in mlflow.get_metric_history(run.info.run_id, "list")] == [0, 1]
        assert {point.timestamp for point in mlflow.get_metric_history(run.info.run_id, "one time")} == {99}
        assert mlflow.get_metric_history(run.info.run_id, "empty") == []

    @pytest.mark.parametrize(
        ("arguments", "complaint"),
        [
            ({"values": [[1.0]]}, "one-dimensional"),
            ({"values": ["a"]}, "numbers"),
            ({"values": [[1.0], [1.0, 2.0]]}, "numbers"),
            ({"values": [1.0], "timestamps": [[1], [1, 2]]}, "numbers"),
            ({"values": [b"1"]}, "numbers"),
            ({"values": [1.0], "steps": [1, 2]}, "same length"),
            ({"values": [1.0], "steps": [1.5]}, "whole numbers"),
            ({"values": [1.0], "timestamps": [-1]}, "at least 0"),
            ({"values": [1.0], "steps": [2**64 - 1]}, "64 bits"),
        ],
    )
    def test_refusals(self, tracking_uri: str, arguments: dict, complaint: str) -> None:
        with mlflow.start_run(), pytest.raises(mlflow.StepwellException, match=complaint) as caught:
            mlflow.log_series("x", **arguments)
        assert caught.value.error_code == "INVALID_PARAMETER_VALUE"
