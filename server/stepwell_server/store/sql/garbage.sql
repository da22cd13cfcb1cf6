-- now: the database's time, in milliseconds
SELECT (extract(epoch FROM statement_timestamp()) * 1000)::bigint;

-- known_runs: of the given runs those that exist, with their stage
SELECT run_id, lifecycle_stage FROM run WHERE run_id = ANY ($1::uuid[]);

-- known_experiments: of the given experiments those that exist, with their stage
SELECT experiment_id, lifecycle_stage FROM experiment WHERE experiment_id = ANY ($1::bigint[]);

-- removable_runs: a page of deleted runs, in order: deleted before a time, only these where runs or experiments are given
SELECT run_id
FROM run
WHERE lifecycle_stage = 'deleted'
  AND (removal_began_ms IS NOT NULL OR coalesce(deleted_time_ms, 0) <= $1)
  AND ($2::uuid[] IS NULL OR run_id = ANY ($2))
  AND ($3::bigint[] IS NULL OR experiment_id = ANY ($3))
  AND run_id > $4
ORDER BY run_id
LIMIT $5;

-- count_points: how many points a run has
SELECT coalesce(sum(count), 0)::bigint FROM metric_latest WHERE run_id = $1;

-- count_artifacts: how many artifacts a run shows
SELECT count(*) FROM artifact WHERE run_id = $1;

-- removable_experiments: deleted experiments, only these where given, without runs, or ($3) with removable runs only
SELECT experiment_id
FROM experiment
WHERE lifecycle_stage = 'deleted'
  AND last_update_time_ms <= $1
  AND ($2::bigint[] IS NULL OR experiment_id = ANY ($2))
  AND experiment_id NOT IN (
      SELECT run.experiment_id
      FROM run
      JOIN experiment AS gone ON gone.experiment_id = run.experiment_id
      WHERE gone.lifecycle_stage = 'deleted'
        AND NOT (
            $3 AND run.lifecycle_stage = 'deleted' AND coalesce(run.deleted_time_ms, 0) <= $1
            AND NOT EXISTS (SELECT FROM model_version WHERE files_of = run.run_id)
        )
  )
  AND NOT EXISTS (
      SELECT FROM model_version
      JOIN logged_model ON logged_model.model_id = model_version.files_of
      WHERE logged_model.experiment_id = experiment.experiment_id
  )
ORDER BY experiment_id;

-- begin_removal: from now on the run cannot be restored; returns nothing when it should stay
WITH clock AS (
    SELECT (extract(epoch FROM now()) * 1000)::bigint AS now_ms
)
UPDATE run
SET removal_began_ms = coalesce(removal_began_ms, clock.now_ms)
FROM clock
WHERE run_id = $1 AND lifecycle_stage = 'deleted'
  AND NOT EXISTS (SELECT FROM model_version WHERE files_of = $1)
RETURNING run_id;

-- remove_chunks: removes some chunks of a run, and returns how many points each had
WITH chosen AS (
    SELECT metric_id, writer_id, first_position, part FROM metric_chunk WHERE run_id = $1 LIMIT $2
)
DELETE FROM metric_chunk AS chunk USING chosen
WHERE chunk.run_id = $1 AND chunk.metric_id = chosen.metric_id AND chunk.writer_id = chosen.writer_id
  AND chunk.first_position = chosen.first_position AND chunk.part = chosen.part
RETURNING chunk.count;

-- remove_latest: removes some latest points of a run
WITH chosen AS (SELECT metric_id FROM metric_latest WHERE run_id = $1 LIMIT $2)
DELETE FROM metric_latest AS latest USING chosen
WHERE latest.run_id = $1 AND latest.metric_id = chosen.metric_id
RETURNING latest.metric_id;

-- remove_params: removes some params of a run
WITH chosen AS (SELECT key FROM param WHERE run_id = $1 LIMIT $2)
DELETE FROM param USING chosen WHERE param.run_id = $1 AND param.key = chosen.key RETURNING param.key;

-- remove_tags: removes some tags of a run
WITH chosen AS (SELECT key FROM tag WHERE run_id = $1 LIMIT $2)
DELETE FROM tag USING chosen WHERE tag.run_id = $1 AND tag.key = chosen.key RETURNING tag.key;

-- remove_writers: removes some writers of a run
WITH chosen AS (SELECT writer_id FROM writer WHERE run_id = $1 LIMIT $2)
DELETE FROM writer USING chosen
WHERE writer.run_id = $1 AND writer.writer_id = chosen.writer_id
RETURNING writer.writer_id;

