-- Queries of store/postgres: what a connection leads to.

-- process: the process of PostgreSQL that answers
SELECT pg_backend_pid();

-- limits: how many connections PostgreSQL, the user and the database may have, -1 where none is set, with those that others have; whether it takes writes
WITH other AS (
    SELECT datname, usename FROM pg_stat_activity WHERE datid IS NOT NULL AND pid <> pg_backend_pid()
)
SELECT
    rolsuper AS is_superuser,
    current_setting('transaction_read_only')::boolean AS is_read_only,
    pg_is_in_recovery() AS is_standby,
    current_setting('max_connections')::integer AS server_max,
    current_setting('superuser_reserved_connections')::integer
    + coalesce(current_setting('reserved_connections', true)::integer, 0) AS server_reserved,
    (SELECT count(*) FROM other) AS server_taken,
    rolname AS user_name,
    rolconnlimit AS user_max,
    (SELECT count(*) FROM other WHERE usename = rolname) AS user_taken,
    datname AS database_name,
    datconnlimit AS database_max,
    (SELECT count(*) FROM other WHERE other.datname = pg_database.datname) AS database_taken
FROM pg_roles, pg_database
WHERE rolname = session_user AND datname = current_database();

-- database: which database of which PostgreSQL this is
SELECT current_database() AS name, pg_postmaster_start_time() AS started;
