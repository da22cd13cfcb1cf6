-- Queries of store/content/artifacts.py. A `run_id` is the id of a run or of a logged model.

-- lock_run: makes changes of one run's artifacts wait for each other, until the transaction ends.
/* single */ SELECT pg_advisory_xact_lock(hashtextextended('stepwell artifacts ' || $1::uuid::text, 0)) /* distributed:
INSERT INTO artifact_lock AS held (run_id) VALUES ($1) ON CONFLICT (run_id) DO UPDATE SET taken = true */;

-- owner: where the artifacts of a run or a logged model go, and whether they may change.
SELECT 'run ' || replace(run_id::text, '-', '') AS name, artifact_uri, lifecycle_stage
FROM run
WHERE run_id = $1
UNION ALL
SELECT 'model m-' || replace(model_id::text, '-', ''), artifact_uri, lifecycle_stage
FROM logged_model
WHERE model_id = $1;

-- keep_run: keeps a run from being removed for good; nothing when it is none.
SELECT true
FROM run
WHERE run_id = $1
FOR KEY SHARE;

-- keep_model: the same of a logged model; tells whether its run shows its files, too.
SELECT status = 2 AND source_run_id IS NOT NULL
FROM logged_model
WHERE model_id = $1
FOR KEY SHARE;

-- conflicts: paths of $2 that are folders, or lie in what is a file.
SELECT wanted.path, taken.path AS other
FROM unnest($2::text[]) AS wanted (path)
CROSS JOIN LATERAL (
    (SELECT artifact.path
     FROM artifact
     WHERE artifact.run_id = $1
       AND artifact.path > wanted.path || '/' AND artifact.path < wanted.path || '0'
     LIMIT 1)
    UNION ALL
    (SELECT artifact.path
     FROM regexp_matches(wanted.path, '/', 'g') WITH ORDINALITY AS slash (found, number)
     JOIN artifact
       ON artifact.run_id = $1
      AND artifact.path = array_to_string((string_to_array(wanted.path, '/'))[1:slash.number::integer], '/')
     LIMIT 1)
) AS taken
LIMIT 1;

-- find_contents: the verified contents below the root $1 that have one of the hashes $2.
SELECT content_id, sha256, size_bytes, key
FROM artifact_content
WHERE root = $1 AND sha256 = ANY ($2::bytea[]) AND is_verified;

-- known_contents: the same, locked, in order.
SELECT content_id, sha256, size_bytes
FROM artifact_content
WHERE root = $1 AND sha256 = ANY ($2::bytea[]) AND is_verified
ORDER BY content_id
FOR NO KEY UPDATE;

-- own_contents: the same, of what the run $3 shows.
SELECT content_id, sha256, size_bytes
FROM artifact_content
WHERE root = $1 AND sha256 = ANY ($2::bytea[]) AND is_verified
  AND content_id IN (SELECT content_id FROM artifact WHERE run_id = $3)
ORDER BY content_id
FOR NO KEY UPDATE;

-- doubt: contents that are not what they ought to be.
UPDATE artifact_content SET is_verified = false
WHERE content_id = ANY ($1::uuid[]);

-- doubted_keys: where bytes are that nobody vouches for, below the roots $1 with the hashes $2; locked, in order.
SELECT root, key
FROM artifact_content
WHERE (root, sha256) IN (SELECT * FROM unnest($1::text[], $2::bytea[])) AND NOT is_verified
ORDER BY content_id
FOR NO KEY UPDATE;

-- add_contents: stores new contents, or counts on those that are there; returns which content each hash has. New bytes
-- take the place of those that nobody vouches for.
INSERT INTO artifact_content AS content (content_id, root, key, size_bytes, sha256, reference_count)
SELECT *
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::bytea[], $6::bigint[])
    AS added (content_id, root, key, size_bytes, sha256, reference_count)
