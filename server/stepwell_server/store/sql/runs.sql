-- Queries of store/runs.py.

-- info: a run without what it logged.
SELECT *
FROM run
WHERE run_id = $1;

-- get: a run with its params, its tags and its latest metrics as arrays, in one snapshot; $2 of each at most.
SELECT run.*, params.*, tags.*, metrics.*
FROM run
CROSS JOIN LATERAL (
    SELECT array_agg(key) AS param_keys, array_agg(value) AS param_values
    FROM (SELECT key, value FROM param WHERE param.run_id = $1 LIMIT $2) AS first_ones
) AS params
CROSS JOIN LATERAL (
    SELECT array_agg(key) AS tag_keys, array_agg(value) AS tag_values
    FROM (SELECT key, value FROM tag WHERE tag.run_id = $1 LIMIT $2) AS first_ones
) AS tags
CROSS JOIN LATERAL (
    SELECT array_agg(name) AS metric_keys, array_agg(value) AS metric_values,
           array_agg(step) AS metric_steps, array_agg(timestamp_ms) AS metric_timestamps_ms
    FROM (SELECT * FROM metric_latest WHERE metric_latest.run_id = $1 LIMIT $2) AS first_ones
    JOIN metric USING (metric_id)
) AS metrics
WHERE run.run_id = $1;

-- rest_of_params: params of a run in the order of their keys, after the key $2, with the bytes of all up to each.
SELECT key, value, sum(octet_length(key) + octet_length(value)) OVER (ORDER BY key) AS bytes
FROM (SELECT key, value FROM param WHERE run_id = $1 AND key > $2 ORDER BY key LIMIT $3) AS first_ones
ORDER BY key;

-- rest_of_tags: the same of tags.
SELECT key, value, sum(octet_length(key) + octet_length(value)) OVER (ORDER BY key) AS bytes
FROM (SELECT key, value FROM tag WHERE run_id = $1 AND key > $2 ORDER BY key LIMIT $3) AS first_ones
ORDER BY key;

-- rest_of_metrics: the latest points of a run in the order of their metrics' numbers, after the number $2.
SELECT metric_id, name, value, step, timestamp_ms
FROM (SELECT * FROM metric_latest WHERE run_id = $1 AND metric_id > $2 ORDER BY metric_id LIMIT $3) AS first_ones
JOIN metric USING (metric_id)
ORDER BY metric_id;

-- experiment: what a new run has to know of its experiment, found by id, or among the active ones by name.
SELECT experiment_id, artifact_location, lifecycle_stage
FROM experiment
WHERE experiment_id = $1 OR (name = $2 AND lifecycle_stage = 'active');

-- create: adds a run with its first tags; no row when it is there, or its experiment is deleted. A start time of 0
-- means now. The lock on the experiment keeps it from being deleted without this run. Where it lies on several machines, those who
-- hold such a lock wait for each other; there the foreign key locks it, and whether it is still active is asked behind that.
WITH parent AS (
    SELECT experiment_id
    FROM experiment
    WHERE experiment_id = $2 AND lifecycle_stage = 'active'
    /* single */ FOR SHARE /* distributed: */
), created AS (
    INSERT INTO run AS added (run_id, experiment_id, name, status, start_time_ms, user_name, artifact_uri)
    SELECT
        $1, experiment_id, $3, 1,
        coalesce(nullif($4::bigint, 0), (extract(epoch FROM clock_timestamp()) * 1000)::bigint),
        $5, $6
    FROM parent
    ON CONFLICT (run_id) DO NOTHING
    RETURNING added.*
), tagged AS (
    INSERT INTO tag (run_id, key, value)
    SELECT created.run_id, first_tag.key, first_tag.value
    FROM created, unnest($7::text[], $8::text[]) AS first_tag (key, value)
)
SELECT *
FROM created;

-- set_name_tag: writes the tag $2 of an active run, which holds its name.
INSERT INTO tag (run_id, key, value)
SELECT run_id, $2, $3
FROM run
WHERE run_id = $1 AND lifecycle_stage = 'active'
ON CONFLICT (run_id, key) DO UPDATE SET value = excluded.value;

-- unmark_lost: takes the tag $2 of an active run away, because its status is known again.
DELETE FROM tag
USING run
WHERE tag.run_id = $1 AND tag.key = $2 AND run.run_id = tag.run_id AND run.lifecycle_stage = 'active';

-- update: changes what is not NULL of an active run.
UPDATE run
SET status      = coalesce($2, status),
    end_time_ms = coalesce($3, end_time_ms),
    name        = coalesce($4, name),
    changed_time_ms = (extract(epoch FROM now()) * 1000)::bigint
WHERE run_id = $1 AND lifecycle_stage = 'active'
RETURNING *;

-- delete_tag: removes a tag of an active run; returns its key.
DELETE FROM tag
USING run
WHERE tag.run_id = $1 AND tag.key = $2 AND run.run_id = tag.run_id AND run.lifecycle_stage = 'active'
RETURNING tag.key;

-- delete: deletes a run by itself, also one that is deleted with its experiment; returns its id.
WITH clock AS (
    SELECT (extract(epoch FROM now()) * 1000)::bigint AS now_ms
)
UPDATE run
SET lifecycle_stage         = 'deleted',
    deleted_with_experiment = false,
    deleted_time_ms         = coalesce(deleted_time_ms, clock.now_ms),
    changed_time_ms         = clock.now_ms
FROM clock
WHERE run_id = $1
RETURNING run_id;

-- restore: makes a run active whose experiment is; returns its id.
UPDATE run
SET lifecycle_stage = 'active', deleted_with_experiment = false, deleted_time_ms = NULL,
    changed_time_ms = (extract(epoch FROM now()) * 1000)::bigint
FROM experiment
WHERE run.run_id = $1
  AND experiment.experiment_id = run.experiment_id
  AND experiment.lifecycle_stage = 'active'
RETURNING run.run_id;
