-- Queries of store/postgres: what a connection leads to.

-- process: the process of PostgreSQL that answers
SELECT pg_backend_pid();

-- database: which database of which PostgreSQL this is
SELECT current_database() AS name, pg_postmaster_start_time() AS started;