ORDER BY added.sha256
ON CONFLICT (root, sha256) DO UPDATE SET
    reference_count = content.reference_count + excluded.reference_count,
    key             = CASE WHEN content.is_verified THEN content.key ELSE excluded.key END,
    size_bytes      = CASE WHEN content.is_verified THEN content.size_bytes ELSE excluded.size_bytes END,
    is_verified     = true
RETURNING content_id, root, key, sha256;

-- add_references: counts $2 artifacts more for the contents $1.
UPDATE artifact_content AS content
SET reference_count = content.reference_count + added.number
FROM unnest($1::uuid[], $2::bigint[]) AS added (content_id, number)
WHERE content.content_id = added.content_id;

-- replaced: contents that the run's paths $2 show now.
SELECT content_id, count(*) AS number
FROM artifact
WHERE run_id = $1 AND path = ANY ($2::text[])
GROUP BY content_id;

-- show: makes the paths show the contents from now on.
INSERT INTO artifact (run_id, path, content_id, size_bytes, logged_time_ms)
SELECT $1, shown.*, (extract(epoch FROM clock_timestamp()) * 1000)::bigint
FROM unnest($2::text[], $3::uuid[], $4::bigint[]) AS shown (path, content_id, size_bytes)
ON CONFLICT (run_id, path) DO UPDATE SET
    content_id      = excluded.content_id,
    size_bytes      = excluded.size_bytes,
    logged_time_ms  = excluded.logged_time_ms,
    linked_model_id = NULL;

-- lock_contents: locks contents by id, in order, before their counts go down.
SELECT content_id
FROM artifact_content
WHERE content_id = ANY ($1::uuid[])
ORDER BY content_id
FOR UPDATE;

-- drop_references: counts $2 artifacts less for the contents $1.
UPDATE artifact_content AS content
SET reference_count = content.reference_count - dropped.number
FROM unnest($1::uuid[], $2::bigint[]) AS dropped (content_id, number)
WHERE content.content_id = dropped.content_id;

-- discard_contents: those of the contents $1 that no artifact shows become garbage, which returns; up to $2 bytes have no parts.
WITH unused AS (
    DELETE FROM artifact_content
    WHERE content_id = ANY ($1::uuid[]) AND reference_count = 0
    RETURNING root, key, size_bytes
)
INSERT INTO artifact_garbage AS garbage (root, key, multipart_id)
SELECT root, key, CASE WHEN size_bytes <= $2 THEN '' END
FROM unused
RETURNING garbage.garbage_id, garbage.root, garbage.key, garbage.multipart_id;

-- discard_keys: bytes that nothing shows become garbage, and what the bucket holds of them in parts.
INSERT INTO artifact_garbage (root, key, multipart_id)
SELECT *
FROM unnest($1::text[], $2::text[], $3::text[]);

-- announced: bytes that open uploads announced: of all, below the root $1 as far as they have not come, and of the run's ($2) files $3 with the hashes $4.
SELECT coalesce(sum(size_bytes), 0)::bigint AS announced_bytes,
       coalesce(sum(size_bytes) FILTER (WHERE root = $1 AND NOT is_checked), 0)::bigint AS root_announced_bytes,
       coalesce(sum(size_bytes) FILTER (
           WHERE root = $1 AND run_id = $2 AND (path, sha256) IN (SELECT * FROM unnest($3::text[], $4::bytea[]))
       ), 0)::bigint AS same_announced_bytes
FROM artifact_upload;

