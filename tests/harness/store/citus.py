"""A stand-in for Citus in a database of one machine, which no package registry carries.

It has the names of Citus and the tables in which Citus says what is where, and refuses what Citus refuses of tables and
keys, as its regression tests have it (src/test/regress/expected of citusdata/citus:
generated_identity, multi_foreign_key, foreign_key_to_reference_table, multi_unsupported_worker_operations,
view_propagation, function_propagation). All rows stay where they are, so every statement works as on one machine:
which of them Citus takes, tests/sql_rules say.
"""

from typing import Any

import asyncpg

from stepwell_server.store.postgres.distribution import SHARDS_DEFAULT, distribute

# Only a superuser may say that there is an extension; as it has no files, it cannot be created.
STAND_IN = """
SET allow_system_table_mods = on;
INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
VALUES (9999, 'citus', 10, 'pg_catalog'::regnamespace, false, '13.2-1');
RESET allow_system_table_mods;

CREATE SCHEMA citus_stand_in;
SET search_path = citus_stand_in;
CREATE TABLE pg_dist_partition (logicalrelid regclass PRIMARY KEY, partmethod "char", repmodel "char");
CREATE TABLE pg_dist_node (nodename text, nodeport integer, groupid integer, isactive boolean, noderole text,
                           hasmetadata boolean, metadatasynced boolean);
INSERT INTO pg_dist_node
SELECT 'node' || groupid, 5432, groupid, true, 'primary', true, true FROM generate_series(0, 2) AS groupid;
CREATE TABLE emptied (name regclass PRIMARY KEY);
CREATE TABLE pg_dist_local_group (groupid integer);
INSERT INTO pg_dist_local_group VALUES (0);
CREATE TABLE pg_dist_object (classid oid, objid oid, PRIMARY KEY (classid, objid));

-- Where a table is: `spread`, `everywhere` or `here`.
CREATE FUNCTION place_of(class oid) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce((SELECT CASE partmethod WHEN 'h' THEN 'spread' ELSE 'everywhere' END
                     FROM citus_stand_in.pg_dist_partition WHERE logicalrelid = class), 'here')
$$;

CREATE FUNCTION require_coordinator() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT groupid FROM citus_stand_in.pg_dist_local_group) <> 0 THEN
        RAISE 'operation is not allowed on this node';
    END IF;
END $$;

CREATE FUNCTION place(class regclass, method "char", model "char") RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM citus_stand_in.require_coordinator();
    IF citus_stand_in.place_of(class) <> 'here' THEN
        RAISE 'table "%" is already distributed', class;
    END IF;
    IF EXISTS (SELECT FROM pg_constraint WHERE contype = 'f' AND class IN (conrelid, confrelid)) THEN
        RAISE 'relation "%" is involved in a foreign key relationship', class;
    END IF;
    IF EXISTS (SELECT FROM pg_trigger WHERE tgrelid = class AND NOT tgisinternal) THEN
        RAISE 'cannot distribute relation "%" because it has triggers', class;
    END IF;
    IF EXISTS (
        SELECT FROM pg_attribute WHERE attrelid = class AND attidentity <> '' AND atttypid <> 'bigint'::regtype
    ) THEN
        RAISE 'nextval(sequence) calls in worker nodes are not supported for column defaults of type int or smallint';
    END IF;
    IF EXISTS (SELECT FROM pg_attrdef WHERE adrelid = class AND pg_get_expr(adbin, adrelid) LIKE '%nextval%') THEN
        RAISE 'a number of "%" comes of a sequence that it does not own', class;
    END IF;
    INSERT INTO citus_stand_in.pg_dist_partition VALUES (class, method, model);
END $$;

CREATE FUNCTION create_reference_table(name regclass) RETURNS void
LANGUAGE sql AS $$ SELECT citus_stand_in.place(name, 'n', 't') $$;

CREATE FUNCTION create_distributed_table(
    name regclass, by text, shard_count integer DEFAULT NULL, colocate_with text DEFAULT 'default'
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF colocate_with NOT IN ('default', 'none') AND citus_stand_in.place_of(colocate_with::regclass) <> 'spread' THEN
        RAISE 'relation % is not distributed', colocate_with;
    END IF;
    IF EXISTS (
        SELECT FROM pg_index WHERE indrelid = name AND indisunique AND NOT EXISTS (
            SELECT FROM pg_attribute WHERE attrelid = name AND attnum = ANY (indkey) AND attname = by
        )
    ) THEN
        RAISE 'cannot create constraint on "%": it does not include the partition column', name;
    END IF;
    PERFORM citus_stand_in.place(name, 'h', 's');
END $$;

CREATE FUNCTION truncate_local_data_after_distributing_table(name regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF citus_stand_in.place_of(name) = 'here' THEN
        RAISE 'supplied parameter is not a distributed relation';
    END IF;
    INSERT INTO citus_stand_in.emptied VALUES (name);
END $$;

-- What a table takes here, which is nothing when its rows are elsewhere.
CREATE FUNCTION pg_relation_size(class oid) RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT CASE WHEN EXISTS (SELECT FROM citus_stand_in.emptied WHERE name = class) THEN 0
                ELSE pg_catalog.pg_relation_size(class::regclass) END
$$;

CREATE FUNCTION create_distributed_function(name regprocedure) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM citus_stand_in.require_coordinator();
    INSERT INTO citus_stand_in.pg_dist_object VALUES ('pg_proc'::regclass, name) ON CONFLICT DO NOTHING;
END $$;

CREATE FUNCTION run_command_on_workers(command text) RETURNS text LANGUAGE sql AS $$ SELECT 'done' $$;

CREATE FUNCTION get_shard_id_for_distribution_column(name regclass, value uuid) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    IF citus_stand_in.place_of(name) <> 'spread' THEN
        RAISE 'relation is not distributed';
    END IF;
    RETURN 102008 + abs(hashtext(value::text)) % 32;
END $$;

-- After each statement that changes tables: the foreign keys that Citus refuses, and what it tells other machines of.
CREATE FUNCTION check_tables() RETURNS event_trigger LANGUAGE plpgsql AS $$
DECLARE
    bad record;
    told record;
BEGIN
    SELECT conname, conrelid::regclass AS holder, citus_stand_in.place_of(conrelid) AS holder_place,
           confrelid::regclass AS referred, citus_stand_in.place_of(confrelid) AS referred_place
    INTO bad
    FROM pg_constraint
    WHERE contype = 'f' AND citus_stand_in.place_of(conrelid) || ' ' || citus_stand_in.place_of(confrelid) NOT IN (
        'here here', 'everywhere everywhere', 'spread everywhere', 'spread spread'
    );
    IF FOUND THEN
        RAISE 'cannot create foreign key constraint %: % is %, % is %', bad.conname, bad.holder,
              bad.holder_place, bad.referred, bad.referred_place;
    END IF;
    SELECT conname INTO bad
    FROM pg_constraint
    WHERE contype = 'f' AND citus_stand_in.place_of(confrelid) = 'spread' AND NOT EXISTS (
        SELECT FROM unnest(conkey, confkey) AS part (own, other)
        JOIN pg_attribute AS a ON a.attrelid = conrelid AND a.attnum = part.own AND a.attname = 'run_id'
        JOIN pg_attribute AS b ON b.attrelid = confrelid AND b.attnum = part.other AND b.attname = 'run_id'
    );
    IF FOUND THEN
        RAISE 'cannot create foreign key constraint %: it goes without the partition column', bad.conname;
    END IF;
    FOR told IN SELECT * FROM pg_event_trigger_ddl_commands() LOOP
        IF told.command_tag IN ('CREATE FUNCTION', 'CREATE AGGREGATE', 'CREATE VIEW') THEN
            INSERT INTO citus_stand_in.pg_dist_object VALUES (told.classid, told.objid) ON CONFLICT DO NOTHING;
        ELSIF told.command_tag = 'CREATE INDEX' AND EXISTS (
            SELECT FROM pg_index WHERE indexrelid = told.objid AND indisunique
                AND citus_stand_in.place_of(indrelid) = 'spread' AND NOT EXISTS (
                    SELECT FROM pg_attribute
                    WHERE attrelid = indrelid AND attnum = ANY (indkey) AND attname = 'run_id'
                )
        ) THEN
            RAISE 'creating unique indexes on non-partition columns is currently unsupported';
        ELSIF told.command_tag = 'CREATE TRIGGER' AND citus_stand_in.place_of(
            (SELECT tgrelid FROM pg_trigger WHERE oid = told.objid)
        ) <> 'here' THEN
            RAISE 'triggers are not supported on distributed tables';
        END IF;
    END LOOP;
END $$;
CREATE EVENT TRIGGER citus_stand_in ON ddl_command_end EXECUTE FUNCTION check_tables();
RESET search_path;
"""


async def pretend_citus(url: str) -> None:
    """Give a database the stand-in."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(STAND_IN)
        await _see(connection)
    finally:
        await connection.close()


async def spread(url: str) -> None:
    """Give a database the stand-in, and spread it."""
    await pretend_citus(url)
    connection = await asyncpg.connect(url)
    try:
        await distribute(connection, SHARDS_DEFAULT, lambda _: None)
    finally:
        await connection.close()


async def see_citus(url: str) -> None:
    """Let connections to a copy of such a database see it, from now on."""
    connection = await asyncpg.connect(url)
    try:
        await _see(connection)
    finally:
        await connection.close()


async def _see(connection: Any) -> None:
    name = await connection.fetchval("SELECT quote_ident(current_database())")
    await connection.execute(f"ALTER DATABASE {name} SET search_path = public, citus_stand_in")
