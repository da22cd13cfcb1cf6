-- Queries of store/migrations.py.

-- lock: waits until no other server migrates; held until the end of the transaction.
SELECT pg_advisory_xact_lock($1);

-- try_lock: as lock, without waiting; whether it is held now.
SELECT pg_try_advisory_xact_lock($1);

-- has_table: whether there is the list of applied migrations.
SELECT to_regclass('schema_migration') IS NOT NULL;

-- taken: which of the names $1 tables or views have already.
SELECT string_agg(name, ', ' ORDER BY name) FROM unnest($1::text[]) AS given (name) WHERE to_regclass(name) IS NOT NULL;

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

-- without_limits: lets the statements of this transaction take what they take.
SELECT set_config('statement_timeout', '0', true), set_config('lock_timeout', '0', true);

-- end_with_client: lets a statement end when who sent it is gone; else it would work on for nobody, and hold its locks.
SELECT set_config('client_connection_check_interval', '2s', true);

-- size: bytes of the tables $1, with what belongs to them.
SELECT coalesce(sum(pg_total_relation_size(to_regclass(name))), 0)::bigint FROM unnest($1::text[]) AS given (name);

-- database_size: bytes of all files of the database, also of those that only a transaction sees.
SELECT pg_database_size(current_database());

-- look_again: forgets who was connected when this transaction looked first.
SELECT pg_stat_clear_snapshot();

-- others: who is connected besides, and calls itself $1.
SELECT count(*) AS connections, string_agg(DISTINCT coalesce(host(client_addr), 'this machine'), ', ') AS places
FROM pg_stat_activity
WHERE datname = current_database() AND application_name = $1 AND pid <> pg_backend_pid();
