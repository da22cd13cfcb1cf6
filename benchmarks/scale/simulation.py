"""Very many writers, worked out by a seeded simulation: lanes and their transactions, compaction's debt, notifications.

What a thing costs was measured on one machine (CONSTANTS; `python -m benchmarks.scale calibrate` measures the first
ones anew); how things meet is played. Networks, and nodes that fail, are not: so these are the least figures.
"""

import heapq
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from stepwell_server.store.ingest.commit_news import CHANNELS
from stepwell_server.store.ingest.lane import PACED_WRITERS_MIN, SILENCE_S
from stepwell_server.store.ingest.pressure import PACE_S
from stepwell_server.store.upkeep.ranges import HELD_S, RANGES


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is: writers that log 10 metrics a second each, servers, nodes of the database, shards.

    Writers go to the server of their run's shard, as clients that name all servers do, or to any.
    """

    writers: int
    servers: int
    nodes: int
    shards: int
    cores_of_node: int = 16
    watched_runs: int = 5_000
    by_shard: bool = False


@dataclass(frozen=True, slots=True)
class Constants:
    """What was measured, with fsync on a local disk."""

    transaction_core_s: float = 0.00065  # of PostgreSQL, whatever is in it
    batch_core_s: float = 0.00011  # of PostgreSQL, for a batch of ten points of ten metrics
    flush_s: float = 0.002
    server_core_s: float = 0.00063  # of the server, for such a batch
    wal_bytes_of_point: int = 754
    points_of_batch: int = 10
    bytes_of_point: float = 4.0  # after compaction, all indexes included
    writers_of_leader: int = 1_700  # whose chunks one leader of compaction merges as fast as they come


_ARRIVES, _STARTS, _ENDS = range(3)
PLAYED_S = 5.0
COMPACTION_PLAYED_S = 3_600
LEADER_DIES_EVERY_S, BACK_AFTER_S = 600, 60


def simulate(size: Size, seed: int, constants: Constants = Constants()) -> dict[str, Any]:
    """Play all of it, and return the figures."""
    commits = _Lanes(size, constants, seed).play()
    points = size.writers * constants.points_of_batch
    return {
        "size": asdict(size),
        "constants": asdict(constants),
        "commits": commits,
        "servers_cores_each": round(size.writers * constants.server_core_s / size.servers, 2),
        "wal_mb_per_second_of_node": round(points * constants.wal_bytes_of_point / size.nodes / 1e6, 1),
        "points_per_second": points,
        "days_to_1e12_points": round(1e12 / points / 86_400, 1),
        "tb_at_1e12_points": round(1e12 * constants.bytes_of_point / 1e12, 1),
        "compaction": _compaction(size, constants, seed),
        "notifications": _notifications(
            size, commits["transactions_per_second"], commits["batches_each"], seed
        ),
    }


class _Lanes:
    """Each server has a lane for each shard, which commits one transaction after the other; nodes have cores."""

    def __init__(self, size: Size, constants: Constants, seed: int) -> None:
        self._constants = constants
        self._size = size
        random = np.random.default_rng(seed)
        lane = _lanes_of(size, random)
        phase = random.random(size.writers)
        whole = int(PLAYED_S)
        self._times = (phase[:, None] + np.arange(whole)).ravel()
        self._lanes = np.repeat(lane, whole)
        self._paced = np.bincount(lane, minlength=size.servers * size.shards) * PACE_S >= PACED_WRITERS_MIN
        self._waiting: dict[int, list[float]] = {}
        self._last_start: dict[int, float] = {}
        self._busy: set[int] = set()
        self._cores = [[0.0] * size.cores_of_node for _ in range(size.nodes)]
        self._used = np.zeros(size.nodes)
        self._lags: list[float] = []
        self._transactions = 0

    def play(self) -> dict[str, Any]:
        """Play PLAYED_S of it."""
        order = np.argsort(self._times)
        events = [(float(self._times[it]), _ARRIVES, int(self._lanes[it])) for it in order]
        heapq.heapify(events)
        while events:
            now, kind, lane = heapq.heappop(events)
            waiting = self._waiting.setdefault(lane, [])
            if kind == _STARTS:
                heapq.heappush(events, (self._commit(lane, now), _ENDS, lane))
                continue
            if kind == _ENDS:
                self._busy.discard(lane)
            else:
                waiting.append(now)
            if waiting and lane not in self._busy:
                self._busy.add(lane)
                heapq.heappush(events, (self._start(lane, now), _STARTS, lane))
        lags = np.array(self._lags) * 1_000
        return {
            "transactions_per_second": round(self._transactions / PLAYED_S),
            "batches_each": round(len(lags) / self._transactions, 2),
            "lag_p50_ms": round(float(np.percentile(lags, 50)), 1),
            "lag_p99_ms": round(float(np.percentile(lags, 99)), 1),
            "cores_of_node_busy": round(float(self._used.max()) / PLAYED_S, 2),
        }

    def _start(self, lane: int, now: float) -> float:
        """Return when a lane's next transaction starts: a lane with many writers paces itself."""
        if not self._paced[lane]:
            return now
        return max(now, min(self._last_start.get(lane, -PACE_S) + PACE_S, now + SILENCE_S))

    def _commit(self, lane: int, now: float) -> float:
        """Commit what waits, and return when that is done."""
        self._last_start[lane] = now
        group = self._waiting[lane]
        self._waiting[lane] = []
        node = lane % self._size.shards % self._size.nodes
        costs = self._constants.transaction_core_s + self._constants.batch_core_s * len(group)
        free = max(now, heapq.heappop(self._cores[node]))
        heapq.heappush(self._cores[node], free + costs)
        self._used[node] += costs
        done = free + costs + self._constants.flush_s
        self._lags += [done - born for born in group]
        self._transactions += 1
        return done


