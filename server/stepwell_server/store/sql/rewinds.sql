-- Queries of store/rewinds.py. What a rewind is, says migration 0004.

-- lock_writers: locks the writers of a run in order, against their commits and other rewinds; returns them.
SELECT writer_id
FROM writer
WHERE run_id = $1
ORDER BY writer_id
FOR NO KEY UPDATE;

-- rewind: hides the points from step $2 on of the run's writers; returns the rewind's number, NULL without a writer.
WITH next AS (
    SELECT coalesce(max(rewind_number), 0) + 1 AS rewind_number
    FROM rewind
    WHERE run_id = $1
), added AS (
    INSERT INTO rewind AS new (run_id, rewind_number, writer_id, from_step, created_time_ms)
    SELECT writer.run_id, next.rewind_number, writer.writer_id, $2, (extract(epoch FROM now()) * 1000)::bigint
    FROM writer, next
    WHERE writer.run_id = $1
    RETURNING new.rewind_number
)
SELECT max(rewind_number)
FROM added;

-- undo: takes a rewind back, the latest one if $2 is 0; returns its number.
WITH chosen AS (
    SELECT max(rewind_number) AS rewind_number
    FROM rewind
    WHERE run_id = $1 AND $2 IN (0, rewind_number)
), gone AS (
    DELETE FROM rewind
    USING chosen
    WHERE rewind.run_id = $1 AND rewind.rewind_number = chosen.rewind_number
    RETURNING rewind.rewind_number
)
SELECT max(rewind_number)
FROM gone;

-- hide: sets on every writer of a run what its rewinds hide.
UPDATE writer
SET hidden_from_step = (
    SELECT min(from_step)
    FROM rewind
    WHERE rewind.run_id = $1 AND rewind.writer_id = writer.writer_id
)
WHERE run_id = $1;

-- clear_latest: removes latest points and summaries, of all metrics of runs ($2 NULL) or of some.
DELETE FROM metric_latest
WHERE run_id = ANY ($1::uuid[]) AND ($2::bigint[] IS NULL OR metric_id = ANY ($2));

-- compute_latest: makes latest points and summaries anew from what is visible, of all metrics of runs or of some.
-- A chunk without hidden points is summed up already; of the others, the points are read.
WITH piece AS (
    SELECT chunk.run_id, metric_id, step_max AS step, time_last_ms AS timestamp_ms, value_last AS value,
           count::bigint AS count, non_finite_count::bigint AS non_finite_count, value_min, value_max, value_sum
    FROM metric_chunk AS chunk
    JOIN writer ON writer.run_id = chunk.run_id AND writer.writer_id = chunk.writer_id
    WHERE chunk.run_id = ANY ($1::uuid[]) /* distributed: AND writer.run_id = ANY ($1::uuid[]) */
      AND ($2::bigint[] IS NULL OR metric_id = ANY ($2))
      AND (writer.hidden_from_step IS NULL OR chunk.step_max < writer.hidden_from_step)
    UNION ALL
    SELECT chunk.run_id, chunk.metric_id, point.step, point.timestamp_ms, point.value, 1,
           (NOT point.finite)::integer,
           CASE WHEN point.finite THEN point.value END,
           CASE WHEN point.finite THEN point.value END,
           CASE WHEN point.finite THEN point.value END
    FROM metric_chunk AS chunk
    JOIN writer ON writer.run_id = chunk.run_id AND writer.writer_id = chunk.writer_id
    CROSS JOIN LATERAL (
        SELECT coalesce(element.step, chunk.step_min + chunk.step_stride * element.index) AS step,
               coalesce(element.time_ms, chunk.time_first_ms + element.time_offset_ms) AS timestamp_ms,
               coalesce(element.value_float64, element.value_float32::double precision) AS value,
               coalesce(element.value_float64, element.value_float32::double precision)
                   NOT IN ('NaN', 'Infinity', '-Infinity') AS finite
        FROM ROWS FROM (
            generate_series(0, chunk.count - 1),
            unnest(chunk.steps), unnest(chunk.time_offsets_ms), unnest(chunk.times_ms),
            unnest(chunk.values_float32), unnest(chunk.values_float64)
        ) AS element (index, step, time_offset_ms, time_ms, value_float32, value_float64)
    ) AS point
    WHERE chunk.run_id = ANY ($1::uuid[]) /* distributed: AND writer.run_id = ANY ($1::uuid[]) */
      AND ($2::bigint[] IS NULL OR chunk.metric_id = ANY ($2))
      AND chunk.step_min < writer.hidden_from_step AND chunk.step_max >= writer.hidden_from_step
      AND point.step < writer.hidden_from_step
), latest AS (
    SELECT DISTINCT ON (run_id, metric_id) run_id, metric_id, step, timestamp_ms, value
    FROM piece
    ORDER BY run_id, metric_id, step DESC, timestamp_ms DESC, value DESC
), summary AS (
    SELECT run_id, metric_id, sum(count) AS count, sum(non_finite_count) AS non_finite_count,
           min(value_min) AS value_min, max(value_max) AS value_max,
           saturating_total(value_sum) AS value_sum
    FROM piece
    GROUP BY run_id, metric_id
)
INSERT INTO metric_latest (
    run_id, metric_id, step, timestamp_ms, value, count, non_finite_count, value_min, value_max, value_sum
)
SELECT run_id, metric_id, step, timestamp_ms, value, count, non_finite_count, value_min, value_max, value_sum
FROM latest
JOIN summary USING (run_id, metric_id)
ORDER BY run_id, metric_id;
