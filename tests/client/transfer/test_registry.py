"""The registry in exports: it comes back with all that it said, once, and is not mixed with another."""

import uuid
from pathlib import Path

import pytest

import stepwell
from stepwell import StepwellClient
from stepwell.logged_models import saving
from tests.harness.servers.processes import ServerProcess
from tests.harness.transfers import imported, run_export


@pytest.fixture
def source(shared_server: ServerProcess) -> StepwellClient:
    return StepwellClient(shared_server.tracking_uri, shared_server.tracking_uri)


def registered(source: StepwellClient, folder: Path, name: str) -> tuple[str, str]:
    """A registered model of four versions, of which one is deleted; returns the run, and the logged model of one."""
    run_id = source.create_run(source.create_experiment(f"of {name}")).info.run_id
    (folder / "made").mkdir(exist_ok=True)
    (folder / "made" / "MLmodel").write_text("flavors: {}")
    logged = saving.save_folder(source.tracking_uri, folder / "made", name="m", run_id=run_id)
    source.log_text(run_id, "flavors: {}", "own/MLmodel")
    source.create_registered_model(name, {"team": "it's"}, "described", custom_stages=["Shadow"])
    for uri in (f"runs:/{run_id}/m", f"runs:/{run_id}/own", "s3://bucket/m", "s3://bucket/gone"):
        source.create_model_version(name, uri, tags={"from": uri}, description=uri)
    source.delete_model_version(name, 4)
    source.transition_model_version_stage(name, 1, "Production", comment="why not")
    source.transition_model_version_stage(name, 3, "shadow")
    source.set_registered_model_alias(name, "champion", 2)
    return run_id, logged.model_id


def test_the_registry_comes_back_as_it_was(
    client: StepwellClient, source: StepwellClient, tmp_path: Path
) -> None:
    name = f"it's {uuid.uuid4().hex}"
    run_id, model_id = registered(source, tmp_path, name)
    out = str(tmp_path / "out")
    told = run_export(out, "--tracking-uri", source.tracking_uri, "--run-id", run_id, "--with-artifacts")
    assert "3 registered versions" in told
    report = imported("export", out)
    assert (report["model_versions"], report["rejected"]) == (3, 0)

    there, here = source.get_registered_model(name), client.get_registered_model(name)
    for field in ("description", "tags", "aliases", "custom_stages", "creation_timestamp"):
        assert getattr(here, field) == getattr(there, field)
    for number in (1, 2, 3):
        theirs, ours = source.get_model_version(name, number), client.get_model_version(name, number)
        for field in (
            "current_stage",
            "description",
            "run_id",
            "user_id",
            "tags",
            "creation_timestamp",
            "aliases",
        ):
            assert getattr(ours, field) == getattr(theirs, field)
    assert client.get_model_version(name, 1).model_id == model_id
    for number in (1, 2):
        path = stepwell.artifacts.download_artifacts(f"models:/{name}/{number}/MLmodel")
        assert Path(path).read_text() == "flavors: {}"
    assert client.create_model_version(name, "s3://bucket/m").version == 4

    before = source.registry_changes(name, after=0, max_results=1_000)
    after = client.registry_changes(name, after=0, max_results=1_000)
    said = [(it.timestamp, it.kind, it.version, it.before, it.after, it.user, it.comment) for it in before]
    came = [it for it in after if it.imported]
    assert [
        (it.timestamp, it.kind, it.version, it.before, it.after, it.user, it.comment) for it in came
    ] == said
    assert after[: len(came)] == came
    assert {it.comment for it in after if not it.imported} == {"imported", ""}


def test_an_import_that_is_repeated_adds_what_is_new(
    client: StepwellClient, source: StepwellClient, tmp_path: Path
) -> None:
    name = f"again {uuid.uuid4().hex}"
    run_id, _ = registered(source, tmp_path, name)
    for number, new in ((1, 3), (2, 1)):
        out = str(tmp_path / f"out {number}")
        run_export(out, "--tracking-uri", source.tracking_uri, "--run-id", run_id, "--with-artifacts")
        for again in (new, 0):
            report = imported("export", out)
            assert (report["model_versions"], report["rejected"]) == (again, 0)
        client.update_registered_model(name, "changed here")
        source.create_model_version(name, f"runs:/{run_id}/own")
    assert client.get_registered_model(name).description == "changed here"
    assert client.get_model_version(name, 5).run_id == run_id
    # Also back to where it came from.
    report = imported("export", out, "--tracking-uri", source.tracking_uri)
    assert (report["model_versions"], report["rejected"]) == (0, 0)


@pytest.mark.parametrize("versions", [["s3://bucket/another"], ["s3://a/b"] * 5])
def test_another_model_of_the_name_is_left_alone(
    client: StepwellClient, source: StepwellClient, tmp_path: Path, versions: list[str]
) -> None:
    name = f"taken {uuid.uuid4().hex}"
    run_id, _ = registered(source, tmp_path, name)
    out = str(tmp_path / "out")
    run_export(out, "--tracking-uri", source.tracking_uri, "--run-id", run_id, "--with-artifacts")
    client.create_registered_model(name)
    for uri in versions:
        client.create_model_version(name, uri)
    report = imported("export", out)
    assert (report["model_versions"], report["rejected"]) == (0, 1)
    assert f"registered model {name!r}: there is another registered model" in report["reasons"][0]
    assert len(client.search_model_versions(f"name = '{name}'")) == len(versions)
    assert client.get_registered_model(name).aliases == {}


def test_all_experiments_bring_the_whole_registry(
    client: StepwellClient, server_process: ServerProcess, tmp_path: Path
) -> None:
    client.create_registered_model("of no run")
    client.create_model_version("of no run", "s3://bucket/m")
    assert "1 registered versions" in run_export(str(tmp_path / "all"), "--all-experiments")
    run_id = client.create_run("0").info.run_id
    assert "registered" not in run_export(str(tmp_path / "one"), "--run-id", run_id)
