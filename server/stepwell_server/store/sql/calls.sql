-- Queries of store/ingest/calls.py and forgetting.py.

-- note: notes calls that are not known, in order so that two servers never deadlock; returns these
INSERT INTO logged_call AS noted (run_id, call_id, time_ms)
SELECT run_id, call_id, (extract(epoch FROM now()) * 1000)::bigint
FROM unnest($1::uuid[], $2::uuid[]) AS given (run_id, call_id)
ORDER BY 1, 2
ON CONFLICT (run_id, call_id) DO NOTHING
RETURNING noted.run_id, noted.call_id;

-- stored_params: what is stored of the given params
SELECT param.run_id, param.key, param.value
FROM unnest($1::uuid[], $2::text[]) AS given (run_id, key)
JOIN param ON param.run_id = given.run_id AND param.key = given.key
/* distributed: WHERE param.run_id = ANY ($1::uuid[]) */;

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
    /* single */ FOR UPDATE SKIP LOCKED /* distributed: */
), forgotten AS (
    DELETE FROM logged_call
    USING old
    WHERE logged_call.run_id = old.run_id AND logged_call.call_id = old.call_id
    RETURNING 1
)
SELECT count(*) FROM forgotten;

-- log_chunks: a whole commit in one statement: of a call ($5) that logs nothing but points of some metrics, as one chunk of
-- each, with a writer ($1, $2) that stands at $3 and comes to $4. `moved` is 0, and nothing is stored, where it does not stand
-- there, the run is deleted, or a rewind hides what the writer logs; `noted` is 0, and no point is stored, for a repeat. The
-- elements of all chunks come one behind the other, as texts of arrays: time offsets ($22), values ($23), and steps ($24)
-- unless all are even. Latest points move forward as by merge_latest. What commits must be sure of is set here, too: behind
-- a pooler this is a transaction by itself.
WITH clock AS (
    SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms
), moved AS (
    UPDATE writer
    SET position = $4, committed_time_ms = clock.now_ms
    FROM run, clock
    WHERE writer.run_id = $1 AND writer.writer_id = $2 AND writer.position = $3 AND writer.hidden_from_step IS NULL
      AND run.run_id = $1 AND run.lifecycle_stage = 'active'
    RETURNING writer.run_id
), noted AS (
    INSERT INTO logged_call AS call (run_id, call_id, time_ms)
    SELECT moved.run_id, $5, clock.now_ms FROM moved, clock
    ON CONFLICT (run_id, call_id) DO NOTHING
    RETURNING call.run_id
), elements AS MATERIALIZED (
    SELECT $22::text::integer[] AS time_offsets_ms, $23::text::double precision[] AS numbers, $24::text::bigint[] AS steps
), given AS (
    SELECT noted.run_id, chunk.*
    FROM noted, unnest(
        $6::bigint[], $7::integer[], $8::integer[], $9::bigint[], $10::bigint[], $11::bigint[],
        $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], $16::double precision[], $17::double precision[],
        $18::double precision[], $19::double precision[], $20::double precision[], $21::integer[], $25::boolean[]
    ) AS chunk (
        metric_id, first, last, step_min, step_max, step_stride,
        time_first_ms, time_last_ms, time_min_ms, time_max_ms, value_first, value_last,
        value_min, value_max, value_sum, non_finite_count, is_narrow
    )
), chunks AS (
    INSERT INTO metric_chunk (
        run_id, metric_id, writer_id, first_position, part, count, step_min, step_max, step_stride,
        time_first_ms, time_last_ms, time_min_ms, time_max_ms, value_first, value_last,
        value_min, value_max, value_sum, non_finite_count, steps, time_offsets_ms, values_float32, values_float64
    )
    SELECT run_id, metric_id, $2, $3, 0, last - first + 1, step_min, step_max, step_stride,
           time_first_ms, time_last_ms, time_min_ms, time_max_ms, value_first, value_last,
           value_min, value_max, value_sum, non_finite_count,
           CASE WHEN step_stride IS NULL THEN elements.steps[first:last] END,
           elements.time_offsets_ms[first:last],
           CASE WHEN is_narrow THEN elements.numbers[first:last]::real[] END,
           CASE WHEN NOT is_narrow THEN elements.numbers[first:last] END
    FROM given, elements
), latest AS (
    INSERT INTO metric_latest AS stored (
        run_id, metric_id, step, timestamp_ms, value, count, non_finite_count, value_min, value_max, value_sum
    )
    SELECT run_id, metric_id, step_max, time_last_ms, value_last, last - first + 1, non_finite_count,
           value_min, value_max, value_sum
    FROM given
    ORDER BY metric_id
    ON CONFLICT (run_id, metric_id) DO UPDATE SET
        step = CASE WHEN (excluded.step, excluded.timestamp_ms, excluded.value)
                       > (stored.step, stored.timestamp_ms, stored.value)
                    THEN excluded.step ELSE stored.step END,
        timestamp_ms = CASE WHEN (excluded.step, excluded.timestamp_ms, excluded.value)
                               > (stored.step, stored.timestamp_ms, stored.value)
                            THEN excluded.timestamp_ms ELSE stored.timestamp_ms END,
        value = CASE WHEN (excluded.step, excluded.timestamp_ms, excluded.value)
                        > (stored.step, stored.timestamp_ms, stored.value)
                     THEN excluded.value ELSE stored.value END,
        count = stored.count + excluded.count,
        non_finite_count = stored.non_finite_count + excluded.non_finite_count,
        value_min = least(stored.value_min, excluded.value_min),
        value_max = greatest(stored.value_max, excluded.value_max),
        value_sum = coalesce(saturating_sum(stored.value_sum, excluded.value_sum), stored.value_sum, excluded.value_sum)
), unsettled AS (
    -- A run that has been unsettled for long may be settled while this waits for its writer. A row that is written is seen
    -- as it is then, one that is only read as it was before.
    UPDATE run SET unsettled_time_ms = CASE WHEN run.unsettled_time_ms IS NULL THEN clock.now_ms
                                            ELSE run.unsettled_time_ms END
    FROM noted, clock
    WHERE run.run_id = $1 AND run.run_id = noted.run_id
      AND (run.unsettled_time_ms IS NULL OR run.unsettled_time_ms < clock.now_ms - 15000)
)
SELECT (SELECT count(*) FROM moved) AS moved, (SELECT count(*) FROM noted) AS noted
       /* single */ , set_config('synchronous_commit', 'on', true) /* distributed: */;
