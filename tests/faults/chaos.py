"""Many faults at once, by chance: `make chaos SEED=1 ROUNDS=10`.

A world of a server with its own PostgreSQL, a network, training processes and one place for their spools. In each round
some random things happen to it. Then everything is repaired, every training ends or is killed, what was left behind
is delivered, and the accounts are made: each point, param and tag of all runs is there, once.

The seed decides what happens; how it meets the processes depends on the machine. A failure names seed and round.
"""

import argparse
import asyncio
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from random import Random, SystemRandom
from types import TracebackType
from typing import Self

import asyncpg

from tests.faults.accounting import AWAY, assert_exact, rows
from tests.faults.clocks import DAY_MS, set_database_clock_back
from tests.faults.patience import until
from tests.faults.syncing import Synced, copy_spools, is_empty, sync, sync_at_once
from tests.faults.training import Training
from tests.harness.network.proxy import Proxy, Way
from tests.harness.servers.processes import ServerProcess

EVENTS_MIN, EVENTS_MAX = 5, 12
TRAININGS_MAX = 4
CALLS_MAX = 20_000
PAUSE_MAX_S = 0.6
STANDSTILL_S = 0.6
# Of a server that is away, trainings that end wait so long.
TIMEOUTS = {"STEPWELL_FLUSH_TIMEOUT_S": "2", "STEPWELL_EXIT_TIMEOUT_S": "2"}
FINISHED = 3


class World:
    """Everything that faults can happen to. Use as a context manager."""

    def __init__(self, folder: Path, random: Random) -> None:
        self.random = random
        self.spool = folder / "spool"
        self.trainings: list[Training] = []
        self.told: set[Training] = set()
        self.killed: set[Training] = set()
        self.copies: list[Path] = []
        self.events: list[str] = []
        self._folder = folder
        self._stack = ExitStack()
        self._numbers = iter(range(10**6))

    def __enter__(self) -> Self:
        self.start_server()
        self.proxy = self._stack.enter_context(Proxy(self.server.port))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def start_server(self) -> None:
        """Start a server on the world's data; it has a port of its own."""
        data = str(self._folder / "data")
        self.server = self._stack.enter_context(ServerProcess("--data", data, "--lost-after", "2"))

    @property
    def alive(self) -> list[Training]:
        """Trainings that log."""
        return [training for training in self.trainings if training.process.poll() is None]

    def start_training(self, *, leader: Training | None = None, offline: bool = False) -> None:
        """Start a training of its own, or one that joins the leader's run."""
        number = next(self._numbers)
        environment = {
            **TIMEOUTS,
            "STEPWELL_TRACKING_URI": self.proxy.tracking_uri,
            "STEPWELL_SPOOL_DIR": str(self.spool),
        }
        if leader is not None:
            leader.wait_for_calls(1)
            environment |= {"STEPWELL_RUN_ID": leader.run_id, "RANK": str(number + 1)}
        if offline:
            environment["STEPWELL_MODE"] = "offline"
        options = ["--wait", "--pace", str(self.random.choice((0, 300, 3_000)))]
        if self.random.random() < 0.2:
            options += ["--clock-back-at", str(self.random.randrange(CALLS_MAX))]
        training = Training(
            self._folder, environment, *options, seed=number, calls=CALLS_MAX, rank=number + 1
        )
        self.trainings.append(self._stack.enter_context(training))

    def forget(self) -> None:
        """Forget the trainings and events of a round."""
        for forgotten in (self.trainings, self.told, self.killed, self.events):
            forgotten.clear()  # type: ignore[attr-defined]

    def repair(self) -> None:
        """Let the network pass everything and the database answer."""
        self.proxy.heal()
        until(self.database_answers, "the database")

    def database_answers(self) -> bool:
        """Tell whether the database can be asked."""
        try:
            rows(self.server.store, "SELECT 1")
        except AWAY:
            return False
        return True


def train(world: World) -> None:
    """A new run."""
    if len(world.alive) < TRAININGS_MAX:
        world.start_training(offline=world.random.random() < 0.2)


def join(world: World) -> None:
    """Another rank in a run."""
    leaders = [training for training in world.alive if training not in world.told]
    if leaders and len(world.alive) < TRAININGS_MAX:
        world.start_training(leader=world.random.choice(leaders))


def kill_training(world: World) -> None:
    """`kill -9`."""
    if world.alive:
        training = world.random.choice(world.alive)
        world.killed.add(training)
        training.kill()


def end_training(world: World) -> None:
    """One training has enough."""
    candidates = [training for training in world.alive if training not in world.told]
    if candidates:
        training = world.random.choice(candidates)
        world.told.add(training)
        training.tell()


def kill_server(world: World) -> None:
    """`kill -9` of the server; the next one stops the PostgreSQL that it left behind."""
    world.server.kill()
    pause(world)
    world.start_server()
    world.proxy.redirect(world.server.port)


def stop_server(world: World) -> None:
    """An orderly restart."""
    world.server.terminate()
    world.start_server()
    world.proxy.redirect(world.server.port)


def crash_database(world: World) -> None:
    """PostgreSQL is killed or shut down at once; its server starts it again."""
    file = world.spool.parent / "data" / "postgres" / "postmaster.pid"
    number = world.random.choice((signal.SIGKILL, signal.SIGQUIT, signal.SIGINT))
    os.kill(int(file.read_text().splitlines()[0]), number)
    until(world.database_answers, "the database")


