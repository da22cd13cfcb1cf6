"""Artifacts of MLflow's stores, wherever they are: what may not be read stays where it is."""

import uuid
from pathlib import Path

from stepwell import StepwellClient
from tests.harness.mlflow_stores import Store, database_of, in_meta
from tests.harness.transfers import artifacts_of, imported, run_import


def test_artifacts_elsewhere_need_to_be_allowed(client: StepwellClient, store: Store, tmp_path: Path) -> None:
    outside = tmp_path / "elsewhere"
    outside.mkdir()
    (outside / "key").write_text("secret")
    places = [str(outside), f"file://{outside}", f"file://{store.folder}/../elsewhere"]
    for run, place in zip(store.runs, places, strict=True):
        (run / "artifacts" / "notes.txt").unlink()
        in_meta(f"artifact_uri: {run}/artifacts", f"artifact_uri: {place}")(run)
    report = imported("mlflow", str(store.folder))
    assert (report["runs"], report["artifacts"], report["rejected"]) == (3, 0, 3)
    assert all(f"--allow-outside {outside}" in reason for reason in report["reasons"])
    assert "3 new artifacts" in run_import("mlflow", str(store.folder), "--allow-outside", str(outside))


def test_artifacts_that_are_not_beside_their_run(
    client: StepwellClient, store: Store, tmp_path: Path
) -> None:
    """MLflow makes the folder `artifacts` also when they go elsewhere; and whole stores are moved."""
    places = [
        f"s3://bucket/{store.experiment.name}/{{}}/artifacts",
        f"{tmp_path}/art/{store.experiment.name}/{{}}/artifacts",
        f"/where/it/was/mlruns/{store.experiment.name}/{{}}/artifacts",
    ]
    for run, place in zip(store.runs, places, strict=True):
        (run / "artifacts" / "notes.txt").unlink()
        in_meta(f"artifact_uri: {run}/artifacts", f"artifact_uri: {place.format(run.name)}")(run)
    elsewhere = Path(places[1].format(store.runs[1].name))
    elsewhere.mkdir(parents=True)
    (elsewhere / "model.txt").write_text("weights")
    report = imported("mlflow", str(store.folder))
    assert (report["artifacts"], report["rejected"]) == (0, 2)
    assert "s3://bucket" in report["reasons"][0]
    assert f"--allow-outside {elsewhere}" in report["reasons"][1]
    served = [
        f"artifact_uri: {places[0].format(store.runs[0].name)}",
        "artifact_uri: mlflow-artifacts:/0/a/artifacts",
    ]
    in_meta(*served)(store.runs[0])
    (tmp_path / "art" / "0" / "a" / "artifacts").mkdir(parents=True)
    (tmp_path / "art" / "0" / "a" / "artifacts" / "a.txt").write_text("words")
    assert "2 new artifacts" in run_import("mlflow", str(store.folder), "--artifacts", str(tmp_path / "art"))


def test_links_within_the_store_are_followed(client: StepwellClient, store: Store, tmp_path: Path) -> None:
    (store.runs[0] / "artifacts" / "other.txt").symlink_to(store.runs[1] / "artifacts" / "notes.txt")
    (store.runs[0] / "artifacts" / "latest").symlink_to("../../../100000000000000001")
    run_import("mlflow", str(store.folder), left=True)  # the folder around it
    found = artifacts_of(client, store.runs[0].name, tmp_path / "back")
    assert found["other.txt"] == "of 1"
    assert (
        len([path for path in found if path.startswith("latest/") and path.endswith("artifacts/notes.txt")])
        >= 2
    )


def test_artifacts_of_a_database_that_are_out_of_reach_are_named(
    client: StepwellClient, tmp_path: Path
) -> None:
    beside = tmp_path / "mlruns" / "1" / "a" / "artifacts"
    beside.mkdir(parents=True)
    (beside / "a.txt").write_text("words")
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "key").write_text("secret")
    places = {
        "./mlruns/1/a/artifacts": "",
        f"file://{tmp_path}/mlruns/1/gone/artifacts": "",  # nothing was ever logged there
        "": "",
        f"{tmp_path}/private": "--allow-outside",
        "./mlruns/../private": "--allow-outside",
        "mlflow-artifacts:/../../private": "import from MLflow's server",
        "file:///C:/Users/ada/mlruns/1/x/artifacts": "there is no folder",
        "/home/nobody at all/mlruns/1/x/artifacts": "there is no folder",
        "s3://bucket/1/x/artifacts": "s3://bucket/1/x/artifacts",
    }
    ids = [uuid.uuid4().hex for _ in places]
    database_of(tmp_path / "mlflow.db", list(zip(ids, places, strict=True)))
    report = imported("mlflow", str(tmp_path / "mlflow.db"))
    assert (report["runs"], report["artifacts"], report["rejected"]) == (9, 1, 6)
    for run_id, said in zip(ids, places.values(), strict=True):
        told = [reason for reason in report["reasons"] if run_id in reason]
        assert len(told) == bool(said)
        assert not said or said in told[0]
    served = tmp_path / "mlruns" / "1"
    report = imported("mlflow", str(tmp_path / "mlflow.db"), "--artifacts", str(served))
    assert f"--allow-outside {tmp_path}/private" in next(it for it in report["reasons"] if ids[5] in it)