-- stored: bytes of the artifacts of a run, and if $2 of its experiment, with what they have announced; and of all contents.
WITH place AS (
    SELECT experiment_id FROM run WHERE run_id = $1
    UNION ALL
    SELECT experiment_id FROM logged_model WHERE model_id = $1
), beside AS (
    SELECT run_id FROM run JOIN place USING (experiment_id) WHERE $2::boolean
    UNION ALL
    SELECT model_id FROM logged_model JOIN place USING (experiment_id) WHERE $2::boolean
)
SELECT (SELECT coalesce(sum(artifact_content.size_bytes), 0)
        FROM artifact JOIN artifact_content USING (content_id) WHERE artifact.run_id = $1)::bigint
     + (SELECT coalesce(sum(size_bytes), 0)
        FROM artifact_upload WHERE run_id = $1)::bigint AS run_bytes,
       (SELECT coalesce(sum(artifact_content.size_bytes), 0)
        FROM artifact JOIN artifact_content USING (content_id) JOIN beside USING (run_id)
        WHERE artifact.linked_model_id IS NULL)::bigint
     + (SELECT coalesce(sum(size_bytes), 0)
        FROM artifact_upload JOIN beside USING (run_id))::bigint AS experiment_bytes,
       (SELECT coalesce(sum(size_bytes), 0) FROM artifact_content)::bigint AS total_bytes;

-- open_uploads: notes new uploads; one of the same file that is open already is returned instead. None without the run or
-- model, which is not removed for good meanwhile.
WITH of_run AS (
    SELECT FROM run WHERE run_id = $1 FOR KEY SHARE
), of_model AS (
    SELECT FROM logged_model WHERE model_id = $1 FOR KEY SHARE
)
INSERT INTO artifact_upload AS upload (run_id, upload_id, path, size_bytes, sha256, root, key, active_time_ms)
SELECT $1, opened.*, (extract(epoch FROM clock_timestamp()) * 1000)::bigint
FROM unnest($2::uuid[], $3::text[], $4::bigint[], $5::bytea[], $6::text[], $7::text[])
    AS opened (upload_id, path, size_bytes, sha256, root, key)
WHERE EXISTS (SELECT FROM of_run) OR EXISTS (SELECT FROM of_model)
ORDER BY opened.path
ON CONFLICT (run_id, path, sha256, root) DO UPDATE SET active_time_ms = excluded.active_time_ms
RETURNING *;

-- uploads: open uploads of a run by id; also keeps them from being given up, and notes that bytes come through ($3).
UPDATE artifact_upload
SET active_time_ms = (extract(epoch FROM statement_timestamp()) * 1000)::bigint,
    came_through = came_through OR $3
WHERE run_id = $1 AND upload_id = ANY ($2::uuid[]) AND sha256 IS NOT NULL
RETURNING *;

-- set_checked: notes that all bytes of uploads came through the server and are right.
UPDATE artifact_upload
SET is_checked = true
WHERE run_id = $1 AND upload_id = ANY ($2::uuid[]);

-- open_arrival: notes a file on its way of which only the path is known, and that it has $6 bytes at least.
INSERT INTO artifact_upload (run_id, upload_id, path, root, key, size_bytes, active_time_ms)
VALUES ($1, $2, $3, $4, $5, $6, (extract(epoch FROM clock_timestamp()) * 1000)::bigint);

-- announce: notes that such a file has $3 bytes at least.
UPDATE artifact_upload SET size_bytes = $3
WHERE run_id = $1 AND upload_id = $2 AND sha256 IS NULL;

-- arrival: such a file by id; also keeps it from being given up.
UPDATE artifact_upload
SET active_time_ms = (extract(epoch FROM statement_timestamp()) * 1000)::bigint
WHERE run_id = $1 AND upload_id = $2 AND sha256 IS NULL
RETURNING path, root, key, coalesce(size_bytes, 0) AS announced_bytes, multipart_id;

-- set_multipart: notes the bucket's name for such a file that goes there in parts.
UPDATE artifact_upload
SET multipart_id = $3
WHERE run_id = $1 AND upload_id = $2
RETURNING true;

-- lock_upload: an open upload that nobody else changes.
SELECT *
FROM artifact_upload
WHERE run_id = $1 AND upload_id = $2
FOR UPDATE;

-- set_direct: notes where an upload goes straight to the bucket.
UPDATE artifact_upload SET direct_key = $3, multipart_id = $4
WHERE run_id = $1 AND upload_id = $2;

