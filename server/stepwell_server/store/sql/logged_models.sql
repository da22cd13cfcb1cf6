-- Queries of store/models/.

-- experiment: where the files of a new model go, in the experiment $1, or the one of the run $2.
SELECT experiment_id, artifact_location, lifecycle_stage
FROM experiment
WHERE experiment_id = $1 OR ($1::bigint IS NULL AND experiment_id = (SELECT experiment_id FROM run WHERE run_id = $2));

-- is_run: tells whether an id is that of a run.
SELECT EXISTS (SELECT FROM run WHERE run_id = $1);

-- has_file: tells whether a run shows a file.
SELECT EXISTS (SELECT FROM artifact WHERE run_id = $1 AND path = $2);

-- create: adds a model; no row when it is there, or its experiment is deleted. A creation time of 0 means now.
WITH parent AS (
    SELECT experiment_id
    FROM experiment
    WHERE experiment_id = $2 AND lifecycle_stage = 'active'
    /* single */ FOR SHARE /* distributed: */
), clock AS (
    SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms
)
INSERT INTO logged_model AS added (
    model_id, experiment_id, name, model_type, source_run_id, status, status_message,
    creation_time_ms, last_update_time_ms, artifact_uri
)
SELECT $1, experiment_id, $3, $4, $5, 1, '', coalesce(nullif($6::bigint, 0), now_ms), now_ms, $7
FROM parent, clock
ON CONFLICT (model_id) DO NOTHING
RETURNING added.model_id;

-- lock: keeps a model as it is until the transaction ends; what it is.
SELECT model_id, lifecycle_stage, removal_began
FROM logged_model
WHERE model_id = $1
FOR UPDATE;

-- get: a model that is not deleted.
SELECT *
FROM logged_model
WHERE model_id = $1 AND lifecycle_stage = 'active';

-- params: of the models $1.
SELECT model_id, key, value
FROM logged_model_param
WHERE model_id = ANY ($1::uuid[])
ORDER BY model_id, key COLLATE "C";

-- tags: of the models $1.
SELECT model_id, key, value
FROM logged_model_tag
WHERE model_id = ANY ($1::uuid[])
ORDER BY model_id, key COLLATE "C";

-- metrics: of the models $1, of each at most $2, the latest ones.
SELECT metric.*
FROM (
    SELECT *, row_number() OVER (PARTITION BY model_id ORDER BY timestamp_ms DESC, key COLLATE "C") AS place
    FROM logged_model_metric
    WHERE model_id = ANY ($1::uuid[])
) AS metric
WHERE place <= $2
ORDER BY metric.model_id, metric.key COLLATE "C", metric.run_id, metric.dataset_name COLLATE "C",
         metric.dataset_digest COLLATE "C";

-- set_status: how far a model is.
UPDATE logged_model
SET status = $2, status_message = $3, last_update_time_ms = (extract(epoch FROM statement_timestamp()) * 1000)::bigint
WHERE model_id = $1;

-- touch: notes that a model changed.
UPDATE logged_model
SET last_update_time_ms = (extract(epoch FROM statement_timestamp()) * 1000)::bigint
WHERE model_id = $1;

-- add_params: adds params to a model; those that are there stay.
INSERT INTO logged_model_param (model_id, key, value)
SELECT $1, key, value
FROM unnest($2::text[], $3::text[]) AS given (key, value)
ON CONFLICT (model_id, key) DO NOTHING;

-- changed_params: of the params, those that a model has with another value.
SELECT key, param.value
FROM unnest($2::text[], $3::text[]) AS given (key, value)
JOIN logged_model_param AS param USING (key)
WHERE param.model_id = $1 AND param.value <> given.value
ORDER BY key COLLATE "C";

-- extent: how many params and tags a model has, and how many bytes these are.
SELECT (SELECT count(*) FROM logged_model_param WHERE model_id = $1) AS params,
       (SELECT count(*) FROM logged_model_tag WHERE model_id = $1) AS tags,
       (
           SELECT coalesce(sum(octet_length(key) + octet_length(value)), 0)::bigint
           FROM (
               SELECT key, value FROM logged_model_param WHERE model_id = $1
               UNION ALL
               SELECT key, value FROM logged_model_tag WHERE model_id = $1
           ) AS texts
       ) AS bytes;

-- set_tags: writes tags over what is there.
INSERT INTO logged_model_tag (model_id, key, value)
SELECT $1, key, value
FROM unnest($2::text[], $3::text[]) AS given (key, value)
ON CONFLICT (model_id, key) DO UPDATE SET value = excluded.value;

-- delete_tag: removes a tag; returns its key.
DELETE FROM logged_model_tag
WHERE model_id = $1 AND key = $2
RETURNING key;

-- set_stage: deletes or restores a model.
WITH clock AS (
    SELECT (extract(epoch FROM now()) * 1000)::bigint AS now_ms
)
UPDATE logged_model
SET lifecycle_stage = $2, deleted_time_ms = CASE WHEN $2 = 'deleted' THEN clock.now_ms END
FROM clock
WHERE model_id = $1;

-- shown_in: the model whose description the run $1 shows at the path $2.
SELECT model.model_id, model.name, model.artifact_uri
FROM artifact
JOIN logged_model AS model ON model.model_id = artifact.linked_model_id
WHERE artifact.run_id = $1 AND artifact.path = $2;

-- run_stage: whether a run is active or deleted; keeps it so until the end of the transaction.
SELECT lifecycle_stage FROM run WHERE run_id = $1 FOR SHARE;

-- unknown_models: of the models $1 the first that is not there, or deleted.
SELECT wanted.id
FROM unnest($1::uuid[]) AS wanted (id)
LEFT JOIN logged_model ON logged_model.model_id = wanted.id AND logged_model.lifecycle_stage = 'active'
WHERE logged_model.model_id IS NULL
LIMIT 1;

-- add_outputs: notes models that a run made.
INSERT INTO model_output (run_id, model_id, step)
SELECT $1, model_id, step
FROM unnest($2::uuid[], $3::bigint[]) AS given (model_id, step)
ORDER BY model_id
ON CONFLICT (run_id, model_id) DO UPDATE SET step = excluded.step;

-- add_inputs: notes models that a run used.
INSERT INTO model_input (run_id, model_id)
SELECT $1, model_id
FROM unnest($2::uuid[]) AS given (model_id)
ORDER BY model_id
ON CONFLICT (run_id, model_id) DO NOTHING;

-- outputs_of: which models the runs $1 made, of each at most $2, the latest.
SELECT run_id, model_id, step
FROM (
    SELECT *, row_number() OVER (PARTITION BY run_id ORDER BY step DESC, model_id DESC) AS place
    FROM model_output
    WHERE run_id = ANY ($1::uuid[])
) AS output
WHERE place <= $2
ORDER BY run_id, step, model_id;

-- inputs_of: which models the runs $1 used, of each at most $2.
SELECT run_id, model_id
FROM (
    SELECT *, row_number() OVER (PARTITION BY run_id ORDER BY model_id) AS place
    FROM model_input
    WHERE run_id = ANY ($1::uuid[])
) AS input
WHERE place <= $2
ORDER BY run_id, model_id;
