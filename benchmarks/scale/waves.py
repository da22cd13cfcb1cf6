"""How the debt of compaction swings, worked out by a seeded simulation: rounds, what is due in them, and the pace.

Writers log in step, ten metrics each, so all series get a chunk at the same time: one for what they log, or one for
what gathered where commits are slowed. Each range remembers when it was done, and what its series have left; servers
take the range that waits longest, and share the cores that commits leave them. Costs are those that `debt` measured;
now and then the machine is slower for a while, as where vacuum or a checkpoint runs. What a merge does to PostgreSQL's
memory is not played.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from stepwell_server.store.ingest.pressure import PACE_S
from stepwell_server.store.upkeep.compactor import BEHIND_S, REST_RATIO, REST_RATIO_BEHIND, ROUND_PAUSE_S
from stepwell_server.store.upkeep.looking import SETTLE_S
from stepwell_server.store.upkeep.ranges import OVERDUE_PAUSES, RANGES

METRICS = 10
CORES = 2.0
LOGGING_CORES = 0.45  # who logs, on the same machine
COMES_CORE_S = 8.5e-6  # of a chunk
MERGED_CORE_S = 18e-6  # of a chunk that is merged
MERGE_CORE_S = 60e-6
LOOK_CORE_S = 0.02  # of a range where nothing is due
STEP_CORE_S = 0.15
# What takes longer for some seconds, by how much.
SLOWNESS = (0.9, 1.0, 1.0, 1.3)
SLOW_S = (20.0, 60.0)
TICK_S = 0.1
LOOK_S = 1.0
PLAYED_S = 1_200.0
# Until the first rounds have found their length.
WARM_S = 400.0
# Writers, how often they log, and whether all series were merged at the same time.
PLAYED = ((4_000, 1.0, False), (4_000, 1.0, True), (2_560, 0.5, False), (832, 0.2, False))


@dataclass(frozen=True, slots=True)
class Waves:
    """Who logs how often, on so many servers, and what is tried: see `plan` and `pressure`."""

    writers: int
    interval_s: float
    servers: int
    fresh_chunks_max: int
    behind_s: Sequence[float]
    paces_s: Sequence[float]
    in_step: bool


@dataclass(slots=True)
class _Server:
    """What it is at: a range and its due series, work that is left of that and of the step, until when it rests."""

    range: int | None = None
    due: Any = None
    settled: Any = None
    left_s: float = 0.0
    step_s: float = 0.0
    step_began_s: float = 0.0
    rests_until_s: float = 0.0
    rest_ratio: float = REST_RATIO


def play_all(
    fresh_chunks_max: int, behind_s: Sequence[float], paces_s: Sequence[float], seed: int
) -> dict[str, Any]:
    """Play 40,000 points a second and somewhat more: how the debt and the rounds swing when they found their length."""
    return {
        f"{waves.writers} writers, each {waves.interval_s} s{', in step' if waves.in_step else ''}": _Play(
            waves, np.random.default_rng(seed)
        ).run()
        for waves in (
            Waves(writers, interval_s, 3, fresh_chunks_max, behind_s, paces_s, in_step)
            for writers, interval_s, in_step in PLAYED
        )
    }


@dataclass(slots=True)
class _Play:
    waves: Waves
    random: np.random.Generator
    now: float = 0.0
    chunks: float = 0.0  # that each series got so far
    pace_s: float = PACE_S
    servers: list[_Server] = field(init=False)
    merged: Any = field(init=False)  # chunks of a series of each writer, by range
    ended_s: Any = field(init=False)
    holder: Any = field(init=False)
    before: list[float] = field(init=False)  # chunks that each series had, tick by tick
    slowness: float = 1.0
    slow_until_s: float = 0.0
    seen: list[tuple[float, float, float]] = field(init=False)

    def __post_init__(self) -> None:
        waves = self.waves
        began = 0.0 if waves.in_step else -float(waves.fresh_chunks_max)
        self.servers = [_Server() for _ in range(waves.servers)]
        self.merged = self.random.uniform(began, 0.0, (RANGES, waves.writers // RANGES))
        self.ended_s = -self.random.uniform(0.0, 20.0, RANGES)
        self.holder = np.full(RANGES, -1)
        self.before = []
        self.seen = []

    def run(self) -> dict[str, Any]:
        waves, looks_s = self.waves, 0.0
        for tick in range(round(PLAYED_S / TICK_S)):
            self.now = tick * TICK_S
            if self.now >= looks_s:
                looks_s += LOOK_S
                behind_s = float((self.now - self.ended_s).max())
                self.pace_s = float(np.interp(behind_s, waves.behind_s, waves.paces_s))
                debt = float((self.chunks - self.merged).sum()) * METRICS
                self.seen.append((debt, behind_s, self._chunks_per_second()))
            self._work()
            self.before.append(self.chunks)
            self.chunks += TICK_S / max(waves.interval_s, self.pace_s)
        debts, behind, came = np.array(self.seen[round(WARM_S / LOOK_S) :]).T
        return {
            "debt_millions_least_mean_most": [round(float(it) / 1e6, 1) for it in _spread(debts)],
            "behind_s_least_mean_most": [round(float(it)) for it in _spread(behind)],
            "chunks_per_second": round(float(came.mean())),
        }

    def _chunks_per_second(self) -> float:
        return self.waves.writers * METRICS / max(self.waves.interval_s, self.pace_s)

    def _work(self) -> None:
        """Let servers begin ranges, go on with steps, rest, and end ranges."""
        if self.now >= self.slow_until_s:
            self.slowness = self.random.choice(SLOWNESS)
            self.slow_until_s = self.now + self.random.uniform(*SLOW_S)
        busy = [it for it in self.servers if it.range is not None and it.rests_until_s <= self.now]
        cores = max(0.2, CORES - LOGGING_CORES - COMES_CORE_S * self._chunks_per_second())
        share = min(1.0, cores / self.slowness / max(1, len(busy)))
        for number, server in enumerate(self.servers):
            if server.rests_until_s > self.now:
                continue
            if server.range is None:
                self._begin(number, server)
                continue
            server.left_s -= share * TICK_S
            server.step_s -= share * TICK_S
            if server.left_s <= 0:
                self._end(server)
            elif server.step_s <= 0:
                server.rests_until_s = self.now + (self.now - server.step_began_s) * server.rest_ratio
                server.step_s, server.step_began_s = STEP_CORE_S, server.rests_until_s

    def _begin(self, number: int, server: _Server) -> None:
        rested_s = self.now - self.ended_s
        pause_s = np.where((self.holder == number) | (self.holder < 0), 1.0, OVERDUE_PAUSES) * ROUND_PAUSE_S
        held = [it.range for it in self.servers if it.range is not None]
        free = np.where(rested_s >= pause_s, rested_s, -1.0)
        free[held] = -1.0
        chosen = int(free.argmax())
        if free[chosen] < 0:
            server.rests_until_s = self.now + ROUND_PAUSE_S
            return
        self.holder[chosen] = number
        server.range, server.step_began_s, server.step_s = chosen, self.now, STEP_CORE_S
        server.rest_ratio = REST_RATIO if rested_s[chosen] < BEHIND_S else REST_RATIO_BEHIND
        server.settled = np.maximum(0.0, np.floor(self._settled() - self.merged[chosen]))
        server.due = server.settled >= self.waves.fresh_chunks_max
        chunks, series = server.settled[server.due].sum() * METRICS, server.due.sum() * METRICS
        server.left_s = LOOK_CORE_S + chunks * MERGED_CORE_S + series * MERGE_CORE_S

    def _settled(self) -> float:
        """Return how many chunks a series had SETTLE_S ago."""
        tick = round((self.now - SETTLE_S) / TICK_S)
        return self.before[tick] if tick >= 0 else -np.inf

    def _end(self, server: _Server) -> None:
        self.merged[server.range] += np.where(server.due, server.settled, 0.0)
        self.ended_s[server.range] = self.now
        server.range = None


def _spread(figures: np.ndarray[Any, Any]) -> tuple[Any, Any, Any]:
    return figures.min(), figures.mean(), figures.max()
