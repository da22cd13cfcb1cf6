-- Queries of store/experiments.py. An experiment's tags come as two arrays, `tag_keys` and `tag_values`.

-- create: adds an experiment with its tags; no row when the name is taken.
WITH id AS (
    SELECT nextval(pg_get_serial_sequence('experiment', 'experiment_id')) AS experiment_id
), clock AS (
    SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms
), created AS (
    INSERT INTO experiment (experiment_id, name, artifact_location, creation_time_ms, last_update_time_ms)
    SELECT experiment_id, $1, coalesce(nullif($2, ''), $3 || experiment_id), now_ms, now_ms
    FROM id, clock
    ON CONFLICT (name) DO NOTHING
    RETURNING *
), tagged AS (
    INSERT INTO experiment_tag (experiment_id, key, value)
    SELECT created.experiment_id, tag.key, tag.value
    FROM created, unnest($4::text[], $5::text[]) AS tag (key, value)
)
SELECT created.*, $4::text[] AS tag_keys, $5::text[] AS tag_values
FROM created;

-- get: one experiment by id.
SELECT experiment.*, tags.*
FROM experiment
CROSS JOIN LATERAL (
    SELECT array_agg(key ORDER BY key COLLATE "C")   AS tag_keys,
           array_agg(value ORDER BY key COLLATE "C") AS tag_values
    FROM experiment_tag
    WHERE experiment_tag.experiment_id = experiment.experiment_id
) AS tags
WHERE experiment.experiment_id = $1;

-- get_by_name: one experiment by its exact name.
SELECT experiment.*, tags.*
FROM experiment
CROSS JOIN LATERAL (
    SELECT array_agg(key ORDER BY key COLLATE "C")   AS tag_keys,
           array_agg(value ORDER BY key COLLATE "C") AS tag_values
    FROM experiment_tag
    WHERE experiment_tag.experiment_id = experiment.experiment_id
) AS tags
WHERE experiment.name = $1;

-- list: a page, newest first, of the lifecycle stages in $1, after the (creation_time_ms, experiment_id) in $2 and $3.
SELECT experiment.*, tags.*
FROM experiment
CROSS JOIN LATERAL (
    SELECT array_agg(key ORDER BY key COLLATE "C")   AS tag_keys,
           array_agg(value ORDER BY key COLLATE "C") AS tag_values
    FROM experiment_tag
    WHERE experiment_tag.experiment_id = experiment.experiment_id
) AS tags
WHERE experiment.lifecycle_stage = ANY ($1::text[])
  AND ($2::bigint IS NULL OR (experiment.creation_time_ms, experiment.experiment_id) < ($2, $3::bigint))
ORDER BY experiment.creation_time_ms DESC, experiment.experiment_id DESC
LIMIT $4;

-- locate_default: gives the default experiment, made by the first migration, its artifact location.
UPDATE experiment
SET artifact_location = $1 || experiment_id
WHERE experiment_id = 0 AND artifact_location = '';
