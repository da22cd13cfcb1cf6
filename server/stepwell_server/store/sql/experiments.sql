-- Queries of store/experiments.py. An experiment's tags come as two arrays, `tag_keys` and `tag_values`.

-- create: adds an experiment with its tags; no row when the name is taken.
WITH id AS (
    SELECT nextval(pg_get_serial_sequence('experiment', 'experiment_id')) AS experiment_id
), clock AS (
    SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms
), created AS (
    INSERT INTO experiment AS added (experiment_id, name, artifact_location, creation_time_ms, last_update_time_ms)
    SELECT experiment_id, $1, coalesce(nullif($2, ''), $3 || experiment_id), now_ms, now_ms
    FROM id, clock
    ON CONFLICT (name) WHERE lifecycle_stage = 'active' DO NOTHING
    RETURNING added.*
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

-- get_by_name: one experiment by its exact name: the active one, or else the deleted one that changed last.
SELECT experiment.*, tags.*
FROM experiment
CROSS JOIN LATERAL (
    SELECT array_agg(key ORDER BY key COLLATE "C")   AS tag_keys,
           array_agg(value ORDER BY key COLLATE "C") AS tag_values
    FROM experiment_tag
    WHERE experiment_tag.experiment_id = experiment.experiment_id
) AS tags
WHERE experiment.name = $1
ORDER BY experiment.lifecycle_stage = 'active' DESC, experiment.last_update_time_ms DESC, experiment.experiment_id DESC
LIMIT 1;

-- list: a page, newest first, of the lifecycle stages in $1, after the (creation_time_ms, experiment_id) in $2 and $3; it
-- ends behind the one whose tags come to more than $5 bytes with those before it. Of $6 (NULL: all), but $7.
WITH page AS MATERIALIZED (
    SELECT *
    FROM experiment
    WHERE lifecycle_stage = ANY ($1::text[])
      AND ($6::bigint[] IS NULL OR experiment_id = ANY ($6)) AND experiment_id <> ALL ($7::bigint[])
      AND ($2::bigint IS NULL OR (creation_time_ms, experiment_id) < ($2, $3::bigint))
    ORDER BY creation_time_ms DESC, experiment_id DESC
    LIMIT $4
), sized AS (
    SELECT page.*, coalesce(sum(bytes) OVER (
        ORDER BY creation_time_ms DESC, experiment_id DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 2 PRECEDING
    ), 0) AS bytes_before
    FROM page
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(octet_length(key) + octet_length(value)), 0) AS bytes
        FROM experiment_tag
        WHERE experiment_tag.experiment_id = page.experiment_id
    ) AS tags
)
SELECT experiment.*, tags.*
FROM sized AS experiment
CROSS JOIN LATERAL (
    SELECT array_agg(key ORDER BY key COLLATE "C")   AS tag_keys,
           array_agg(value ORDER BY key COLLATE "C") AS tag_values
    FROM experiment_tag
    WHERE experiment_tag.experiment_id = experiment.experiment_id
) AS tags
WHERE experiment.bytes_before <= $5
ORDER BY experiment.creation_time_ms DESC, experiment.experiment_id DESC;

-- locate_default: gives the default experiment, made by the first migration, its artifact location.
UPDATE experiment
SET artifact_location = $1 || experiment_id
WHERE experiment_id = 0 AND artifact_location = '';

-- update: sets the name $2, unless it is NULL, and the time of the last change of an active experiment; returns its id.
UPDATE experiment
SET name = coalesce($2, name), last_update_time_ms = (extract(epoch FROM statement_timestamp()) * 1000)::bigint
WHERE experiment_id = $1 AND lifecycle_stage = 'active'
RETURNING experiment_id;

-- set_tags: writes tags over what is there, now or as of the time $4: then what was set after it stays. No time is
-- ahead of this database's clock.
INSERT INTO experiment_tag AS stored (experiment_id, key, value, set_time_ms)
SELECT $1, key, value, least($4::bigint, (extract(epoch FROM clock_timestamp()) * 1000)::bigint)
FROM unnest($2::text[], $3::text[]) AS given (key, value)
ORDER BY key
ON CONFLICT (experiment_id, key) DO UPDATE SET value = excluded.value, set_time_ms = excluded.set_time_ms
WHERE $4 IS NULL OR stored.set_time_ms <= excluded.set_time_ms;

-- tags_bytes: how large all tags of an experiment are.
SELECT coalesce(sum(octet_length(key) + octet_length(value)), 0)
FROM experiment_tag
WHERE experiment_id = $1;

-- delete_tag: removes a tag, unless it was set after the time $3, if there is one; returns its key.
DELETE FROM experiment_tag
WHERE experiment_id = $1 AND key = $2 AND ($3::bigint IS NULL OR set_time_ms <= $3)
RETURNING key;

-- lock: keeps everybody from adding runs to an experiment, and waits for those who are at it; what it is called.
SELECT name
FROM experiment
WHERE experiment_id = $1
FOR UPDATE;

-- stage: whether an experiment is active or deleted.
SELECT lifecycle_stage
FROM experiment
WHERE experiment_id = $1;

-- change_stage: moves an experiment to the stage $2; no row when it is there already. Locks it against new runs.
UPDATE experiment
SET lifecycle_stage = $2, last_update_time_ms = (extract(epoch FROM statement_timestamp()) * 1000)::bigint
WHERE experiment_id = $1 AND lifecycle_stage <> $2
RETURNING experiment_id;

-- delete_runs: deletes the active runs of an experiment with it, locked in order; returns how many.
WITH active AS (
    SELECT run_id
    FROM run
    WHERE experiment_id = $1 AND lifecycle_stage = 'active'
    ORDER BY run_id
    /* single */ FOR NO KEY UPDATE /* distributed: */
), deleted AS (
    UPDATE run
    SET lifecycle_stage         = 'deleted',
        deleted_with_experiment = true,
        deleted_time_ms         = (extract(epoch FROM now()) * 1000)::bigint,
        changed_time_ms         = (extract(epoch FROM now()) * 1000)::bigint
    FROM active
    WHERE run.run_id = active.run_id
    RETURNING run.run_id
)
SELECT count(*)
FROM deleted;

-- restore_runs: restores the runs that were deleted with their experiment, locked in order; returns how many.
WITH gone AS (
    SELECT run_id
    FROM run
    WHERE experiment_id = $1 AND deleted_with_experiment
    ORDER BY run_id
    /* single */ FOR NO KEY UPDATE /* distributed: */
), restored AS (
    UPDATE run
    SET lifecycle_stage = 'active', deleted_with_experiment = false, deleted_time_ms = NULL,
        changed_time_ms = (extract(epoch FROM now()) * 1000)::bigint
    FROM gone
    WHERE run.run_id = gone.run_id
    RETURNING run.run_id
)
SELECT count(*)
FROM restored;
