-- Queries of store/migrations.py.

-- lock: waits until no other server migrates; held until the end of the transaction.
SELECT pg_advisory_xact_lock($1);

-- create_table: the list of applied migrations.
CREATE TABLE IF NOT EXISTS schema_migration (
    version    integer     PRIMARY KEY,
    name       text        NOT NULL,
    checksum   text        NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- applied: what was applied, in order.
SELECT version, checksum
FROM schema_migration
ORDER BY version;

-- record: adds a migration to the list.
INSERT INTO schema_migration (version, name, checksum)
VALUES ($1, $2, $3);

-- encoding: how the database stores text.
SHOW server_encoding;