-- remove_additions: forgets some calls that added rows to tables of a run
WITH chosen AS (SELECT call_id FROM table_addition WHERE run_id = $1 LIMIT $2)
DELETE FROM table_addition AS addition USING chosen
WHERE addition.run_id = $1 AND addition.call_id = chosen.call_id
RETURNING addition.call_id;

-- remove_model_outputs: forgets some models that a run made
WITH chosen AS (SELECT model_id FROM model_output WHERE run_id = $1 LIMIT $2)
DELETE FROM model_output AS output USING chosen
WHERE output.run_id = $1 AND output.model_id = chosen.model_id
RETURNING output.model_id;

-- remove_model_inputs: forgets some models that a run used
WITH chosen AS (SELECT model_id FROM model_input WHERE run_id = $1 LIMIT $2)
DELETE FROM model_input AS input USING chosen
WHERE input.run_id = $1 AND input.model_id = chosen.model_id
RETURNING input.model_id;

-- remove_model_metrics: forgets some of what a run measured of models
WITH chosen AS (
    SELECT model_id, key, dataset_name, dataset_digest FROM logged_model_metric WHERE run_id = $1 LIMIT $2
)
DELETE FROM logged_model_metric AS metric USING chosen
WHERE metric.run_id = $1 AND metric.model_id = chosen.model_id AND metric.key = chosen.key
  AND metric.dataset_name = chosen.dataset_name AND metric.dataset_digest = chosen.dataset_digest
RETURNING metric.key;

-- lock_run: keeps everybody from giving anything to a run until the transaction ends
SELECT run_id FROM run WHERE run_id = $1 FOR UPDATE;

-- remove_artifact_lock: forgets what the artifacts of a run or a model were locked by
DELETE FROM artifact_lock WHERE run_id = $1;

-- remove_run: removes a run of which nothing else is left; returns its id, nothing when it has got files again
DELETE FROM run
WHERE run_id = $1
  AND NOT EXISTS (SELECT FROM artifact WHERE artifact.run_id = $1)
  AND NOT EXISTS (SELECT FROM artifact_upload WHERE artifact_upload.run_id = $1)
RETURNING run_id;

-- removable_models: a page of logged models, in order, that were deleted before a time, or whose experiment was; only those
-- of the experiments $2 where some are given
SELECT model_id
FROM logged_model AS model
JOIN experiment USING (experiment_id)
WHERE (
      model.lifecycle_stage = 'deleted' AND coalesce(model.deleted_time_ms, 0) <= $1
      OR experiment.lifecycle_stage = 'deleted' AND experiment.last_update_time_ms <= $1
  )
  AND ($2::bigint[] IS NULL OR model.experiment_id = ANY ($2))
  AND model_id > $3
ORDER BY model_id
LIMIT $4;

-- begin_model_removal: from now on the model is deleted and cannot be restored; returns nothing when it should stay
UPDATE logged_model AS model
SET lifecycle_stage = 'deleted', deleted_time_ms = coalesce(model.deleted_time_ms, 0), removal_began = true
FROM experiment
WHERE model.model_id = $1 AND experiment.experiment_id = model.experiment_id
  AND (model.lifecycle_stage = 'deleted' OR experiment.lifecycle_stage = 'deleted')
  AND NOT EXISTS (SELECT FROM model_version WHERE files_of = $1)
RETURNING model.model_id;

-- remove_model_rows: removes what a logged model has beside its files
WITH params AS (
    DELETE FROM logged_model_param WHERE model_id = $1
), tags AS (
    DELETE FROM logged_model_tag WHERE model_id = $1
), metrics AS (
    DELETE FROM logged_model_metric WHERE model_id = $1
), inputs AS (
    DELETE FROM model_input WHERE model_id = $1
)
DELETE FROM model_output WHERE model_id = $1;

-- lock_model: keeps everybody from giving anything to a model until the transaction ends
SELECT model_id FROM logged_model WHERE model_id = $1 FOR UPDATE;

-- remove_model: removes a logged model of which nothing else is left; returns its id, nothing when it has got files again
DELETE FROM logged_model
WHERE model_id = $1
  AND NOT EXISTS (SELECT FROM artifact WHERE artifact.run_id = $1)
  AND NOT EXISTS (SELECT FROM artifact_upload WHERE artifact_upload.run_id = $1)
RETURNING model_id;

-- remove_experiment_tags: removes the tags of a deleted experiment
DELETE FROM experiment_tag USING experiment
WHERE experiment_tag.experiment_id = $1 AND experiment.experiment_id = $1 AND lifecycle_stage = 'deleted';

-- remove_experiment: removes a deleted experiment of which nothing else is left; returns nothing when it was restored
DELETE FROM experiment WHERE experiment_id = $1 AND lifecycle_stage = 'deleted' RETURNING experiment_id;
