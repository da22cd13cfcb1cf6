"""Answers are paged or cut by encoded bytes; what could never be read back is refused when it is written."""

from collections.abc import AsyncIterator
from uuid import uuid4

import grpc.aio
import pytest

from stepwell.wire import messages
from stepwell_api.v1 import ingest_pb2, runs_pb2, search_pb2
from stepwell_api.v1.ingest_pb2_grpc import IngestServiceStub
from stepwell_api.v1.runs_pb2_grpc import ExperimentServiceStub, RunServiceStub
from stepwell_api.v1.search_pb2_grpc import SearchServiceStub
from stepwell_server.app import RunningServer
from stepwell_server.config import SEND_BYTES_MAX
from stepwell_server.model.runs import EXPERIMENT_TAGS_BYTES_MAX
from tests.harness.calls import invalid
from tests.harness.network.rest import Rest

LONG = "🌊" * 5_000  # 20,000 bytes


@pytest.fixture
async def wide(server: RunningServer) -> AsyncIterator[grpc.aio.Channel]:
    """A channel that takes what our own client takes."""
    options = [("grpc.max_receive_message_length", SEND_BYTES_MAX)]
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}", options) as channel:
        yield channel


async def log(channel: grpc.aio.Channel, *batches: list[ingest_pb2.Entry], experiment_id: int = 0) -> str:
    """Log entries to a new run; returns its id."""
    run_id = uuid4().hex
    spec = runs_pb2.RunSpec(run_id=run_id, experiment_id=experiment_id, start_time_ms=1)
    opening = ingest_pb2.OpenWriter(run=spec, writer_id=uuid4().hex)
    stream = IngestServiceStub(channel).Stream()
    await stream.write(ingest_pb2.StreamRequest(open=opening))
    await stream.read()
    position = 0
    for entries in batches:
        end = position + len(entries)
        for number, entry in enumerate(entries):
            entry.position = position + number
        batch = ingest_pb2.Batch(first_position=position, end_position=end, entries=entries)
        await stream.write(ingest_pb2.StreamRequest(batch=batch))
        answer = await stream.read()
        assert (answer.committed.position, list(answer.committed.rejected)) == (end, [])
        position = end
    await stream.done_writing()
    return run_id


def params(first: int, count: int, value: str) -> list[ingest_pb2.Entry]:
    numbers = range(first, first + count)
    return [ingest_pb2.Entry(param=runs_pb2.Param(key=f"p{number:05}", value=value)) for number in numbers]


async def whole(runs: RunServiceStub, run: runs_pb2.Run) -> tuple[dict[str, str], dict[str, str], int]:
    """Return all params and tags, and the number of metrics, page by page."""
    found = messages.run(run)
    all_params, all_tags, metrics = dict(found.data.params), dict(found.data.tags), set(found.data.metrics)
    token = run.rest_token
    while token:
        request = runs_pb2.GetRunRequest(run_id=run.info.run_id, rest_token=token)
        part = (await runs.GetRun(request)).run
        all_params |= {it.key: it.value for it in part.params}
        all_tags |= {it.key: it.value for it in part.tags}
        metrics |= {it.key for it in part.metrics}
        token = part.rest_token
    return all_params, all_tags, len(metrics)


@pytest.mark.parametrize(("count", "value"), [(12_000, "v" * 100), (1_200, "🌊" * 1_500)])
async def test_a_run_of_any_size_is_read_back(
    server: RunningServer, wide: grpc.aio.Channel, count: int, value: str
) -> None:
    runs = RunServiceStub(wide)
    batches = [params(first, min(1_000, count - first), value) for first in range(0, count, 1_000)]
    tag = ingest_pb2.Entry(tag=runs_pb2.Tag(key="t", value="x"))
    run_id = await log(wide, *batches, [tag])
    wanted = {f"p{number:05}": value for number in range(count)}
    got = (await runs.GetRun(runs_pb2.GetRunRequest(run_id=run_id))).run
    assert got.rest_token
    found, tags, _ = await whole(runs, got)
    assert found == wanted
    assert tags["t"] == "x"
    # A second rank opens it, a search finds it, and MLflow's clients read it.
    again = await runs.CreateRun(runs_pb2.CreateRunRequest(spec=runs_pb2.RunSpec(run_id=run_id)))
    assert not again.created
    assert (await whole(runs, again.run))[0] == wanted
    page = await SearchServiceStub(wide).SearchRuns(search_pb2.SearchRunsRequest(experiment_ids=[0]))
    assert (await whole(runs, page.runs[0]))[0] == wanted
    answer = await Rest(server.http_url).get("runs/get", run_id=run_id)
    assert {it["key"]: it["value"] for it in answer["run"]["data"]["params"]} == wanted


