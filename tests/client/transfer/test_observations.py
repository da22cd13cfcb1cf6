"""Histograms and alerts in exports: they come along, once, and what is damaged is told."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
import pytest

from stepwell import StepwellClient
from stepwell.entities import Histogram
from stepwell.reading import observed
from stepwell.reading.observed import Observed
from tests.harness.servers.processes import ServerProcess
from tests.harness.transfers import run_export, run_import

STEPS = 23


def alerts_of(client: StepwellClient, run_id: str) -> list[tuple[str, str, str, int]]:
    """The alerts of a run, the latest first."""
    return [(it.title, it.text, it.level, it.timestamp) for it in client.list_alerts(run_id)]


def histograms_of(client: StepwellClient, run_id: str) -> dict[str, list[Histogram]]:
    """The histograms of a run."""
    return {key: client.get_histograms(run_id, key) for key in client.histogram_keys(run_id)}


@pytest.fixture
def run_id(shared_server: ServerProcess) -> str:
    """A run with histograms and alerts, on the server that is exported from."""
    source = StepwellClient(shared_server.tracking_uri)
    run_id = source.create_run("0").info.run_id
    for step in range(STEPS):
        source.log_histogram(run_id, "weights/first", np.arange(10) / (step + 1), step=step * 3 - 20, bins=7)
    source.log_histogram(run_id, "counted", counts=[1, 0, 7], edges=[0, 1, 10, 100], step=2**40, timestamp=17)
    source.log_histogram(run_id, "counted", [1.0, np.nan, np.inf], step=0, bins=2)
    for title in ("hot", "hot", "größe"):
        source.alert(run_id, title, "one\ntwo", "ERROR")
    source.flush()
    return run_id


def test_histograms_and_alerts_come_along_once(
    run_id: str,
    client: StepwellClient,
    shared_server: ServerProcess,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(observed, "PAGE_SIZE", 4)
    source, folder = StepwellClient(shared_server.tracking_uri), str(tmp_path / "out")
    said = run_export(folder, "--tracking-uri", shared_server.tracking_uri, "--run-id", run_id)
    assert f"{STEPS + 2} histograms, 3 alerts" in said
    assert f"{STEPS + 2} new histograms, 3 new alerts; 0 left out" in run_import("export", folder)
    assert histograms_of(client, run_id) == histograms_of(source, run_id)
    assert alerts_of(client, run_id) == alerts_of(source, run_id)
    again = run_import("export", folder)
    assert "new histograms" not in again
    assert "new alerts" not in again
    assert len(client.list_alerts(run_id)) == 3


def test_a_histogram_that_is_later_here_stays(
    run_id: str, client: StepwellClient, shared_server: ServerProcess, tmp_path: Path
) -> None:
    source = StepwellClient(shared_server.tracking_uri)
    uri = ("--tracking-uri", shared_server.tracking_uri)
    run_export(str(tmp_path / "first"), *uri, "--run-id", run_id)
    source.log_histogram(run_id, "counted", [1.0, 2.0], step=2**40, bins=3)
    source.alert(run_id, "cold")
    source.flush()
    run_export(str(tmp_path / "second"), *uri, "--run-id", run_id)
    run_import("export", str(tmp_path / "second"))
    assert "new" not in run_import("export", str(tmp_path / "first")).replace("0 new", "")
    assert histograms_of(client, run_id) == histograms_of(source, run_id)
    assert alerts_of(client, run_id)[0][0] == "cold"


def test_what_is_damaged_is_told_and_the_rest_comes(
    run_id: str, client: StepwellClient, shared_server: ServerProcess, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    run_export(str(folder), "--tracking-uri", shared_server.tracking_uri, "--run-id", run_id)
    for name, field, value in (("histograms", "edges", [1.0]), ("alerts", "level", "LOUD")):
        path = folder / f"{name}.parquet"
        table = parquet.read_table(path)
        rows = table.to_pylist()
        rows[0][field] = value
        parquet.write_table(table.from_pylist(rows, schema=table.schema), path)
    said = run_import("export", str(folder), left=True)
    assert f"{STEPS + 1} new histograms, 2 new alerts; 2 left out" in said
    assert "edges" in said
    assert "LOUD" in said
    (folder / "histograms.parquet").write_bytes(b"PAR1 or not")
    assert "histograms.parquet cannot be read" in run_import("export", str(folder), left=True)


def test_a_run_without_any_has_no_files(client: StepwellClient, tmp_path: Path) -> None:
    run_id = client.create_run("0").info.run_id
    run_export(str(tmp_path / "out"), "--run-id", run_id)
    assert not {"histograms.parquet", "alerts.parquet"} & {it.name for it in (tmp_path / "out").iterdir()}
    assert list(Observed(client.tracking_uri).every_histogram(run_id, "none")) == []
