-- Queries of store/ingest/calls.py and forgetting.py.

-- note: notes calls that are not known, in order so that two servers never deadlock; returns these
INSERT INTO logged_call (run_id, call_id, time_ms)
SELECT run_id, call_id, (extract(epoch FROM now()) * 1000)::bigint
FROM unnest($1::uuid[], $2::uuid[]) AS given (run_id, call_id)
ORDER BY 1, 2
ON CONFLICT (run_id, call_id) DO NOTHING
RETURNING run_id, call_id;

-- stored_params: what is stored of the given params
SELECT param.run_id, param.key, param.value
FROM unnest($1::uuid[], $2::text[]) AS given (run_id, key)
JOIN param ON param.run_id = given.run_id AND param.key = given.key;

-- forget: removes calls older than $1 ms, and those beyond the $2 latest ones, at most $3 of them; returns how many
WITH bound AS (
    SELECT greatest(
        (extract(epoch FROM now()) * 1000)::bigint - $1::bigint,
        (SELECT time_ms FROM logged_call ORDER BY time_ms DESC OFFSET $2 LIMIT 1)
    ) AS time_ms
), old AS (
    SELECT run_id, call_id
    FROM logged_call
    WHERE time_ms <= (SELECT time_ms FROM bound)
    ORDER BY time_ms
    LIMIT $3
    FOR UPDATE SKIP LOCKED
), forgotten AS (
    DELETE FROM logged_call
    USING old
    WHERE logged_call.run_id = old.run_id AND logged_call.call_id = old.call_id
    RETURNING 1
)
SELECT count(*) FROM forgotten;
