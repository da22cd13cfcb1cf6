"""Sweeps: many runs of one entry point, each with parameters that Optuna chooses by what came of the ones before.

Trials are runs inside of the sweep's own run. Nothing else remembers them: a sweep that goes on reads them anew.
"""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from logging import getLogger
from pathlib import Path
from typing import Any

from stepwell import extras
from stepwell.client import StepwellClient
from stepwell.entities import PARENT_RUN_TAG, Run
from stepwell.errors import StepwellException, invalid, short
from stepwell.fluent import log_metrics, log_params, set_tags
from stepwell.projects.interrupts import HeldInterrupts
from stepwell.projects.running import Fetched, Wanted, prepare, prepare_again
from stepwell.projects.space import Space, read_space
from stepwell.projects.submitted import SubmittedRun
from stepwell.runs.active import ActiveRun, start_run

SAMPLERS = ("tpe", "random", "grid")
TRIAL_TAG, PRUNED_TAG, BEST_TAG = "stepwell.sweep.trial", "stepwell.sweep.pruned", "stepwell.sweep.bestRun"
# How often the trials that run are looked at.
LOOK_S = 0.5
# A sweep whose first trials all fail has a mistake, and not bad luck.
FAILURES_MAX = 3

_log = getLogger("stepwell")


@dataclass(slots=True)
class Outcome:
    """What came of a sweep: its run, its best trial, and how its trials ended."""

    run_id: str
    best_run_id: str | None = None
    best_value: float | None = None
    finished: int = 0
    pruned: int = 0
    failed: int = 0


@dataclass(slots=True)
class _Trial:
    asked: Any
    submitted: SubmittedRun
    pruned: bool = False
    reported_to: int | None = None


@short
def sweep(
    uri: str,
    entry_point: str = "main",
    *,
    space: str | Path,
    trials: int,
    parallel: int = 1,
    sampler: str = SAMPLERS[0],
    seed: int | None = None,
    prune: bool = False,
    parameters: Mapping[str, Any] | None = None,
    version: str | None = None,
    experiment_id: str | None = None,
    run_id: str | None = None,
    run_name: str | None = None,
    env_manager: str | None = None,
    storage_dir: str | None = None,
) -> Outcome:
    """Run an entry point of a project again and again, and look for the parameters with the best metric.

    Args:
        uri: the project, as for `run`.
        entry_point: what to run.
        space: a file that says which parameters to try, and by which metric (docs/projects.md).
        trials: how many in all, those of earlier attempts included; a grid ends earlier when it is done.
        parallel: how many at once.
        sampler: tpe, random or grid.
        seed: of the sampler.
        prune: stop trials whose metric is worse than the median of the earlier ones at the same step.
        parameters: the same for all trials.
        version: commit, branch or tag.
        experiment_id: where the runs go.
        run_id: a sweep to go on with: what is finished there is not run again.
        run_name: name of the sweep's run.
        env_manager: as for `run`.
        storage_dir: as for `run`.

    Raises:
        StepwellException: INVALID_STATE when the first trials all fail; INVALID_PARAMETER_VALUE and others, before
            anything runs.
    """
    with ExitStack() as resources:
        wanted = Wanted(uri, entry_point, version, None, storage_dir=storage_dir, env_manager=env_manager)
        sweeping = plan_sweep(wanted, space, sampler, seed, parameters or {}, resources)
        return sweeping.run(trials, parallel, experiment_id, run_id, run_name, prune=prune)


def plan_sweep(
    wanted: Wanted,
    space: str | Path,
    sampler: str,
    seed: int | None,
    parameters: Mapping[str, Any],
    resources: ExitStack,
) -> "Sweeping":
    """Check all that a sweep needs; nothing runs yet.

    Args:
        wanted: the project and its entry point.
        space: the file of the space.
        sampler: one of SAMPLERS.
        seed: of the sampler.
        parameters: the same for all trials.
        resources: gets what has to be given back.

    Raises:
        StepwellException: INVALID_PARAMETER_VALUE.
    """
    if sampler not in SAMPLERS:
        raise invalid(f"The sampler is one of {', '.join(SAMPLERS)}, not {sampler!r}.")
    extras.load("optuna", "A sweep", "sweeps")  # first of all: its extra brings what projects need, too
    read = read_space(Path(space))
    both = sorted(set(parameters) & set(read.distributions))
    if both:
        raise invalid(f"{', '.join(both)} cannot be given and be searched as well.")
    points = list(read.grid()) if sampler == "grid" else None
    some = points[0] if points else {name: _some(it) for name, it in read.distributions.items()}
    with ExitStack() as tried:
        # With any point: so what is missing or of a wrong type is said before the first trial.
        checked = Wanted(
            wanted.uri, wanted.entry_point, wanted.version, {**parameters, **some},
            storage_dir=wanted.storage_dir, env_manager=wanted.env_manager,
        )  # fmt: skip
        prepared = prepare(checked, tried)
        resources.push(tried.pop_all())
    return Sweeping(prepared.fetched, read, sampler, seed, dict(parameters), points)