def set_clock_back(world: World) -> None:
    """The clock of the database goes back by a day."""
    if world.database_answers():
        with suppress(*AWAY):
            set_database_clock_back(world.server.store, DAY_MS)


def cut_network(world: World) -> None:
    """All connections end."""
    world.proxy.cut(reset=world.random.random() < 0.5)


def hold_network(world: World) -> None:
    """Half-open for a while, in one direction or both; sometimes what was under way is lost."""
    world.proxy.hold(*world.random.choice(((Way.UP,), (Way.DOWN,), tuple(Way))))
    pause(world)
    if world.random.random() < 0.7:
        world.proxy.cut()
    world.proxy.heal()


def lose_network(world: World) -> None:
    """What is sent vanishes for a while."""
    world.proxy.drop(world.random.choice(tuple(Way)))
    pause(world)
    world.proxy.heal()


def commit_late(world: World) -> None:
    """The database stands still, batches queue, and the network is cut: trainings send again what is queued."""
    with suppress(*AWAY):
        asyncio.run(_commit_late(world))


async def _commit_late(world: World) -> None:
    connection = await asyncpg.connect(world.server.store)
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE metric_chunk IN ACCESS EXCLUSIVE MODE")
            await asyncio.sleep(STANDSTILL_S)
            world.proxy.cut()
            await asyncio.sleep(STANDSTILL_S)
    finally:
        await connection.close()


def slow_network(world: World) -> None:
    """Slow until the next repair."""
    world.proxy.slow(world.random.choice((50_000, 500_000)))


def refuse_network(world: World) -> None:
    """Nobody can connect until the next repair."""
    world.proxy.refuse()


def heal_network(world: World) -> None:
    """All is well for a moment."""
    world.proxy.heal()


def sync_beside(world: World) -> None:
    """Two syncs at once, beside whatever lives."""
    world.spool.mkdir(exist_ok=True)
    sync_at_once(world.spool, world.spool)


def copy_spool(world: World) -> None:
    """Somebody copies the spools; the copy is delivered at the end of the round."""
    copy = world.spool.parent / f"copy-{len(world.copies)}-{time.monotonic_ns()}"
    if world.spool.exists():
        copy_spools(world.spool, copy)
        world.copies.append(copy)


EVENTS: tuple[Callable[[World], None], ...] = (
    *(train, train, train, join, join, kill_training, kill_training, end_training),
    *(kill_server, stop_server, crash_database, set_clock_back),
    *(cut_network, hold_network, lose_network, slow_network, refuse_network, heal_network),
    *(sync_beside, copy_spool, commit_late),
)


def pause(world: World) -> None:
    """Let things happen for a while."""
    time.sleep(world.random.uniform(0, PAUSE_MAX_S))


def play_round(world: World) -> str:
    """Let things happen, repair everything, and check the accounts; returns what happened."""
    world.start_training()
    world.trainings[0].wait_for_calls(1)
    commit_late(world)  # in every round: what it is for shows nowhere else so often
    for _ in range(world.random.randint(EVENTS_MIN, EVENTS_MAX)):
        event = world.random.choice(EVENTS)
        world.events.append(event.__name__)
        event(world)
        pause(world)
    world.repair()
    for training in world.trainings:
        if training in world.killed or world.random.random() < 0.3:
            world.killed.add(training)
            training.kill()
        else:
            training.end()
    deliver(world)
    points = check(world)
    counts = f"{len(world.trainings)} trainings, {len(world.killed)} killed, {points:,} points"
    summary = f"{counts}; {' '.join(world.events)}"
    world.forget()
    return summary


def deliver(world: World) -> None:
    """Deliver what was left behind, also what was copied."""
    for copy in world.copies:
        assert sync(copy).exit_code == 0
        shutil.rmtree(copy)
    world.copies.clear()
    world.spool.mkdir(exist_ok=True)

    def left() -> Synced:
        return sync(world.spool)

    until(lambda: left().exit_code == 0, "the delivery of everything")
    assert is_empty(world.spool), list(world.spool.rglob("*"))


def check(world: World) -> int:
    """Compare every run of the round with what its trainings promised; returns how many points they are."""
    runs: dict[str, list[Training]] = {}
    for training in world.trainings:
        if training.has_begun:
            runs.setdefault(training.run_id, []).append(training)
    for run_id, trainings in runs.items():
        assert_exact(world.server.store, *trainings)
        if not world.killed.intersection(trainings):
            assert rows(world.server.store, "SELECT status FROM run WHERE run_id = $1", run_id) == [
                (FINISHED,)
            ]
    return sum(training.promised().points.total() for trainings in runs.values() for training in trainings)


def play(seed: int, rounds: int, say: Callable[[str], object]) -> None:
    """Play so many rounds in a world of their own; AssertionError says what was lost or doubled, and in which round."""
    with tempfile.TemporaryDirectory(prefix="stepwell-chaos-") as folder:
        Path(folder).chmod(0o755)  # as root, PostgreSQL runs as another user
        with World(Path(folder), Random(seed)) as world:
            for number in range(1, rounds + 1):
                try:
                    say(f"round {number}: {play_round(world)}")
                except Exception as error:
                    error.add_note(f"chaos with seed {seed}, round {number}: {' '.join(world.events)}")
                    raise


def main() -> None:
    """Play as the command line says; without a seed, a new one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    seed = SystemRandom().randrange(10**6) if options.seed is None else options.seed

    def say(line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    say(f"chaos with seed {seed}")
    play(seed, options.rounds, say)
    say(f"{options.rounds} rounds, nothing lost and nothing twice")


if __name__ == "__main__":
    main()