-- close_uploads: ends uploads that are finished.
DELETE FROM artifact_upload
WHERE run_id = $1 AND upload_id = ANY ($2::uuid[])
RETURNING *;

-- abandon_uploads: gives uploads of a run up; what they hold becomes garbage; returns how many.
WITH abandoned AS (
    DELETE FROM artifact_upload
    WHERE run_id = $1 AND upload_id = ANY ($2::uuid[])
    RETURNING root, key, direct_key, multipart_id
), discarded AS (
    INSERT INTO artifact_garbage (root, key, multipart_id)
    SELECT root, key, CASE WHEN direct_key IS NULL THEN multipart_id END FROM abandoned
    UNION ALL
    SELECT root, direct_key, multipart_id FROM abandoned WHERE direct_key IS NOT NULL
)
SELECT count(*) FROM abandoned;

-- idle: up to $2 uploads for which nothing happened in $1 milliseconds, by run.
SELECT run_id, array_agg(upload_id) AS upload_ids
FROM (
    SELECT run_id, upload_id
    FROM artifact_upload
    WHERE active_time_ms < (extract(epoch FROM clock_timestamp()) * 1000)::bigint - $1::bigint
    ORDER BY active_time_ms
    LIMIT $2
) AS first_ones
GROUP BY run_id;

-- abandon_idle: gives those of the uploads $2 of a run up for which still nothing happened in $3 milliseconds, and which
-- nobody has locked; returns how many.
WITH idle AS (
    SELECT upload_id
    FROM artifact_upload
    WHERE run_id = $1 AND upload_id = ANY ($2::uuid[])
      AND active_time_ms < (extract(epoch FROM clock_timestamp()) * 1000)::bigint - $3::bigint
    FOR UPDATE SKIP LOCKED
), abandoned AS (
    DELETE FROM artifact_upload AS upload
    USING idle
    WHERE upload.run_id = $1 AND upload.upload_id = idle.upload_id
    RETURNING upload.root, upload.key, upload.direct_key, upload.multipart_id
), discarded AS (
    INSERT INTO artifact_garbage (root, key, multipart_id)
    SELECT root, key, CASE WHEN direct_key IS NULL THEN multipart_id END FROM abandoned
    UNION ALL
    SELECT root, direct_key, multipart_id FROM abandoned WHERE direct_key IS NOT NULL
)
SELECT count(*) FROM abandoned;

-- abandon_run: gives up to $2 uploads of a run up; what they hold becomes garbage; returns how many.
WITH chosen AS (
    SELECT upload_id
    FROM artifact_upload
    WHERE run_id = $1
    LIMIT $2
), abandoned AS (
    DELETE FROM artifact_upload AS upload
    USING chosen
    WHERE upload.run_id = $1 AND upload.upload_id = chosen.upload_id
    RETURNING upload.root, upload.key, upload.direct_key, upload.multipart_id
), discarded AS (
    INSERT INTO artifact_garbage (root, key, multipart_id)
    SELECT root, key, CASE WHEN direct_key IS NULL THEN multipart_id END FROM abandoned
    UNION ALL
    SELECT root, direct_key, multipart_id FROM abandoned WHERE direct_key IS NOT NULL
)
SELECT count(*) FROM abandoned;

-- get: one artifact.
SELECT artifact.path, artifact.size_bytes, artifact.logged_time_ms, content.sha256, content.root, content.key
FROM artifact
JOIN artifact_content AS content USING (content_id)
WHERE artifact.run_id = $1 AND artifact.path = $2;

-- list_below: files from the path $2 on, as long as they come before $3; with $5 those of models are left out.
SELECT artifact.path, false AS is_folder, artifact.size_bytes, artifact.logged_time_ms, content.sha256, content.root,
       content.key
