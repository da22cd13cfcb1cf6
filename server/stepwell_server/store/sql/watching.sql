-- positions: where the writers of runs stand, and up to where their chunks are merged
SELECT writer.run_id, writer.writer_id, writer.position, coalesce(merged_until.position, 0) AS merged_until
FROM writer
LEFT JOIN merged_until ON merged_until.run_id = writer.run_id AND merged_until.writer_id = writer.writer_id
 /* distributed: AND merged_until.run_id = ANY ($1::uuid[]) */
WHERE writer.run_id = ANY ($1::uuid[]);

-- fresh_counts: how many points of each series the given writers committed from the given positions on
SELECT chunk.run_id, metric.name, sum(chunk.count)::bigint AS points
FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS given (run_id, writer_id, position)
JOIN metric_latest AS latest ON latest.run_id = given.run_id
JOIN metric ON metric.metric_id = latest.metric_id
JOIN metric_chunk AS chunk
  ON chunk.run_id = given.run_id AND chunk.metric_id = latest.metric_id AND chunk.writer_id = given.writer_id
 AND chunk.first_position >= given.position
JOIN writer ON writer.run_id = chunk.run_id AND writer.writer_id = chunk.writer_id
WHERE /* distributed: latest.run_id = ANY ($1::uuid[]) AND chunk.run_id = ANY ($1::uuid[]) AND writer.run_id = ANY ($1::uuid[]) AND */
  (writer.hidden_from_step IS NULL OR chunk.step_min < writer.hidden_from_step)
  AND ($4::text[] IS NULL OR metric.name = ANY ($4))
GROUP BY chunk.run_id, metric.name
ORDER BY chunk.run_id, metric.name;

-- fresh_chunks: these chunks of the given names, arrays as their wire form
SELECT chunk.run_id, metric.name, count, step_min, step_max, step_stride, time_first_ms, time_min_ms, time_max_ms,
       CASE WHEN chunk.step_max >= writer.hidden_from_step THEN writer.hidden_from_step END AS hidden_from_step,
       array_send(steps) AS steps, array_send(time_offsets_ms) AS time_offsets_ms, array_send(times_ms) AS times_ms,
       array_send(values_float32) AS values_float32, array_send(values_float64) AS values_float64
FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS given (run_id, writer_id, position)
JOIN unnest($4::uuid[], $5::text[]) AS series (run_id, name) ON series.run_id = given.run_id
JOIN metric ON metric.name = series.name
JOIN metric_chunk AS chunk
  ON chunk.run_id = given.run_id AND chunk.metric_id = metric.metric_id AND chunk.writer_id = given.writer_id
 AND chunk.first_position >= given.position
JOIN writer ON writer.run_id = chunk.run_id AND writer.writer_id = chunk.writer_id
WHERE /* distributed: chunk.run_id = ANY ($1::uuid[]) AND writer.run_id = ANY ($1::uuid[]) AND */
  (writer.hidden_from_step IS NULL OR chunk.step_min < writer.hidden_from_step);

-- fresh_parts: these chunks of one series summed up in at most $6 parts, in order of steps, without opening arrays
SELECT min(step_min)                                                                           AS first_x,
       (array_agg(value_first ORDER BY step_min, time_first_ms, value_first))[1]               AS first_value,
       max(step_max)                                                                           AS last_x,
       (array_agg(value_last ORDER BY step_max DESC, time_last_ms DESC, value_last DESC))[1]   AS last_value,
       coalesce(min(value_min), 'NaN')                                                         AS minimum,
       coalesce(max(value_max), 'NaN')                                                         AS maximum,
       coalesce(saturating_total(value_sum) / nullif(sum(count - non_finite_count), 0), 'NaN') AS mean,
       sum(count)::bigint                                                                      AS count,
       sum(non_finite_count)::bigint                                                           AS non_finite_count
FROM (
    SELECT chunk.*, ntile($6::integer) OVER (ORDER BY chunk.step_min, chunk.step_max) AS piece
    FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS given (run_id, writer_id, position)
    JOIN metric ON metric.name = $5
    JOIN visible_chunk AS chunk
      ON chunk.run_id = $4 AND chunk.metric_id = metric.metric_id AND chunk.writer_id = given.writer_id
     AND chunk.first_position >= given.position
    WHERE given.run_id = $4
) AS fresh
GROUP BY piece
ORDER BY piece;

-- tell: tells every server that something was committed, unless none listens: those that do share the lock $3. Returns
-- whether any does. Nothing is stored, so nothing waits for the disk.
WITH listening AS MATERIALIZED (
    SELECT set_config('synchronous_commit', 'off', true), NOT pg_try_advisory_xact_lock($3) AS is_heard
)
SELECT is_heard,
       CASE WHEN is_heard THEN (
           SELECT count(pg_notify(channel, payload)) FROM unnest($1::text[], $2::text[]) AS told (channel, payload)
       ) END AS told
FROM listening;

-- begin_to_listen: shares the lock of those that listen, as long as the connection lasts
SELECT pg_advisory_lock_shared($1);

-- listen_no_more: gives it back
SELECT pg_advisory_unlock_shared($1);
