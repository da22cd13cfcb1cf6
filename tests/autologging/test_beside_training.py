"""What a fit leaves for later: the call waits for nobody, and what is logged is what was there when it ended."""

from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import stepwell
from stepwell import StepwellClient, beside
from stepwell.autologging.sklearn.twins import twin_of
from stepwell.delivery import writer_log
from stepwell.wire import background
from stepwell.wire.calls import Calls
from tests.autologging.logged import run_of, runs_of
from tests.autologging.test_worker_processes import run_script
from tests.harness.network.faults import until
from tests.harness.servers.processes import ServerProcess

pytestmark = pytest.mark.filterwarnings("ignore")

ROWS = pd.DataFrame({"width": [0.0, 1.0, 2.0, 4.0, 1.5, 3.0], "height": [1.0, 0.0, 3.0, 1.0, 2.5, 3.0]})
TARGETS = np.array([0.5, 1.0, 2.0, 3.5, 1.0, 2.5])
LABELS = np.array([0, 0, 1, 1, 0, 1])


@pytest.fixture
def created(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ids of the runs whose creation a call waited for."""
    ids: list[str] = []
    create = Calls.create_run

    def noting(self: Calls, spec: Any, *awaited: Any) -> Any:
        ids.append(spec.run_id)
        return create(self, spec, *awaited)

    monkeypatch.setattr(Calls, "create_run", noting)
    return ids


class Curious(Ridge):
    """Looks at its run while it is fitted."""

    def _validate_params(self) -> None:
        self.run_ = stepwell.active_run()


def test_the_second_run_of_an_experiment_is_not_waited_for(experiment: str, created: list[str]) -> None:
    stepwell.sklearn.autolog(log_models=False, extra_tags={"team": "blue"})
    models = [Curious().fit(ROWS, TARGETS) for _ in range(2)]
    assert created == [models[0].run_.info.run_id]
    for model, found in zip(models, runs_of(experiment), strict=True):
        begun = model.run_
        assert found.info.status == "FINISHED"
        assert found.data.tags["team"] == "blue"
        assert {**vars(begun.info), "status": "", "end_time": 0} == {
            **vars(found.info),
            "status": "",
            "end_time": 0,
        }
        assert begun.data.tags.items() <= found.data.tags.items()


class Reading(Ridge):
    """Reads its run, and gives it a file, while it is fitted."""

    def _validate_params(self) -> None:
        run = stepwell.active_run()
        assert run is not None
        self.status_ = stepwell.get_run(run.info.run_id).info.status
        stepwell.log_text("within", "within.txt")


def test_a_run_that_was_not_waited_for_can_be_read_at_once(experiment: str, created: list[str]) -> None:
    stepwell.sklearn.autolog(log_models=False)
    models = [Reading().fit(ROWS, TARGETS) for _ in range(2)]
    assert [model.status_ for model in models] == ["RUNNING", "RUNNING"]
    assert len(created) == 1
    for run in runs_of(experiment):
        assert stepwell.artifacts.load_text(f"runs:/{run.info.run_id}/within.txt") == "within"


def test_the_delivery_of_a_short_fit_begins_when_somebody_waits(
    experiment: str, created: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_log, "BEGINS_LATER_S", 3_600.0)
    monkeypatch.setattr(background, "_later", deque())
    stepwell.sklearn.autolog(log_models=False)
    with beside.training():  # what hurries at the end of a fit is put off
        models = [Curious().fit(ROWS, TARGETS) for _ in range(2)]
        logs = [model.run_.writer.log() for model in models]
        client = StepwellClient()
        client.log_param(client.create_run(experiment).info.run_id, "hasty", 1, synchronous=True)
        assert [log.delivery.position for log in logs] == [0, 0]
        assert all(log.spool.end_position() for log in logs)
    assert stepwell.flush().waiting == 0
    found = [stepwell.get_run(model.run_.info.run_id).info.status for model in models]
    assert found == ["FINISHED", "FINISHED"]


class Patient(Ridge):
    """Is fitted until its server knows of its run, for which nobody here asks."""

    def _validate_params(self) -> None:
        run = stepwell.active_run()
        assert run is not None
        until(lambda: Calls(run.writer.uri).get_run(run.info.run_id).data.params)


def test_the_run_of_a_long_fit_is_there_before_its_end(experiment: str) -> None:
    stepwell.sklearn.autolog(log_models=False)
    Patient().fit(ROWS, TARGETS)


MANY = """
import resource
import numpy as np
import stepwell
from sklearn.linear_model import Ridge
from stepwell import beside

resource.setrlimit(resource.RLIMIT_NOFILE, (640, 640))
beside.PUT_OFF_S = 600
stepwell.sklearn.autolog(log_models=False)
with beside.training():
    for _ in range(150):
        Ridge().fit(np.eye(3), np.arange(3.0))
"""


def test_many_fits_in_a_row_do_not_hold_all_files_open(
    tmp_path: Path, shared_server: ServerProcess, experiment: str
) -> None:
    run_script(tmp_path, shared_server, experiment, MANY)
    statuses = [run.info.status for run in StepwellClient().search_runs([experiment])]
    assert statuses == ["FINISHED"] * 150


def test_an_experiment_that_was_deleted_meanwhile(experiment: str, caplog: pytest.LogCaptureFixture) -> None:
    stepwell.sklearn.autolog(log_models=False)
    LinearRegression().fit(ROWS, TARGETS)
    beside.wait()
    StepwellClient().delete_experiment(experiment)
    model = LinearRegression().fit(ROWS, TARGETS)
    assert model.coef_.shape == (2,)
    beside.wait()
    assert "deleted" in caplog.text


@pytest.mark.parametrize("kind", [pd.DataFrame, np.array])
def test_what_changes_after_the_fit_changes_nothing(experiment: str, kind: Any) -> None:
    stepwell.sklearn.autolog(log_models=False)
    rows, labels, weights = kind(ROWS.copy()), LABELS.copy(), np.linspace(1, 2, 6)
    model = LogisticRegression()
    with beside.training():  # nothing is asked before
        model.fit(rows, labels, sample_weight=weights)
        expected = model.score(ROWS if kind is pd.DataFrame else ROWS.to_numpy(), LABELS, weights)
        model.coef_[:] = -model.coef_
        rows[:] = 0
        labels[:], weights[:] = 1, 0
    metrics = run_of(experiment).data.metrics
    assert metrics["training_score"] == pytest.approx(expected)
    assert metrics["training_roc_auc"] > 0.5


@pytest.mark.parametrize(
    "model",
    [LogisticRegression(), GaussianNB(), SVC(), make_pipeline(StandardScaler(), LogisticRegression())],
)
def test_a_twin_answers_the_same_and_shares_nothing_that_changes(model: Any) -> None:
    model.fit(ROWS, LABELS)
    twin = twin_of(model)
    assert type(twin) is type(model)
    expected = model.predict(ROWS)
    model.fit(ROWS * 3, 1 - LABELS)
    for part in getattr(model, "steps", [("", model)]):
        for value in vars(part[1]).values():
            if isinstance(value, np.ndarray) and value.dtype.kind == "f":
                value[:] = np.nan
    np.testing.assert_array_equal(twin.predict(ROWS), expected)


class OfTheUser(LogisticRegression):
    """May do anything when it is asked."""


def test_what_is_not_known_to_be_plain_has_no_twin() -> None:
    by_chance = DummyClassifier(strategy="uniform")
    for model in (
        RandomForestClassifier(3),
        OfTheUser(),
        by_chance,
        make_pipeline(StandardScaler(), by_chance),
    ):
        assert twin_of(model.fit(ROWS, LABELS)) is None
    large = LinearRegression().fit(ROWS, TARGETS)
    large.coef_ = np.zeros(2**18)
    assert twin_of(large) is None
    large.coef_ = [0.0] * 3_000
    assert twin_of(large) is None