@dataclass(slots=True)
class Sweeping:
    """A sweep that can run."""

    fetched: Fetched
    space: Space
    sampler: str
    seed: int | None
    parameters: Mapping[str, Any]
    points: list[dict[str, Any]] | None
    _running: list[_Trial] = field(default_factory=list)

    def preview(self, count: int) -> Iterator[str]:
        """Yield the commands of the first trials, as far as they do not hang on what comes of others."""
        study = self._study(0)
        for point in self.points[:count] if self.points is not None else [None] * count:
            with ExitStack() as resources:
                values = point or study.ask(dict(self.space.distributions)).params
                yield prepare_again(self.fetched, {**self.parameters, **values}, resources).command

    def run(
        self,
        trials: int,
        parallel: int,
        experiment_id: str | None = None,
        run_id: str | None = None,
        run_name: str | None = None,
        *,
        prune: bool = False,
    ) -> Outcome:
        """Run the trials that are left; arguments as for `sweep`."""
        if trials < 1 or parallel < 1:
            raise invalid("trials and parallel are to be at least 1.")
        self.fetched.plan.environment()
        tags = {**self.fetched.tags, "stepwell.sweep": "true"}
        with start_run(run_id, experiment_id, run_name, nested=True, tags=tags) as run:
            outcome = Outcome(run.info.run_id)
            done = self._done(outcome)
            study = self._study(len(done), prune=prune)
            for trial in done:
                study.add_trial(trial)
            if run_id is None:
                log_params({"sampler": self.sampler, "metric": self.space.metric, **self.parameters})
            try:
                self._search(study, run, outcome, trials, parallel)
            except BaseException:
                for each in self._running:
                    each.submitted.cancel()
                raise
            if outcome.best_run_id is not None:
                log_metrics({f"best_{self.space.metric}": float(outcome.best_value or 0.0)})
                set_tags({BEST_TAG: outcome.best_run_id})
            return outcome

    def _search(self, study: Any, run: ActiveRun, outcome: Outcome, trials: int, parallel: int) -> None:
        left = self._left(study, trials - outcome.finished - outcome.pruned)
        more = True
        while more or self._running:
            while more and len(self._running) < parallel:
                more = (asked := next(left, None)) is not None
                if more:
                    with HeldInterrupts() as held:
                        self._running.append(self._begin(asked, run, held))
            time.sleep(LOOK_S)
            for trial in list(self._running):
                if trial.submitted.get_status() != "RUNNING":
                    self._running.remove(trial)
                    self._tell(study, trial, outcome)
                elif study.pruner is not None and not trial.pruned:
                    self._look(trial)

    def _left(self, study: Any, count: int) -> Iterator[Any]:
        """Yield trials: asked for when they are wanted, so that they know what came of the others."""
        tried = [trial.params for trial in study.trials]
        points = None if self.points is None else iter([it for it in self.points if it not in tried])
        for _ in range(count):
            if points is not None:
                point = next(points, None)
                if point is None:
                    return
                study.enqueue_trial(point)
            yield study.ask(dict(self.space.distributions))

    def _begin(self, asked: Any, run: ActiveRun, held: HeldInterrupts) -> _Trial:
        with ExitStack() as resources:
            prepared = prepare_again(self.fetched, {**self.parameters, **asked.params}, resources)
            submitted = prepared.start(
                resources.pop_all(),
                held,
                run.info.experiment_id or None,
                tags={TRIAL_TAG: json.dumps(asked.params)},
            )
        return _Trial(asked, submitted)

    def _look(self, trial: _Trial) -> None:
        """Stop a trial that is worse than others were."""
        for step, value in self._values(trial.submitted.run_id):
            if trial.reported_to is None or step > trial.reported_to:
                trial.asked.report(value, step)
                trial.reported_to = step
        if trial.reported_to is not None and trial.asked.should_prune():
            trial.pruned = True
            StepwellClient().set_tag(trial.submitted.run_id, PRUNED_TAG, "true")
            trial.submitted.cancel()

    def _values(self, run_id: str) -> list[tuple[int, float]]:
        try:
            history = StepwellClient().get_metric_history(run_id, self.space.metric)
        except StepwellException as failure:
            _log.debug("The metric of run %s cannot be read now: %s", run_id, failure.message)
            return []
        return [(point.step, point.value) for point in history if point.step >= 0]

    def _tell(self, study: Any, trial: _Trial, outcome: Outcome) -> None:
        states = extras.load("optuna.trial", "A sweep", "sweeps").TrialState
        run_id = trial.submitted.run_id
        value = (
            self._value(StepwellClient().get_run(run_id))
            if trial.submitted.get_status() == "FINISHED"
            else None
        )
        if trial.pruned:
            outcome.pruned += 1
            study.tell(trial.asked, state=states.PRUNED)
        elif value is None:
            outcome.failed += 1
            study.tell(trial.asked, state=states.FAIL)
            if outcome.failed >= FAILURES_MAX and not outcome.finished and not outcome.pruned:
                raise StepwellException(
                    f"The first {outcome.failed} trials failed, or logged no {self.space.metric!r}; what they printed "
                    f"says why (run {run_id}).",
                    "INVALID_STATE",
                )
        else:
            study.tell(trial.asked, value)
            self._count(outcome, run_id, value)
        _log.info("Trial %s: %s = %s", run_id, self.space.metric, value)

    def _count(self, outcome: Outcome, run_id: str, value: float) -> None:
        outcome.finished += 1
        sign = 1 if self.space.goal == "minimize" else -1
        if outcome.best_value is None or sign * value < sign * outcome.best_value:
            outcome.best_value, outcome.best_run_id = value, run_id

    def _value(self, run: Run) -> float | None:
        value = run.data.metrics.get(self.space.metric)
        return None if value is None or value != value else value  # NaN is no result

    def _done(self, outcome: Outcome) -> list[Any]:
        """Return what earlier attempts of the sweep have finished."""
        optuna = extras.load("optuna", "A sweep", "sweeps")
        found, token = [], None
        while True:
            condition = f"tags.`{PARENT_RUN_TAG}` = '{outcome.run_id}'"
            page = StepwellClient().search_runs(None, condition, page_token=token)
            for run in page:
                params = _trial_of(run)
                if params is None or set(params) != set(self.space.distributions):
                    continue
                value = self._value(run) if run.info.status == "FINISHED" else None
                if value is None and PRUNED_TAG not in run.data.tags:
                    continue
                if value is None:
                    outcome.pruned += 1
                else:
                    self._count(outcome, run.info.run_id, value)
                state = (
                    optuna.trial.TrialState.COMPLETE if value is not None else optuna.trial.TrialState.PRUNED
                )
                distributions = dict(self.space.distributions)
                found.append(
                    optuna.trial.create_trial(
                        state=state, value=value, params=params, distributions=distributions
                    )
                )
            token = page.token
            if token is None:
                return found

    def _study(self, done: int, *, prune: bool = False) -> Any:
        optuna = extras.load("optuna", "A sweep", "sweeps")
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        # A sweep that goes on does not draw again what it drew before.
        seed = None if self.seed is None else self.seed + done
        sampler = (
            optuna.samplers.TPESampler(seed=seed)
            if self.sampler == "tpe"
            else optuna.samplers.RandomSampler(seed)
        )
        pruner = optuna.pruners.MedianPruner() if prune else optuna.pruners.NopPruner()
        return optuna.create_study(direction=self.space.goal, sampler=sampler, pruner=pruner)


def _trial_of(run: Run) -> dict[str, Any] | None:
    try:
        found = json.loads(run.data.tags.get(TRIAL_TAG, "null"))
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _some(distribution: Any) -> Any:
    return distribution.choices[0] if hasattr(distribution, "choices") else distribution.low
