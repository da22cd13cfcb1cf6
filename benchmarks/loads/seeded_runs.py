"""A database of many finished runs, the same each time: what benchmarks of searching search in.

    python -m benchmarks.loads.seeded_runs postgresql://... [--runs 100000] [--params 30] [--metrics 50] [--tags 10]

All runs are in one experiment, "seeded", which is the worst case for a search: nothing but the filter tells them
apart. Every run has every metric (`metric_00` and so on, uniform between 0 and 1, independent of each other, every
thousandth NaN), every param (`param_00` a number, `param_01` one of ten words, the others one of a thousand words)
and every tag.
"""

import argparse
import asyncio

import asyncpg

EXPERIMENT_NAME = "seeded"
SEED = 0.2026

# Rows come from PostgreSQL itself: making them there takes a third of the time of sending them.
STATEMENTS = {
    "experiment": """
        INSERT INTO experiment (name, artifact_location, creation_time_ms, last_update_time_ms)
        VALUES ('seeded', 'stepwell-artifacts:/seeded', 1700000000000, 1700000000000)
    """,
    "metric": """
        INSERT INTO metric (name) SELECT format('metric_%s', lpad(n::text, 2, '0')) FROM generate_series(0, $1 - 1) AS n
    """,
    "run": """
        INSERT INTO run (run_id, experiment_id, name, status, start_time_ms, end_time_ms, user_name, artifact_uri,
                         unsettled_time_ms)
        SELECT md5('run ' || n)::uuid, experiment_id, 'run ' || n, 3 + (random() < 0.1)::integer,
               1700000000000 + n * 1000, 1700000000000 + n * 1000 + (random() * 1e7)::bigint,
               'user ' || (random() * 20)::integer, 'stepwell-artifacts:/seeded/' || n, NULL
        FROM generate_series(1, $1) AS n, experiment
        WHERE experiment.name = 'seeded'
    """,
    "metric_latest": """
        INSERT INTO metric_latest (run_id, metric_id, step, timestamp_ms, value, count, non_finite_count,
                                   value_min, value_max, value_sum, indexed_value)
        SELECT run_id, metric_id, 1000, start_time_ms + 1000, value, 1001, 0, 0, 1, 500, value
        FROM (
            SELECT run_id, metric_id, start_time_ms, CASE WHEN random() < 0.001 THEN 'NaN' ELSE random() END AS value
            FROM run CROSS JOIN metric
            ORDER BY run.start_time_ms, metric_id
        ) AS latest
    """,
    "param": """
        INSERT INTO param (run_id, key, value)
        SELECT run_id, format('param_%s', lpad(n::text, 2, '0')),
               CASE n WHEN 0 THEN (random() * 0.1)::numeric(6, 5)::text
                      WHEN 1 THEN 'word ' || floor(random() * 10)
                      ELSE 'value ' || floor(random() * 1000) END
        FROM run CROSS JOIN generate_series(0, $1 - 1) AS n
        ORDER BY run.start_time_ms, n
    """,
    "tag": """
        INSERT INTO tag (run_id, key, value)
        SELECT run_id, CASE n WHEN 0 THEN 'mlflow.runName' ELSE format('tag_%s', lpad(n::text, 2, '0')) END,
               CASE n WHEN 0 THEN run.name ELSE 'label ' || floor(random() * 100) END
        FROM run CROSS JOIN generate_series(0, $1 - 1) AS n
        ORDER BY run.start_time_ms, n
    """,
}


async def seed(url: str, *, runs: int, params: int, metrics: int, tags: int) -> None:
    """Fill a migrated, otherwise empty database, and vacuum it as the autovacuum would."""
    counts = {"metric": [metrics], "run": [runs], "param": [params], "tag": [tags]}
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("SELECT setseed($1)", SEED)
        for table, statement in STATEMENTS.items():
            await connection.execute(statement, *counts.get(table, []))
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


def add_size_options(parser: argparse.ArgumentParser) -> None:
    """Let the caller say how large the database is."""
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--params", type=int, default=30, help="of each run")
    parser.add_argument("--metrics", type=int, default=50, help="of each run")
    parser.add_argument("--tags", type=int, default=10, help="of each run")


def main() -> None:
    """Seed the database that the command line names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("url", help="of a migrated database without runs")
    add_size_options(parser)
    given = vars(parser.parse_args())
    asyncio.run(seed(given.pop("url"), **given))


if __name__ == "__main__":
    main()
