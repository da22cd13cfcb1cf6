-- Queries of store/content/verification.py.

-- run_exists: tells whether a run, or a logged model, exists.
SELECT EXISTS (SELECT FROM run WHERE run_id = $1) OR EXISTS (SELECT FROM logged_model WHERE model_id = $1);

-- count_contents: how many contents the run $1 shows, or all of them, and how many bytes they have.
SELECT count(*) AS number, coalesce(sum(size_bytes), 0)::bigint AS bytes
FROM artifact_content
WHERE $1::uuid IS NULL OR content_id IN (SELECT content_id FROM artifact WHERE run_id = $1);

-- contents: the next $3 of them behind the content $2.
SELECT content_id, root, key, size_bytes, sha256, is_verified
FROM artifact_content
WHERE ($1::uuid IS NULL OR content_id IN (SELECT content_id FROM artifact WHERE run_id = $1))
  AND ($2::uuid IS NULL OR content_id > $2)
ORDER BY content_id
LIMIT $3;

-- shown: where the contents $1 are, how many artifacts show them, and the first $2 of these; what is before an id of a model.
SELECT content.content_id, content.key, numbered.run_id, numbered.path, numbered.total,
       CASE WHEN EXISTS (SELECT FROM logged_model WHERE model_id = numbered.run_id) THEN 'm-' ELSE '' END AS prefix
FROM artifact_content AS content
JOIN (
    SELECT content_id, run_id, path, count(*) OVER (PARTITION BY content_id) AS total,
           row_number() OVER (PARTITION BY content_id ORDER BY run_id, path) AS number
    FROM artifact
    WHERE content_id = ANY ($1::uuid[])
) AS numbered ON numbered.content_id = content.content_id AND numbered.number <= $2
WHERE content.content_id = ANY ($1::uuid[])
ORDER BY content.content_id, numbered.number;

-- set_verified: notes whether contents are what they ought to be.
UPDATE artifact_content SET is_verified = $2
WHERE content_id = ANY ($1::uuid[]);
