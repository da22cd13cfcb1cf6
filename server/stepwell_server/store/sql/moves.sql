-- Queries of store/content/moves.py. An owner is a run or a logged model.

-- experiment: where the artifacts of an experiment go.
SELECT artifact_location
FROM experiment
WHERE experiment_id = $1;

-- count_elsewhere: how many artifacts of an experiment are not below the root $2, and their bytes.
SELECT count(*) AS number, coalesce(sum(artifact.size_bytes), 0)::bigint AS bytes
FROM artifact
JOIN artifact_content AS content USING (content_id)
WHERE content.root <> $2
  AND artifact.run_id IN (
      SELECT run_id FROM run WHERE experiment_id = $1
      UNION ALL
      SELECT model_id FROM logged_model WHERE experiment_id = $1
  );

-- count_uploads: how many uploads of an experiment go elsewhere than below the root $2.
SELECT count(*)
FROM artifact_upload
WHERE root <> $2
  AND run_id IN (
      SELECT run_id FROM run WHERE experiment_id = $1
      UNION ALL
      SELECT model_id FROM logged_model WHERE experiment_id = $1
  );

-- set_location: where the artifacts of new runs of an experiment go; $2, or below $3 where that is empty.
UPDATE experiment
SET artifact_location = coalesce(nullif($2, ''), $3 || experiment_id),
    last_update_time_ms = greatest(last_update_time_ms, (extract(epoch FROM statement_timestamp()) * 1000)::bigint)
WHERE experiment_id = $1
RETURNING rtrim(artifact_location, '/');

-- relocate_runs: lets the next $4 runs behind $3 have their artifacts below the location $2, and versions of models that were
-- made of them too; returns which runs these were.
WITH chosen AS (
    SELECT run_id, artifact_uri AS former, $2 || '/' || replace(run_id::text, '-', '') || '/artifacts' AS uri
    FROM run
    WHERE experiment_id = $1 AND run_id > $3
    ORDER BY run_id
    LIMIT $4
), changed AS (
    UPDATE run SET artifact_uri = chosen.uri
    FROM chosen
    WHERE run.run_id = chosen.run_id AND chosen.former <> chosen.uri
), versions AS (
    UPDATE model_version SET storage_uri = chosen.uri || substr(storage_uri, length(chosen.former) + 1)
    FROM chosen
    WHERE model_version.files_of = chosen.run_id AND chosen.former <> chosen.uri
      AND starts_with(storage_uri, chosen.former)
)
SELECT run_id AS owner_id FROM chosen ORDER BY run_id;

-- relocate_models: the same of logged models.
WITH chosen AS (
    SELECT model_id, artifact_uri AS former,
           $2 || '/models/m-' || replace(model_id::text, '-', '') || '/artifacts' AS uri
    FROM logged_model
    WHERE experiment_id = $1 AND model_id > $3
    ORDER BY model_id
    LIMIT $4
), changed AS (
    UPDATE logged_model SET artifact_uri = chosen.uri
    FROM chosen
    WHERE logged_model.model_id = chosen.model_id AND chosen.former <> chosen.uri
), versions AS (
    UPDATE model_version SET storage_uri = chosen.uri || substr(storage_uri, length(chosen.former) + 1)
    FROM chosen
    WHERE model_version.files_of = chosen.model_id AND chosen.former <> chosen.uri
      AND starts_with(storage_uri, chosen.former)
)
SELECT model_id AS owner_id FROM chosen ORDER BY model_id;

-- owners: the next $4 owners of an experiment behind $3 that show content which is not below the root $2.
SELECT owner_id, is_model
FROM (
    SELECT run_id AS owner_id, false AS is_model FROM run WHERE experiment_id = $1
    UNION ALL
    SELECT model_id, true FROM logged_model WHERE experiment_id = $1
) AS owner
WHERE owner_id > $3
  AND owner_id IN (
      SELECT artifact.run_id
      FROM artifact
      JOIN artifact_content AS content USING (content_id)
      WHERE content.root <> $2 AND artifact.run_id > $3
  )
ORDER BY owner_id
LIMIT $4;

-- elsewhere: the next $4 artifacts of the owner $1 behind the path $3 whose content is not below the root $2.
SELECT artifact.path, content.content_id, content.root, content.key, content.size_bytes, content.sha256, content.is_verified
FROM artifact
JOIN artifact_content AS content USING (content_id)
WHERE artifact.run_id = $1 AND artifact.path > $3 AND content.root <> $2
ORDER BY artifact.path
LIMIT $4;

-- close_uploads: ends the uploads $2 of an owner; returns those that were still open.
DELETE FROM artifact_upload
WHERE run_id = $1 AND upload_id = ANY ($2::uuid[])
RETURNING upload_id;

-- show_instead: lets paths $2 of an owner that still show the contents $3 show the contents $4; returns how many of each.
WITH shown AS (
    UPDATE artifact
    SET content_id = wanted.new_id
    FROM unnest($2::text[], $3::uuid[], $4::uuid[]) AS wanted (path, old_id, new_id)
    WHERE artifact.run_id = $1 AND artifact.path = wanted.path AND artifact.content_id = wanted.old_id
    RETURNING wanted.old_id, wanted.new_id
)
SELECT old_id, new_id, count(*) AS number
FROM shown
GROUP BY old_id, new_id;
