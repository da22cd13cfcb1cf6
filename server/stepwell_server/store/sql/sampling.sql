-- summaries: the chunks of series without their arrays, at most $9, as one array of rows in wire form; every column is set
-- and has a fixed width. With $10 also what rewinds hide.
SELECT array_send(array_agg(found)) AS rows
FROM (
    SELECT given.number::integer - 1, chunk.metric_id, chunk.writer_id, chunk.first_position, chunk.part, chunk.count,
           chunk.step_min, chunk.step_max, coalesce(chunk.step_stride, -1),
           chunk.time_first_ms, chunk.time_last_ms, chunk.time_min_ms, chunk.time_max_ms,
           chunk.value_first, chunk.value_last,
           coalesce(chunk.value_min, 'Infinity'), coalesce(chunk.value_max, '-Infinity'), coalesce(chunk.value_sum, 0),
           chunk.non_finite_count,
           CASE WHEN $10::boolean THEN 9223372036854775807
                ELSE coalesce(writer.hidden_from_step - 1, 9223372036854775807) END AS visible_to_step,
           coalesce(octet_length(chunk.blocks), 0) AS block_bytes
    FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[]) WITH ORDINALITY
         AS given (run_id, key, step_from, step_to, time_from_ms, time_to_ms, number)
    JOIN metric ON metric.name = given.key
    JOIN metric_chunk AS chunk ON chunk.run_id = given.run_id AND chunk.metric_id = metric.metric_id
    JOIN writer ON writer.run_id = chunk.run_id AND writer.writer_id = chunk.writer_id
    WHERE ($10::boolean OR writer.hidden_from_step IS NULL OR chunk.step_min < writer.hidden_from_step)
      AND chunk.step_max >= given.step_from AND chunk.step_min <= given.step_to
      AND chunk.time_max_ms >= given.time_from_ms AND chunk.time_min_ms <= given.time_to_ms
      AND ($7::uuid[] IS NULL OR chunk.writer_id = ANY ($7))
      AND ($8::integer[] IS NULL OR writer.rank = ANY ($8))
    LIMIT $9
) AS found;

-- open_chunks: chunks by their keys, arrays as their wire form; the times only of those that $6 marks
SELECT given.number, chunk.count, chunk.step_min, chunk.step_max, chunk.step_stride,
       chunk.time_first_ms, chunk.time_min_ms, chunk.time_max_ms,
       array_send(chunk.steps) AS steps,
       CASE WHEN given.with_times THEN array_send(chunk.time_offsets_ms) END AS time_offsets_ms,
       CASE WHEN given.with_times THEN array_send(chunk.times_ms) END AS times_ms,
       array_send(chunk.values_float32) AS values_float32, array_send(chunk.values_float64) AS values_float64
FROM unnest($1::uuid[], $2::integer[], $3::uuid[], $4::bigint[], $5::smallint[], $6::boolean[]) WITH ORDINALITY
     AS given (run_id, metric_id, writer_id, first_position, part, with_times, number)
JOIN metric_chunk AS chunk
  ON chunk.run_id = given.run_id AND chunk.metric_id = given.metric_id AND chunk.writer_id = given.writer_id
 AND chunk.first_position = given.first_position AND chunk.part = given.part;

-- open_blocks: of chunks, by their keys, the summaries of all blocks, and the values of the blocks that begin at
-- $8[first:last], counted from 1, $9 points each: elements in order, each behind its length
SELECT given.number, opened.blocks,
       CASE WHEN opened.narrow IS NOT NULL THEN (
           SELECT string_agg(substr(array_send(opened.narrow[start:start + $9::integer - 1]), 21), '' ORDER BY start)
           FROM unnest(($8::integer[])[given.first:given.last]) AS start
       ) END AS values_float32,
       CASE WHEN opened.wide IS NOT NULL THEN (
           SELECT string_agg(substr(array_send(opened.wide[start:start + $9::integer - 1]), 21), '' ORDER BY start)
           FROM unnest(($8::integer[])[given.first:given.last]) AS start
       ) END AS values_float64
FROM unnest($1::uuid[], $2::integer[], $3::uuid[], $4::bigint[], $5::smallint[], $6::integer[], $7::integer[])
     WITH ORDINALITY AS given (run_id, metric_id, writer_id, first_position, part, first, last, number)
CROSS JOIN LATERAL (
    -- Appending nothing brings the array into memory once, and not once for each block.
    SELECT chunk.blocks,
           CASE WHEN chunk.values_float32 IS NOT NULL THEN chunk.values_float32 || '{}'::real[] END AS narrow,
           CASE WHEN chunk.values_float64 IS NOT NULL THEN chunk.values_float64 || '{}'::double precision[] END AS wide
    FROM metric_chunk AS chunk
    WHERE chunk.run_id = given.run_id AND chunk.metric_id = given.metric_id AND chunk.writer_id = given.writer_id
      AND chunk.first_position = given.first_position AND chunk.part = given.part
    OFFSET 0
) AS opened
ORDER BY given.number;

-- pick_points: of chunks, by their keys, the points at $8[first:last], counted from 1, in order, as columns in wire form
SELECT array_send(array_agg(step)) AS steps, array_send(array_agg(time_ms)) AS times_ms,
       array_send(array_agg(value)) AS values
FROM (
    SELECT coalesce(opened.steps[place], opened.step_min + opened.step_stride * (place - 1)) AS step,
           coalesce(opened.time_first_ms + opened.time_offsets_ms[place], opened.times_ms[place]) AS time_ms,
           coalesce(opened.narrow[place]::double precision, opened.wide[place]) AS value
    FROM unnest($1::uuid[], $2::integer[], $3::uuid[], $4::bigint[], $5::smallint[], $6::integer[], $7::integer[])
         WITH ORDINALITY AS given (run_id, metric_id, writer_id, first_position, part, first, last, number)
    CROSS JOIN LATERAL (
        -- Appending nothing brings an array into memory once, and not once for each point.
        SELECT chunk.step_min, chunk.step_stride, chunk.time_first_ms,
               CASE WHEN chunk.steps IS NOT NULL THEN chunk.steps || '{}'::bigint[] END AS steps,
               CASE WHEN chunk.time_offsets_ms IS NOT NULL THEN chunk.time_offsets_ms || '{}'::integer[] END
                   AS time_offsets_ms,
               CASE WHEN chunk.times_ms IS NOT NULL THEN chunk.times_ms || '{}'::bigint[] END AS times_ms,
               CASE WHEN chunk.values_float32 IS NOT NULL THEN chunk.values_float32 || '{}'::real[] END AS narrow,
               CASE WHEN chunk.values_float64 IS NOT NULL THEN chunk.values_float64 || '{}'::double precision[] END AS wide
        FROM metric_chunk AS chunk
        WHERE chunk.run_id = given.run_id AND chunk.metric_id = given.metric_id AND chunk.writer_id = given.writer_id
          AND chunk.first_position = given.first_position AND chunk.part = given.part
        OFFSET 0
    ) AS opened
    CROSS JOIN LATERAL unnest(($8::integer[])[given.first:given.last]) AS place
    ORDER BY given.number, place
) AS picked;
