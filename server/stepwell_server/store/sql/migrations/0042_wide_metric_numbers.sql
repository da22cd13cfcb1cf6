-- Numbers of metrics have 64 bits. They do not end at 2^31 any more, and in a database of several machines each machine
-- gives those of a range of its own. No row grows: the number takes what lay empty in front of columns of 8 bytes.
-- rewrites: metric_latest, metric_chunk

-- Views do not let a column change that they show: they go, and come again as they were, for the same readers.
CREATE TEMPORARY TABLE kept_view ON COMMIT DROP AS
SELECT relname::text AS name, pg_get_viewdef(oid) AS definition
FROM pg_class
WHERE relnamespace = current_schema()::regnamespace AND relname IN ('visible_chunk', 'metric_points', 'run_metrics');

CREATE TEMPORARY TABLE kept_reader ON COMMIT DROP AS
SELECT relname::text AS name, privilege_type,
       CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END AS reader,
       CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END AS option
FROM pg_class
JOIN kept_view ON kept_view.name = relname
CROSS JOIN LATERAL aclexplode(relacl)
WHERE relnamespace = current_schema()::regnamespace AND grantee <> relowner;

DROP VIEW visible_chunk, metric_points, run_metrics;

ALTER TABLE metric_latest DROP CONSTRAINT metric_latest_metric_id_fkey;
ALTER TABLE metric ALTER COLUMN metric_id TYPE bigint;
ALTER TABLE metric_latest ALTER COLUMN metric_id TYPE bigint;
ALTER TABLE metric_chunk ALTER COLUMN metric_id TYPE bigint;
ALTER TABLE metric_latest ADD CONSTRAINT metric_latest_metric_id_fkey FOREIGN KEY (metric_id) REFERENCES metric;

DO $$
DECLARE
    kept record;
BEGIN
    FOR kept IN SELECT * FROM kept_view LOOP
        EXECUTE format('CREATE VIEW %I AS %s', kept.name, kept.definition);
    END LOOP;
    FOR kept IN SELECT * FROM kept_reader LOOP
        EXECUTE format('GRANT %s ON %I TO %s%s', kept.privilege_type, kept.name, kept.reader, kept.option);
    END LOOP;
END
$$;
