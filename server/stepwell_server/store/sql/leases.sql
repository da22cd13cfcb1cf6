-- Queries of store/leases.py. Times are the database's: all servers share that clock.

-- await_writer: expects a writer of a run within $5 milliseconds from now, unless it has one.
INSERT INTO awaited_writer (run_id, host, process_id, rank, said_time_ms, until_ms)
SELECT $1, $2, $3, $4, clock.now_ms, clock.now_ms + $5::bigint
FROM (SELECT (extract(epoch FROM now()) * 1000)::bigint AS now_ms) AS clock
WHERE NOT EXISTS (SELECT FROM writer WHERE writer.run_id = $1)
ON CONFLICT (run_id) DO UPDATE SET until_ms = excluded.until_ms;

-- hold: lets leases run for $4 milliseconds from now; $3 tells whether the writer's own process gave a sign of life.
-- Their runs expect nobody any more.
WITH come AS (
    DELETE FROM awaited_writer WHERE run_id = ANY ($1::uuid[])
)
INSERT INTO writer_lease AS held (run_id, writer_id, until_ms, seen_time_ms)
SELECT writer.run_id, writer.writer_id, clock.now_ms + $4::bigint, CASE WHEN given.seen THEN clock.now_ms END
FROM unnest($1::uuid[], $2::uuid[], $3::boolean[]) AS given (run_id, writer_id, seen)
JOIN writer ON writer.run_id = given.run_id AND writer.writer_id = given.writer_id
CROSS JOIN (SELECT (extract(epoch FROM now()) * 1000)::bigint AS now_ms) AS clock
/* distributed: WHERE writer.run_id = ANY ($1::uuid[]) */
ORDER BY 1, 2
ON CONFLICT (run_id, writer_id) DO UPDATE
SET until_ms = excluded.until_ms, seen_time_ms = coalesce(excluded.seen_time_ms, held.seen_time_ms);

-- release: takes a lease back.
DELETE FROM writer_lease
WHERE run_id = $1 AND writer_id = $2;

-- extend: lets all leases run for at least $1 milliseconds from now, and those that are from before the clock was set back for
-- no longer: which are more than an hour ahead of that.
WITH clock AS (
    SELECT (extract(epoch FROM now()) * 1000)::bigint + $1::bigint AS until_ms
)
UPDATE writer_lease AS lease
SET until_ms = CASE WHEN lease.until_ms > clock.until_ms + 3600000 THEN clock.until_ms
                    ELSE greatest(lease.until_ms, clock.until_ms) END
FROM clock;

-- extend_awaited: the same for writers that are expected.
WITH clock AS (
    SELECT (extract(epoch FROM now()) * 1000)::bigint + $1::bigint AS until_ms
)
UPDATE awaited_writer AS lease
SET until_ms = CASE WHEN lease.until_ms > clock.until_ms + 3600000 THEN clock.until_ms
                    ELSE greatest(lease.until_ms, clock.until_ms) END
FROM clock;

-- restore: lets runs that were taken for lost (FAILED, with the tag $2) run again; returns them.
WITH untagged AS (
    DELETE FROM tag
    USING run
    WHERE tag.run_id = ANY ($1::uuid[]) AND tag.key = $2
      AND run.run_id = tag.run_id AND run.status = 4 AND run.lifecycle_stage = 'active'
      /* distributed: AND run.run_id = ANY ($1::uuid[]) */
    RETURNING tag.run_id
)
UPDATE run
SET status = 1, end_time_ms = NULL, changed_time_ms = (extract(epoch FROM now()) * 1000)::bigint
FROM untagged
WHERE run.run_id = untagged.run_id /* distributed: AND run.run_id = ANY ($1::uuid[]) */ AND run.status = 4
RETURNING run.run_id;

-- elect: tells whether this transaction is the one that looks for lost runs; where it has to be a row, it waits for it.
/* single */ SELECT pg_try_advisory_xact_lock($1) /* distributed:
INSERT INTO named_lock AS held (lock_key) VALUES ($1)
ON CONFLICT (lock_key) DO UPDATE SET number = held.number RETURNING true */;

-- take_expired: removes the leases of runs of which none is valid, $1 runs at most; returns those that still ran.
-- Last heard of: a sign of life, or else the time of the last point.
WITH gone AS (
    SELECT run_id
    FROM writer_lease
    GROUP BY run_id
    HAVING max(until_ms) < (extract(epoch FROM now()) * 1000)::bigint
    LIMIT $1
), taken AS (
    DELETE FROM writer_lease
    USING gone
    WHERE writer_lease.run_id = gone.run_id
    RETURNING writer_lease.*
), latest AS (
    SELECT DISTINCT ON (run_id) *
    FROM taken
    ORDER BY run_id, seen_time_ms DESC NULLS LAST, writer_id
)
SELECT run.run_id, writer.host, writer.process_id, writer.rank,
       greatest(run.start_time_ms, coalesce(
           latest.seen_time_ms,
           (SELECT max(timestamp_ms) FROM metric_latest WHERE metric_latest.run_id = run.run_id)
       )) AS heard_time_ms,
       true AS came
FROM latest
JOIN run ON run.run_id = latest.run_id
JOIN writer ON writer.run_id = latest.run_id AND writer.writer_id = latest.writer_id
WHERE run.status = 1 AND run.lifecycle_stage = 'active'
ORDER BY run.run_id;

-- take_never_come: expects no writers any more that did not come in time, of $1 runs at most; returns those that run.
WITH gone AS (
    SELECT run_id
    FROM awaited_writer
    WHERE until_ms < (extract(epoch FROM now()) * 1000)::bigint
    LIMIT $1
), taken AS (
    DELETE FROM awaited_writer
    USING gone
    WHERE awaited_writer.run_id = gone.run_id
    RETURNING awaited_writer.*
)
SELECT run.run_id, taken.host, taken.process_id, taken.rank,
       greatest(run.start_time_ms, taken.said_time_ms) AS heard_time_ms,
       false AS came
FROM taken
JOIN run ON run.run_id = taken.run_id
WHERE run.status = 1 AND run.lifecycle_stage = 'active'
ORDER BY run.run_id;

-- fail: ends running runs as FAILED, at the times $2, with the tag $4 that says why.
WITH failed AS (
    UPDATE run
    SET status = 4, end_time_ms = given.end_time_ms,
        changed_time_ms = (extract(epoch FROM now()) * 1000)::bigint
    FROM unnest($1::uuid[], $2::bigint[], $3::text[]) AS given (run_id, end_time_ms, reason)
    WHERE run.run_id = given.run_id /* distributed: AND run.run_id = ANY ($1::uuid[]) */ AND run.status = 1
    RETURNING run.run_id, given.reason
)
INSERT INTO tag (run_id, key, value)
SELECT run_id, $4, reason
FROM failed
ORDER BY run_id
ON CONFLICT (run_id, key) DO UPDATE SET value = excluded.value;