def _lanes_of(size: Size, random: np.random.Generator) -> np.ndarray[Any, Any]:
    """Return the lane of each writer: that of its run's shard in the server that it goes to."""
    if not size.by_shard:
        return random.integers(0, size.servers * size.shards, size.writers)
    hashed = random.random(size.writers)
    return (hashed * size.servers).astype(int) * size.shards + (hashed * size.shards).astype(int)


def _compaction(size: Size, constants: Constants, seed: int) -> dict[str, Any]:
    """Who is free takes the range that was neglected longest; one server dies now and then, and is back in a minute."""
    random = np.random.default_rng(seed)
    made = size.writers * constants.points_of_batch / RANGES  # small chunks a second of each range
    merged = constants.writers_of_leader * constants.points_of_batch  # a second of each leader
    held = max(1, RANGES // size.servers)  # by a server that dies: nobody else has them until that is noticed
    away_until, free_at = np.zeros(size.servers), np.zeros(RANGES)
    debt, worst = np.zeros(RANGES), 0.0
    for second in range(COMPACTION_PLAYED_S):
        if second % LEADER_DIES_EVERY_S == LEADER_DIES_EVERY_S // 2:
            away_until[random.integers(size.servers)] = second + BACK_AFTER_S
            free_at[random.choice(RANGES, held, replace=False)] = second + HELD_S
        debt += made
        order = iter(np.argsort(-np.where(free_at <= second, debt, 0.0)).tolist())
        for _ in range(min(RANGES, int((away_until <= second).sum()))):
            room = merged
            for number in order:
                taken = min(debt[number] if free_at[number] <= second else 0.0, room)
                debt[number] -= taken
                room -= taken
                if room <= 0:
                    break
        worst = max(worst, float(debt.sum()))
    return {
        "leaders_at_most": min(RANGES, size.servers),
        "leaders_needed": round(size.writers / constants.writers_of_leader, 1),
        "chunks_made_per_second": round(made * RANGES),
        "debt_at_worst_seconds_of_ingest": round(worst / (made * RANGES), 1),
        "debt_at_end_seconds_of_ingest": round(float(debt.sum()) / (made * RANGES), 1),
    }


def _notifications(size: Size, transactions: int, batches: float, seed: int) -> dict[str, Any]:
    """A transaction tells of its runs on their channels; a server hears those of the runs that are watched at it."""
    random = np.random.default_rng(seed)
    watched = random.integers(0, CHANNELS, (size.servers, max(1, size.watched_runs // size.servers)))
    heard = [len(set(row.tolist())) / CHANNELS for row in watched]
    runs = max(1, round(batches))
    of_transaction = [1 - (1 - share) ** runs for share in heard]
    return {
        "heard_per_second_by_each_server": round(transactions * float(np.mean(of_transaction))),
        "on_one_channel": transactions,
    }
