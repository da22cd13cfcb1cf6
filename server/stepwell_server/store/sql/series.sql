-- start_times: when the given runs started; runs that do not exist are left out
SELECT run_id, start_time_ms FROM run WHERE run_id = ANY ($1::uuid[]);

-- chunks_in_order: the chunks of series, by number of series and first step, arrays as their wire form
SELECT number, count, step_min, step_max, step_stride, time_first_ms, time_min_ms, time_max_ms, hidden_from_step,
       array_send(steps) AS steps, array_send(time_offsets_ms) AS time_offsets_ms, array_send(times_ms) AS times_ms,
       array_send(values_float32) AS values_float32, array_send(values_float64) AS values_float64
FROM (
    -- Sorted before the arrays are opened: the sort carries pointers.
    SELECT given.number, chunk.*
           /* distributed: , CASE WHEN chunk.step_max >= writer.hidden_from_step THEN writer.hidden_from_step END
                           AS hidden_from_step */
    FROM unnest($1::integer[], $2::uuid[], $3::text[], $4::bigint[]) AS given (number, run_id, key, step_from)
    JOIN metric ON metric.name = given.key
    JOIN /* single */ visible_chunk /* distributed: metric_chunk */ AS chunk
      ON chunk.run_id = given.run_id AND chunk.metric_id = metric.metric_id
    JOIN writer ON writer.run_id = chunk.run_id AND writer.writer_id = chunk.writer_id
    WHERE /* distributed: chunk.run_id = ANY ($2::uuid[]) AND writer.run_id = ANY ($2::uuid[])
          AND (writer.hidden_from_step IS NULL OR chunk.step_min < writer.hidden_from_step) AND */
          chunk.step_max >= given.step_from AND chunk.step_min <= $5
      AND chunk.time_max_ms >= $6 AND chunk.time_min_ms <= $7
      AND ($8::uuid[] IS NULL OR chunk.writer_id = ANY ($8))
      AND ($9::integer[] IS NULL OR writer.rank = ANY ($9))
    ORDER BY given.number, chunk.step_min
    OFFSET 0
) AS sorted;

-- chunks_from_end: the chunks of one series, by last step, the greatest first, arrays as their wire form
SELECT count, step_min, step_max, step_stride, time_first_ms, time_min_ms, time_max_ms, hidden_from_step,
       array_send(steps) AS steps, array_send(time_offsets_ms) AS time_offsets_ms, array_send(times_ms) AS times_ms,
       array_send(values_float32) AS values_float32, array_send(values_float64) AS values_float64
FROM (
    SELECT chunk.*
    FROM metric
    JOIN visible_chunk AS chunk ON chunk.run_id = $1 AND chunk.metric_id = metric.metric_id
    JOIN writer ON writer.run_id = chunk.run_id AND writer.writer_id = chunk.writer_id
    WHERE metric.name = $2
      AND chunk.step_max >= $3 AND chunk.step_min <= $4
      AND chunk.time_max_ms >= $5 AND chunk.time_min_ms <= $6
      AND ($7::uuid[] IS NULL OR chunk.writer_id = ANY ($7))
      AND ($8::integer[] IS NULL OR writer.rank = ANY ($8))
    ORDER BY chunk.step_max DESC
    OFFSET 0
) AS sorted;

-- points_in_order: the points of a series from a step on, sorted by the database (which can spill to disk)
SELECT step, timestamp_ms, value FROM metric_points
WHERE run_id = $1 AND key = $2
  AND step BETWEEN $3 AND $4 AND timestamp_ms BETWEEN $5 AND $6
  AND ($7::uuid[] IS NULL OR writer_id = ANY ($7))
  AND ($8::integer[] IS NULL OR rank = ANY ($8))
ORDER BY step, timestamp_ms, value;

-- latest_counts: how many metrics the given runs have, of the given names (all when NULL)
SELECT given.number, count(*) AS metrics
FROM unnest($1::uuid[]) WITH ORDINALITY AS given (run_id, number)
JOIN metric_latest USING (run_id)
WHERE /* distributed: metric_latest.run_id = ANY ($1::uuid[]) AND */
  ($2::text[] IS NULL OR metric_id IN (SELECT metric_id FROM metric WHERE name = ANY ($2)))
GROUP BY given.number
ORDER BY given.number;

-- latest: latest points and summaries of metrics, in order of the given runs and of the names
SELECT given.number, metric.name, step, timestamp_ms, value, count, non_finite_count, value_min, value_max, value_sum
FROM unnest($1::uuid[]) WITH ORDINALITY AS given (run_id, number)
JOIN metric_latest USING (run_id)
JOIN metric USING (metric_id)
WHERE /* distributed: metric_latest.run_id = ANY ($1::uuid[]) AND */
  ($2::text[] IS NULL OR metric.name = ANY ($2))
ORDER BY given.number, metric.name COLLATE "C";