async def test_a_token_that_somebody_made_up_is_refused(wide: grpc.aio.Channel) -> None:
    run_id = await log(wide)
    for token in ("x", "W10=", "WyJNRVRSSUNTIiwgImEiXQ==", "WyJQQVJBTVMiLCAiXHUwMDAwIl0="):
        async with invalid("the token"):
            await RunServiceStub(wide).GetRun(runs_pb2.GetRunRequest(run_id=run_id, rest_token=token))


async def test_pages_of_searches_are_cut_by_encoded_bytes(wide: grpc.aio.Channel) -> None:
    entries = [
        [ingest_pb2.Entry(tag=runs_pb2.Tag(key=f"t{number}", value=LONG)) for number in range(50)]
        for _ in range(12)
    ]
    logged = {await log(wide, tags) for tags in entries}
    found: list[str] = []
    token = ""
    while True:
        request = search_pb2.SearchRunsRequest(experiment_ids=[0], page_size=1_000, page_token=token)
        page = await SearchServiceStub(wide).SearchRuns(request)
        assert page.ByteSize() < SEND_BYTES_MAX
        found += [run.info.run_id for run in page.runs]
        token = page.next_page_token
        if not token:
            break
    assert len(found) == len(logged) == 12
    assert set(found) == logged


async def test_tags_of_experiments_fit_into_an_answer(wide: grpc.aio.Channel) -> None:
    stub = ExperimentServiceStub(wide)
    tags = [runs_pb2.Tag(key=f"t{number}", value=LONG) for number in range(90)]
    async with invalid("2,097,152"):
        many = [runs_pb2.Tag(key=f"t{number}", value=LONG) for number in range(120)]
        await stub.CreateExperiment(runs_pb2.CreateExperimentRequest(name="too large", tags=many))
    for number in range(9):
        created = await stub.CreateExperiment(
            runs_pb2.CreateExperimentRequest(name=f"large {number}", tags=tags)
        )
    async with invalid("2,097,152"):
        more = [runs_pb2.Tag(key=f"u{number}", value=LONG) for number in range(20)]
        experiment_id = created.experiment.experiment_id
        await stub.UpdateExperiment(runs_pb2.UpdateExperimentRequest(experiment_id=experiment_id, tags=more))
    assert EXPERIMENT_TAGS_BYTES_MAX == 2_097_152
    listed: list[str] = []
    token = ""
    while True:
        page = await stub.ListExperiments(runs_pb2.ListExperimentsRequest(page_token=token))
        listed += [it.name for it in page.experiments]
        token = page.next_page_token
        if not token:
            break
    searched: list[str] = []
    while True:
        request = search_pb2.SearchExperimentsRequest(page_token=token)
        page = await SearchServiceStub(wide).SearchExperiments(request)
        searched += [it.name for it in page.experiments]
        token = page.next_page_token
        if not token:
            break
    assert listed == searched == [*(f"large {number}" for number in reversed(range(9))), "Default"]


async def test_many_large_data_sets_leave_a_run_readable(wide: grpc.aio.Channel) -> None:
    runs = RunServiceStub(wide)
    run_id = await log(wide)
    for number in range(6):
        dataset = runs_pb2.Dataset(
            name=f"d{number}", digest=uuid4().hex, schema="x" * 1_000_000, profile="y" * 700_000
        )
        await runs.LogInputs(
            runs_pb2.LogInputsRequest(run_id=run_id, inputs=[runs_pb2.DatasetInput(dataset=dataset)])
        )
    for number in range(9):
        inputs = [
            runs_pb2.DatasetInput(dataset=runs_pb2.Dataset(name=f"e{number} {it}" + "n" * 400, digest="d"))
            for it in range(1_000)
        ]
        await runs.LogInputs(runs_pb2.LogInputsRequest(run_id=run_id, inputs=inputs))
    run = (await runs.GetRun(runs_pb2.GetRunRequest(run_id=run_id))).run
    assert [it.dataset.name for it in run.inputs][:6] == [f"d{number}" for number in range(6)]
