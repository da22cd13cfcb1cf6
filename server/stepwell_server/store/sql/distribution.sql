-- Queries of store/postgres/distribution.py, about the database itself.

-- has_citus: whether the database has Citus.
SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus');

-- engine: whether some of the tables $1 are spread, and whether this is the machine that knows all others.
SELECT EXISTS (
           SELECT
           FROM pg_dist_partition
           JOIN pg_class ON pg_class.oid = logicalrelid
           WHERE relnamespace = current_schema()::regnamespace AND relname = ANY ($1::text[])
       ) AS is_distributed,
       (SELECT groupid FROM pg_dist_local_group) = 0 AS is_coordinator;

-- citus: the version of Citus in this database, NULL without it; whether the server has it at all; who may be told to hide it.
SELECT (SELECT extversion FROM pg_extension WHERE extname = 'citus') AS version,
       EXISTS (SELECT FROM pg_available_extensions WHERE name = 'citus') AS is_available,
       current_database()::text AS database,
       EXISTS (
           SELECT
           FROM pg_db_role_setting
           JOIN pg_database ON pg_database.oid = setdatabase
           WHERE datname = current_database() AND setrole = 0 AND 'citus.override_table_visibility=off' = ANY (setconfig)
       ) AS has_setting;

-- tables: those of the names $1, with the columns of their primary keys, and what they take on this machine.
SELECT pg_class.relname::text AS name, pg_relation_size(pg_class.oid) AS local_bytes,
       array_agg(attname::text ORDER BY place) AS key
FROM pg_class
JOIN pg_constraint ON conrelid = pg_class.oid AND contype = 'p'
CROSS JOIN LATERAL unnest(conkey) WITH ORDINALITY AS part (number, place)
JOIN pg_attribute ON attrelid = conrelid AND attnum = part.number
WHERE pg_class.relnamespace = current_schema()::regnamespace AND pg_class.relname = ANY ($1::text[])
GROUP BY pg_class.oid, pg_class.relname
ORDER BY pg_class.relname;

-- keys: foreign keys of the tables $1, or to them.
SELECT conname::text AS name, holder.relname::text AS table, referred.relname::text AS refers_to,
       pg_get_constraintdef(pg_constraint.oid) AS definition
FROM pg_constraint
JOIN pg_class AS holder ON holder.oid = conrelid
JOIN pg_class AS referred ON referred.oid = confrelid
WHERE contype = 'f' AND conparentid = 0
  AND connamespace = current_schema()::regnamespace
  AND (holder.relname = ANY ($1::text[]) OR referred.relname = ANY ($1::text[]))
ORDER BY holder.relname, conname;

-- placed: where Citus has the tables: `h` for what is spread by hash, `n` for what is whole; of that `t` is everywhere.
SELECT relname::text AS name, partmethod::text AS method, repmodel::text AS model
FROM pg_dist_partition
JOIN pg_class ON pg_class.oid = logicalrelid
WHERE relnamespace = current_schema()::regnamespace;

-- machines: which there are; the coordinator is in group 0. `knows` tells whether one knows where the tables are.
SELECT nodename || ':' || nodeport AS address, groupid, hasmetadata AND metadatasynced AS knows
FROM pg_dist_node
WHERE isactive AND noderole = 'primary'
ORDER BY groupid;

-- routines: the functions and aggregates of the names $1, in the order in which they were made.
SELECT oid, oid::regprocedure::text AS name
FROM pg_proc
WHERE pronamespace = current_schema()::regnamespace AND proname = ANY ($1::text[])
ORDER BY oid;

-- views: those of the names $1, in the order in which they were made.
SELECT oid, relname::text AS name, pg_get_viewdef(oid) AS definition
FROM pg_class
WHERE relkind = 'v' AND relnamespace = current_schema()::regnamespace AND relname = ANY ($1::text[])
ORDER BY oid;

-- known: functions and views that all machines know.
SELECT objid
FROM pg_dist_object
WHERE classid IN ('pg_proc'::regclass, 'pg_class'::regclass);

-- has_notes: whether there is a list of foreign keys that wait to be added again.
SELECT to_regclass('foreign_key_to_add') IS NOT NULL;

-- notes: what is on it.
SELECT name, table_name AS table, refers_to, definition
FROM foreign_key_to_add
ORDER BY table_name, name;
