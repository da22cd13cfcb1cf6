-- Queries of store/content/model_files.py.

-- model: what is to be known of a logged model before its files change places.
SELECT name, source_run_id, experiment_id
FROM logged_model
WHERE model_id = $1;

-- run: tells whether a run is there, and keeps it from being removed for good. It shows only models of its own experiment ($2),
-- as who may write to another one may not write to the run.
SELECT true
FROM run
WHERE run_id = $1 AND experiment_id = $2 AND removal_began_ms IS NULL
FOR KEY SHARE;

-- newest: the model of a run that its folder $2 shows.
SELECT model_id
FROM logged_model
WHERE source_run_id = $1 AND name = $2 AND status = 2 AND lifecycle_stage = 'active'
  AND experiment_id = (SELECT experiment_id FROM run WHERE run_id = $1)
ORDER BY creation_time_ms DESC, model_id
LIMIT 1;

-- unlink: the run's files that models of the name $2 have go, those from $3 on and before $4; returns what they showed.
WITH gone AS (
    DELETE FROM artifact
    WHERE run_id = $1 AND path >= $3 AND path < $4
      AND linked_model_id IN (SELECT model_id FROM logged_model WHERE source_run_id = $1 AND name = $2)
    RETURNING content_id
)
SELECT content_id, count(*) AS number
FROM gone
GROUP BY content_id;

-- cannot_link: tells whether files of the model $2 below the folder $3 would have paths that are too long, or be a file and
-- a folder at once with what the run $1 has.
SELECT EXISTS (
    SELECT FROM artifact WHERE run_id = $1 AND path = $3
) OR EXISTS (
    SELECT
    FROM artifact AS own
    CROSS JOIN LATERAL (SELECT $3 || '/' || own.path AS path) AS wanted
    WHERE own.run_id = $2
      AND (
          octet_length(wanted.path) > $4
          OR EXISTS (
              SELECT FROM artifact
              WHERE artifact.run_id = $1
                AND artifact.path > wanted.path || '/' AND artifact.path < wanted.path || '0'
          )
          OR EXISTS (
              SELECT
              FROM regexp_matches(wanted.path, '/', 'g') WITH ORDINALITY AS slash (found, number)
              JOIN artifact
                ON artifact.run_id = $1
               AND artifact.path = array_to_string((string_to_array(wanted.path, '/'))[1:slash.number::integer], '/')
          )
      )
);

-- replaced: what the run $1 shows where the files of the model $2 are to be, below the folder $3.
SELECT content_id, count(*) AS number
FROM artifact
WHERE run_id = $1 AND path IN (SELECT $3 || '/' || own.path FROM artifact AS own WHERE own.run_id = $2)
GROUP BY content_id;

-- lock_contents: locks, in order, the contents of the files of the run or model $1, from the path $2 on and before $3.
SELECT content_id
FROM artifact_content
WHERE content_id IN (SELECT content_id FROM artifact WHERE run_id = $1 AND path >= $2 AND path < $3)
ORDER BY content_id
FOR NO KEY UPDATE;

-- count: counts them once more, as often as they are shown there.
WITH shown AS (
    SELECT content_id, count(*) AS number
    FROM artifact
    WHERE run_id = $1 AND path >= $2 AND path < $3
    GROUP BY content_id
)
UPDATE artifact_content AS content
SET reference_count = content.reference_count + shown.number
FROM shown
WHERE content.content_id = shown.content_id;

-- link: lets the run $1 show the files of the model $2 below the folder $3.
INSERT INTO artifact (run_id, path, content_id, size_bytes, logged_time_ms, linked_model_id)
SELECT $1, $3 || '/' || path, content_id, size_bytes, logged_time_ms, $2
FROM artifact
WHERE run_id = $2
ON CONFLICT (run_id, path) DO UPDATE SET
    content_id      = excluded.content_id,
    size_bytes      = excluded.size_bytes,
    logged_time_ms  = excluded.logged_time_ms,
    linked_model_id = excluded.linked_model_id;

-- adopt: gives the model $2 the files that the run $1 has from the path $3 on and before $4, without the first $5 characters.
INSERT INTO artifact (run_id, path, content_id, size_bytes, logged_time_ms)
SELECT $2, substr(path, $5 + 1), content_id, size_bytes, logged_time_ms
FROM artifact
WHERE run_id = $1 AND path >= $3 AND path < $4;

-- mark: these files of the run are the model's from now on.
UPDATE artifact
SET linked_model_id = $2
WHERE run_id = $1 AND path >= $3 AND path < $4;
