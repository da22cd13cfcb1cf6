-- Queries of store/value_index.py. What settled means, says migration 0006.

-- unsettle: notes that a run has latest values that the index lacks; of one that is noted, nothing changes
UPDATE run
SET unsettled_time_ms = (extract(epoch FROM statement_timestamp()) * 1000)::bigint
WHERE run_id = $1 AND unsettled_time_ms IS NULL;

-- due: runs that have been unsettled for $1 ms, $2 at most; the longest first
SELECT run_id
FROM run
WHERE unsettled_time_ms <= (extract(epoch FROM clock_timestamp()) * 1000)::bigint - $1::bigint
ORDER BY unsettled_time_ms
LIMIT $2;

-- lock: locks a run against new writers, if it is still unsettled and nobody else has locked it
SELECT run_id
FROM run
WHERE run_id = $1 AND unsettled_time_ms IS NOT NULL
FOR UPDATE SKIP LOCKED;

-- lock_writers: locks the writers of a run that no commit has locked
SELECT run_id
FROM writer
WHERE run_id = $1
FOR NO KEY UPDATE SKIP LOCKED;

-- count_writers: how many writers runs have
SELECT run_id, count(*) AS writers
FROM writer
WHERE run_id = ANY ($1::uuid[])
GROUP BY run_id;

-- index_values: brings latest values into the index, where they differ from what it has
UPDATE metric_latest
SET indexed_value = value
WHERE run_id = ANY ($1::uuid[]) AND indexed_value IS DISTINCT FROM value;

-- settle: notes that the index has all latest values of runs
UPDATE run
SET unsettled_time_ms = NULL
WHERE run_id = ANY ($1::uuid[]);
