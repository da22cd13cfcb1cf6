-- run_exists: tells whether there is a run
SELECT EXISTS (SELECT FROM run WHERE run_id = $1);

-- chunks_in_order: the chunks of a series by first step, arrays as their wire form (numpy reads them in place)
SELECT count, step_min, step_stride, time_first_ms, hidden_from_step,
       array_send(steps) AS steps, array_send(time_offsets_ms) AS time_offsets_ms, array_send(times_ms) AS times_ms,
       array_send(values_float32) AS values_float32, array_send(values_float64) AS values_float64
FROM (
    -- Sorted before the arrays are opened: the sort carries pointers.
    SELECT chunk.* FROM visible_chunk AS chunk JOIN metric USING (metric_id)
    WHERE chunk.run_id = $1 AND metric.name = $2
    ORDER BY step_min
    OFFSET 0
) AS sorted;

-- points_in_order: the points of a series from a step on, sorted by the database (which can spill to disk)
SELECT step, timestamp_ms, value FROM metric_points
WHERE run_id = $1 AND key = $2 AND step >= $3
ORDER BY step, timestamp_ms, value