FROM artifact
JOIN artifact_content AS content USING (content_id)
WHERE artifact.run_id = $1 AND artifact.path >= $2 AND artifact.path < $3 AND NOT ($5 AND /* single */ is_of_model(linked_model_id) /* distributed: EXISTS (
    SELECT FROM logged_model WHERE model_id = artifact.linked_model_id AND strpos(name, '/') = 0
) */)
ORDER BY artifact.path
LIMIT $4;

-- list_folder: files and folders from the path $2 on and before $3, of the folder whose name, with its slash, has $5
-- characters; with $6 those of models are left out. Each step looks up one path in the index and jumps over all that is
-- below a folder.
WITH RECURSIVE entry (path, is_folder, number) AS (
    (
        SELECT CASE WHEN below.slash = 0 THEN first.path ELSE left(first.path, $5 + below.slash - 1) END COLLATE "C",
               below.slash > 0, 1
        FROM (
            SELECT path
            FROM artifact
            WHERE run_id = $1 AND path >= $2 AND path < $3
              AND NOT ($6 AND /* single */ is_of_model(linked_model_id) /* distributed: EXISTS (
                  SELECT FROM logged_model WHERE model_id = artifact.linked_model_id AND strpos(name, '/') = 0
              ) */)
            ORDER BY path
            LIMIT 1
        ) AS first
        CROSS JOIN LATERAL (SELECT strpos(substr(first.path, $5 + 1), '/') AS slash) AS below
    )
    UNION ALL
    SELECT CASE WHEN below.slash = 0 THEN following.path
                ELSE left(following.path, $5 + below.slash - 1) END COLLATE "C",
           below.slash > 0, entry.number + 1
    FROM entry
    CROSS JOIN LATERAL (
        SELECT artifact.path
        FROM artifact
        WHERE artifact.run_id = $1
          -- '0' comes right after '/', and no path has a NUL, so U+0001 is the next that may follow.
          AND artifact.path >= entry.path || CASE WHEN entry.is_folder THEN '0' ELSE E'\x01' END
          AND artifact.path < $3
          AND NOT ($6 AND /* single */ is_of_model(linked_model_id) /* distributed: EXISTS (
              SELECT FROM logged_model WHERE model_id = artifact.linked_model_id AND strpos(name, '/') = 0
          ) */)
        ORDER BY artifact.path
        LIMIT 1
    ) AS following
    CROSS JOIN LATERAL (SELECT strpos(substr(following.path, $5 + 1), '/') AS slash) AS below
    WHERE entry.number < $4
)
SELECT entry.path, entry.is_folder, shown.size_bytes, shown.logged_time_ms, shown.sha256
FROM entry
LEFT JOIN LATERAL (
    SELECT artifact.size_bytes, artifact.logged_time_ms, content.sha256
    FROM artifact
    JOIN artifact_content AS content USING (content_id)
    WHERE artifact.run_id = $1 AND artifact.path = entry.path AND NOT entry.is_folder
) AS shown ON true
ORDER BY entry.number;

-- hide: up to $5 artifacts that are the path $2, or from $3 on and before $4, go; returns what they showed.
WITH chosen AS (
    SELECT path
    FROM artifact
    WHERE run_id = $1 AND (path = $2 OR (path >= $3 AND path < $4))
    ORDER BY path
    LIMIT $5
), hidden AS (
    DELETE FROM artifact
    USING chosen
    WHERE artifact.run_id = $1 AND artifact.path = chosen.path
    RETURNING artifact.content_id
)
SELECT content_id, count(*) AS number
FROM hidden
GROUP BY content_id;

-- garbage: up to $1 places with bytes to remove, oldest first.
SELECT garbage_id, root, key, multipart_id
FROM artifact_garbage
WHERE garbage_id > $2
ORDER BY garbage_id
LIMIT $1;

-- count_garbage: how many places have bytes to remove.
SELECT count(*)
FROM artifact_garbage;

-- forget_garbage: their bytes are gone.
DELETE FROM artifact_garbage
WHERE garbage_id = ANY ($1::bigint[]);
