-- Queries of store/runs.py.

-- info: a run without what it logged.
SELECT *
FROM run
WHERE run_id = $1;

-- get: a run with its params, its tags and its latest metrics as arrays in key order, in one snapshot.
SELECT run.*, params.*, tags.*, metrics.*
FROM run
CROSS JOIN LATERAL (
    SELECT array_agg(key ORDER BY key COLLATE "C")   AS param_keys,
           array_agg(value ORDER BY key COLLATE "C") AS param_values
    FROM param
    WHERE param.run_id = run.run_id
) AS params
CROSS JOIN LATERAL (
    SELECT array_agg(key ORDER BY key COLLATE "C")   AS tag_keys,
           array_agg(value ORDER BY key COLLATE "C") AS tag_values
    FROM tag
    WHERE tag.run_id = run.run_id
) AS tags
CROSS JOIN LATERAL (
    SELECT array_agg(name ORDER BY name COLLATE "C")         AS metric_keys,
           array_agg(value ORDER BY name COLLATE "C")        AS metric_values,
           array_agg(step ORDER BY name COLLATE "C")         AS metric_steps,
           array_agg(timestamp_ms ORDER BY name COLLATE "C") AS metric_timestamps_ms
    FROM metric_latest
    JOIN metric USING (metric_id)
    WHERE metric_latest.run_id = run.run_id
) AS metrics
WHERE run.run_id = $1;

-- experiment: what a new run has to know of its experiment, found by id or by name.
SELECT experiment_id, artifact_location, lifecycle_stage
FROM experiment
WHERE experiment_id = $1 OR name = $2;

-- create: adds a run with its first tags; no row when it is there. A start time of 0 means now.
WITH created AS (
    INSERT INTO run (run_id, experiment_id, name, status, start_time_ms, user_name, artifact_uri)
    VALUES (
        $1, $2, $3, 1,
        coalesce(nullif($4::bigint, 0), (extract(epoch FROM clock_timestamp()) * 1000)::bigint),
        $5, $6
    )
    ON CONFLICT (run_id) DO NOTHING
    RETURNING *
), tagged AS (
    INSERT INTO tag (run_id, key, value)
    SELECT created.run_id, first_tag.key, first_tag.value
    FROM created, unnest($7::text[], $8::text[]) AS first_tag (key, value)
)
SELECT *
FROM created;

-- update: changes what is not NULL of an active run; a new name is also its tag $5, a status ends its tag $6 (lost).
WITH updated AS (
    UPDATE run
    SET status      = coalesce($2, status),
        end_time_ms = coalesce($3, end_time_ms),
        name        = coalesce($4, name)
    WHERE run_id = $1 AND lifecycle_stage = 'active'
    RETURNING *
), named AS (
    INSERT INTO tag (run_id, key, value)
    SELECT run_id, $5, $4
    FROM updated
    WHERE $4::text IS NOT NULL
    ON CONFLICT (run_id, key) DO UPDATE SET value = excluded.value
), untagged AS (
    DELETE FROM tag
    USING updated
    WHERE tag.run_id = updated.run_id AND tag.key = $6 AND $2::smallint IS NOT NULL
)
SELECT *
FROM updated;

-- delete_tag: removes a tag of an active run; returns its key.
DELETE FROM tag
USING run
WHERE tag.run_id = $1 AND tag.key = $2 AND run.run_id = tag.run_id AND run.lifecycle_stage = 'active'
RETURNING tag.key;
