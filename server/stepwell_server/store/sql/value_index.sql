-- Queries of store/value_index.py. What settled means, says migration 0006.

-- unsettle: notes that runs have latest values that the index lacks; of those that are noted, nothing changes. In order;
-- see `sql.by_run`
UPDATE run
SET unsettled_time_ms = (extract(epoch FROM statement_timestamp()) * 1000)::bigint
/* single */ FROM (
    SELECT run_id
    FROM run
    WHERE run_id = ANY ($1::uuid[]) AND unsettled_time_ms IS NULL
    ORDER BY run_id
    FOR NO KEY UPDATE
) AS settled
WHERE run.run_id = settled.run_id /* distributed: WHERE run_id = $1 AND unsettled_time_ms IS NULL */;

-- due: runs that have been unsettled for $1 ms, $2 at most; the longest first. Those that will be in more than a minute are so
-- since before the clock was set back.
SELECT run_id
FROM run
WHERE unsettled_time_ms <= (extract(epoch FROM statement_timestamp()) * 1000)::bigint - $1::bigint
   OR unsettled_time_ms > (extract(epoch FROM statement_timestamp()) * 1000)::bigint + 60000
ORDER BY unsettled_time_ms
LIMIT $2;

-- lock: locks runs against new writers, those that are still unsettled and that nobody else has locked
SELECT run_id
FROM run
WHERE run_id = /* single */ ANY ($1::uuid[]) /* distributed: $1 */ AND unsettled_time_ms IS NOT NULL
FOR UPDATE SKIP LOCKED;

-- lock_writers: locks the writers of runs that no commit has locked
SELECT run_id
FROM writer
WHERE run_id = /* single */ ANY ($1::uuid[]) /* distributed: $1 */
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
