"""The registry at size: searches, and the version of a stage or an alias, in a registry of many models and versions.

    python -m benchmarks.models.registry [--models 10000] [--versions 20] [--rounds 200]

PostgreSQL is Stepwell's embedded one with fsync; client, server and PostgreSQL share this machine. The versions of a
model: the latest is in Production and `champion`, the one before in Staging, the others are Archived; every one has a
run, a logged model and three tags. What a round asks for is drawn from a seeded generator. Prints JSON: milliseconds.
"""

import argparse
import asyncio
import json
import random
import tempfile
from pathlib import Path
from typing import Any

import asyncpg

from benchmarks.measuring.surroundings import surroundings
from benchmarks.search import timed
from stepwell_server.store.postgres.embedded import running_url
from tests.harness.servers.processes import ServerProcess

PAGE_SIZE = 100
TEAMS = 50

# Rows come from PostgreSQL itself.
STATEMENTS = (
    """
    INSERT INTO registered_model (name, description, custom_stages, last_version, creation_time_ms,
                                  last_update_time_ms)
    SELECT format('model %s', lpad(n::text, 6, '0')), 'described', '{}', $2, 1700000000000 + n,
           1700000000000 + n * 1000
    FROM generate_series(0, $1 - 1) AS n
    """,
    """
    INSERT INTO registered_model_tag (model_number, key, value)
    SELECT model_number, 'team', 'team ' || model_number % $1::bigint FROM registered_model WHERE $2::bigint > 0
    """,
    """
    INSERT INTO model_version (model_number, version, stage, description, source, storage_uri, run_id, model_id,
                               run_link, user_name, creation_time_ms, last_update_time_ms, files_of)
    SELECT model_number, n, CASE $2 - n WHEN 0 THEN 'Production' WHEN 1 THEN 'Staging' ELSE 'Archived' END, '',
           'models:/m-' || id, 'stepwell-artifacts:/0/models/m-' || id || '/artifacts',
           md5('run ' || model_number || n), 'm-' || id, '', 'ada', 1700000000000 + n,
           1700000000000 + model_number * 1000 + n, id::uuid
    FROM registered_model, generate_series(1, $2) AS n, md5(model_number || ' ' || n) AS id
    WHERE $1::bigint > 0
    """,
    """
    INSERT INTO model_version_tag (version_id, key, value)
    SELECT version_id, 'tag_' || n, 'value ' || (version_id + n) % 1000
    FROM model_version, generate_series(1, 3) AS n
    WHERE $1::bigint > 0 AND $2::bigint > 0
    """,
    """
    INSERT INTO model_alias (model_number, alias, version_id)
    SELECT model_number, 'champion', version_id FROM model_version WHERE version = $2 AND $1::bigint > 0
    """,
)


async def seed(url: str, models: int, versions: int) -> None:
    """Fill a migrated registry that is empty."""
    connection = await asyncpg.connect(url)
    try:
        for number, statement in enumerate(STATEMENTS):
            await connection.execute(statement, TEAMS if number == 1 else models, versions)
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


def measure(tracking_uri: str, models: int, versions: int, rounds: int) -> dict[str, Any]:
    """Ask through the client."""
    import stepwell

    client = stepwell.StepwellClient(tracking_uri, tracking_uri)
    generator = random.Random(1)
    names = [f"model {generator.randrange(models):06}" for _ in range(rounds + 1)]
    runs = [client.get_model_version(name, versions).run_id for name in names]
    some = [generator.randrange(1_000) for _ in range(rounds + 1)]

    def models_by(filter_: str, *order: str) -> Any:
        return client.search_registered_models(filter_, PAGE_SIZE, list(order) or None)

    def versions_by(filter_: str, *order: str) -> Any:
        return client.search_model_versions(filter_, PAGE_SIZE, list(order) or None)

    asked = {
        "search models, first page": lambda n: models_by(""),
        "search models, name LIKE": lambda n: models_by(f"name LIKE '{names[n][:-1]}%'"),
        "search models, tag": lambda n: models_by(f"tags.team = 'team {some[n] % TEAMS}'"),
        "search models, latest changes first": lambda n: models_by("", "last_updated_timestamp DESC"),
        "search versions, first page": lambda n: versions_by(""),
        "search versions of a model": lambda n: versions_by(f"name = '{names[n]}'", "version_number DESC"),
        "search versions of a run": lambda n: versions_by(f"run_id = '{runs[n]}'"),
        "search versions, tag": lambda n: versions_by(f"tags.tag_1 = 'value {some[n]}'"),
        "search versions, name LIKE and stage": lambda n: versions_by(
            f"name LIKE '{names[n][:-2]}%' AND stage = 'Production'"
        ),
        "get latest of a stage": lambda n: client.get_latest_versions(names[n], ["Production"]),
        "get latest of all stages": lambda n: client.get_latest_versions(names[n]),
        "get by alias": lambda n: client.get_model_version_by_alias(names[n], "champion"),
        "get version": lambda n: client.get_model_version(names[n], 1),
        "get model": lambda n: client.get_registered_model(names[n]),
    }
    return {what: timed(rounds, call) for what, call in asked.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=int, default=10_000)
    parser.add_argument("--versions", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=200)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "data")
        with ServerProcess("--data", str(data)) as server:
            asyncio.run(seed(str(running_url(data)), chosen.models, chosen.versions))
            found = measure(server.tracking_uri, chosen.models, chosen.versions, chosen.rounds)
    print(json.dumps({**surroundings(), **vars(chosen), "results": found}, indent=2))


if __name__ == "__main__":
    main()
