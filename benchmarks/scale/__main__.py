"""Past one machine: servers on one database, measured; or very many writers, simulated.

    python -m benchmarks.scale servers [--servers 1 2 4] [--writers 64] [--seconds 40]
    python -m benchmarks.scale draining [--servers 1 3] [--writers 400]
    python -m benchmarks.scale debt [--servers 1 3] [--writers 4000] [--seconds 180]
    python -m benchmarks.scale pooler [--rounds 5]
    python -m benchmarks.scale calibrate
    python -m benchmarks.scale waves [--fresh-chunks 32] [--behind 20 40 400] [--paces 0.2 1 10]
    python -m benchmarks.scale simulation [--writers 100000] [--servers 64] [--nodes 32]

Prints JSON. The first ones need the machine for themselves; the last two are arithmetic, and seeded.
"""

import argparse
import asyncio
import json

from benchmarks.measuring.surroundings import surroundings
from benchmarks.scale.calibration import calibrate
from benchmarks.scale.debt import owe
from benchmarks.scale.draining import drain
from benchmarks.scale.pooler import compare
from benchmarks.scale.servers import measure
from benchmarks.scale.simulation import Size, simulate
from benchmarks.scale.waves import play_all
from stepwell_server.process.logs import set_up_logs
from stepwell_server.store.ingest.pressure import BEHIND_S, PACES_S
from stepwell_server.store.upkeep.plan import FRESH_CHUNKS_MAX


def main() -> None:
    """Measure or simulate, and print what was found."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    kinds = parser.add_subparsers(dest="kind", required=True)
    several = kinds.add_parser("servers")
    several.add_argument("--servers", type=int, nargs="+", default=[1, 2, 4])
    several.add_argument("--writers", type=int, default=64)
    several.add_argument("--seconds", type=float, default=40.0)
    drained = kinds.add_parser("draining")
    drained.add_argument("--servers", type=int, nargs="+", default=[1, 3])
    drained.add_argument("--writers", type=int, default=400)
    owed = kinds.add_parser("debt")
    owed.add_argument("--servers", type=int, nargs="+", default=[1, 3])
    owed.add_argument("--writers", type=int, default=4_000)
    owed.add_argument("--seconds", type=float, default=180.0)
    pooled = kinds.add_parser("pooler")
    pooled.add_argument("--rounds", type=int, default=5)
    kinds.add_parser("calibrate")
    waving = kinds.add_parser("waves")
    waving.add_argument("--fresh-chunks", type=int, default=FRESH_CHUNKS_MAX, help="that are worth a merge")
    waving.add_argument("--behind", type=float, nargs="+", default=BEHIND_S, help="seconds, with --paces")
    waving.add_argument("--paces", type=float, nargs="+", default=PACES_S, help="seconds, with --behind")
    waving.add_argument("--seed", type=int, default=1)
    simulated = kinds.add_parser("simulation")
    simulated.add_argument("--writers", type=int, default=100_000)
    simulated.add_argument("--servers", type=int, default=64)
    simulated.add_argument("--nodes", type=int, default=32)
    simulated.add_argument("--shards", type=int, default=128)
    simulated.add_argument("--by-shard", action="store_true", help="writers go to their shard's server")
    simulated.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    set_up_logs("text", "warning")
    if arguments.kind == "waves":
        played = play_all(arguments.fresh_chunks, arguments.behind, arguments.paces, arguments.seed)
        print(json.dumps(played, indent=2))
        return
    if arguments.kind != "simulation":
        around = surroundings()
        if arguments.kind == "servers":
            measured = measure(arguments.servers, arguments.writers, arguments.seconds)
        elif arguments.kind == "draining":
            measured = drain(arguments.servers, arguments.writers)
        elif arguments.kind == "debt":
            measured = owe(arguments.servers, arguments.writers, arguments.seconds)
        elif arguments.kind == "pooler":
            measured = compare(arguments.rounds)
        else:
            measured = calibrate()
        print(json.dumps({**around, **asyncio.run(measured)}, indent=2))
        return
    size = Size(
        arguments.writers,
        arguments.servers,
        arguments.nodes,
        arguments.shards,
        by_shard=arguments.by_shard,
    )
    print(json.dumps(simulate(size, arguments.seed), indent=2))


if __name__ == "__main__":
    main()
