-- try_pattern: fails when a pattern is no regular expression
SELECT '' ~ $1::text;

-- metric_ids: the numbers of names, of those that are known
SELECT name, metric_id FROM metric WHERE name = ANY ($1::text[]);

-- delete_found: active runs, by their ids
UPDATE run SET lifecycle_stage = 'deleted', deleted_with_experiment = false,
               deleted_time_ms = (extract(epoch FROM now()) * 1000)::bigint,
               changed_time_ms = (extract(epoch FROM now()) * 1000)::bigint
WHERE run_id = ANY ($1::uuid[]) AND lifecycle_stage = 'active';

-- restore_found: deleted runs, by their ids
UPDATE run SET lifecycle_stage = 'active', deleted_with_experiment = false, deleted_time_ms = NULL,
               changed_time_ms = (extract(epoch FROM now()) * 1000)::bigint
WHERE run_id = ANY ($1::uuid[]) AND lifecycle_stage = 'deleted';

-- tag_found: set tags of runs, by their ids
INSERT INTO tag (run_id, key, value)
SELECT run_id, key, value
FROM unnest($1::uuid[]) AS found (run_id) CROSS JOIN unnest($2::text[], $3::text[]) AS given (key, value)
ORDER BY run_id, key
ON CONFLICT (run_id, key) DO UPDATE SET value = excluded.value;
