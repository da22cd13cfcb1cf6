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
    WHERE /* distributed: chunk.run_id = ANY ($1::uuid[]) AND writer.run_id = ANY ($1::uuid[]) AND */
      ($10::boolean OR writer.hidden_from_step IS NULL OR chunk.step_min < writer.hidden_from_step)
      AND chunk.step_max >= given.step_from AND chunk.step_min <= given.step_to
      AND chunk.time_max_ms >= given.time_from_ms AND chunk.time_min_ms <= given.time_to_ms
      AND ($7::uuid[] IS NULL OR chunk.writer_id = ANY ($7))
      AND ($8::integer[] IS NULL OR writer.rank = ANY ($8))
    LIMIT $9
) AS found;

-- extents: of series that have chunks: the number, how many chunks may have points within the bounds, and the ends of the
-- steps and times of all points. With $7 also what rewinds hide.
SELECT given.number::integer - 1 AS number, found.*
FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[]) WITH ORDINALITY
     AS given (run_id, key, step_from, step_to, time_from_ms, time_to_ms, number)
JOIN metric ON metric.name = given.key
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE chunk.step_max >= given.step_from AND chunk.step_min <= given.step_to
                              AND chunk.time_max_ms >= given.time_from_ms AND chunk.time_min_ms <= given.time_to_ms) AS chunks,
           min(chunk.step_min) AS step_min,
           max(CASE WHEN $7::boolean THEN chunk.step_max
                    ELSE least(chunk.step_max, writer.hidden_from_step - 1) END) AS step_max,
           min(chunk.time_min_ms) AS time_min_ms, max(chunk.time_max_ms) AS time_max_ms
    FROM metric_chunk AS chunk
    JOIN writer ON writer.run_id = chunk.run_id AND writer.writer_id = chunk.writer_id
    WHERE chunk.run_id = given.run_id AND chunk.metric_id = metric.metric_id
      /* distributed: AND chunk.run_id = ANY ($1::uuid[]) AND writer.run_id = ANY ($1::uuid[]) */
      AND ($7::boolean OR writer.hidden_from_step IS NULL OR chunk.step_min < writer.hidden_from_step)
) AS found
WHERE found.step_min IS NOT NULL
ORDER BY given.number;

-- open_chunks: chunks by their keys, arrays as their wire form; the times only of those that $6 marks
SELECT given.number, chunk.count, chunk.step_min, chunk.step_max, chunk.step_stride,
       chunk.time_first_ms, chunk.time_min_ms, chunk.time_max_ms,
       array_send(chunk.steps) AS steps,
       CASE WHEN given.with_times THEN array_send(chunk.time_offsets_ms) END AS time_offsets_ms,
       CASE WHEN given.with_times THEN array_send(chunk.times_ms) END AS times_ms,
       array_send(chunk.values_float32) AS values_float32, array_send(chunk.values_float64) AS values_float64
FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::bigint[], $5::smallint[], $6::boolean[]) WITH ORDINALITY
     AS given (run_id, metric_id, writer_id, first_position, part, with_times, number)
JOIN metric_chunk AS chunk
  ON chunk.run_id = given.run_id AND chunk.metric_id = given.metric_id AND chunk.writer_id = given.writer_id
 AND chunk.first_position = given.first_position AND chunk.part = given.part
 /* distributed: AND chunk.run_id = ANY ($1::uuid[]) */;

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
FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::bigint[], $5::smallint[], $6::integer[], $7::integer[])
     WITH ORDINALITY AS given (run_id, metric_id, writer_id, first_position, part, first, last, number)
CROSS JOIN LATERAL (
    -- Appending nothing brings the array into memory once, and not once for each block.
    SELECT chunk.blocks,
           CASE WHEN chunk.values_float32 IS NOT NULL THEN chunk.values_float32 || '{}'::real[] END AS narrow,
           CASE WHEN chunk.values_float64 IS NOT NULL THEN chunk.values_float64 || '{}'::double precision[] END AS wide
    FROM metric_chunk AS chunk
    WHERE chunk.run_id = given.run_id AND chunk.metric_id = given.metric_id AND chunk.writer_id = given.writer_id
      AND chunk.first_position = given.first_position AND chunk.part = given.part
      /* distributed: AND chunk.run_id = ANY ($1::uuid[]) */
    /* single */ OFFSET 0 /* distributed: */
) AS opened
ORDER BY given.number;

-- run_marks: what stands for all points of runs that have writers: it changes with every commit and every rewind
SELECT run_id, sha256(string_agg(
           uuid_send(writer_id) || int8send(position) || coalesce(int8send(hidden_from_step), ''::bytea), ''::bytea
           ORDER BY writer_id
       )) AS mark
FROM writer
WHERE run_id = ANY ($1::uuid[])
GROUP BY run_id;

-- thinned: of each series at most $5 points that stand for all between the steps $3 and $4, see model.thinned_places, and
-- the marks of the runs at that moment, as in run_marks. How many points each series has there (no row: none; -1: chunks
-- overlap, or are cut where only their arrays tell how, and there are no points of it); and the points in order of series,
-- each column as elements of 8 bytes. $6 chunks at most. See migrations 0047 and 0049
/* single */ SELECT * FROM thinned_points($1, $2, $3, $4, $5, $6)
/* distributed:
WITH mark AS (
    SELECT run_id, sha256(string_agg(
               uuid_send(writer_id) || int8send(position) || coalesce(int8send(hidden_from_step), ''::bytea), ''::bytea
               ORDER BY writer_id
           )) AS mark
    FROM writer
    WHERE run_id = ANY ($1)
    GROUP BY run_id
), chunk AS (
    SELECT given.number, chunk.run_id, chunk.metric_id, chunk.writer_id, chunk.first_position, chunk.part, chunk.count,
           chunk.step_min, chunk.step_max, chunk.step_stride,
           least($4::bigint, coalesce(writer.hidden_from_step - 1, 9223372036854775807)) AS step_to
    FROM unnest($1::uuid[], $2::text[]) WITH ORDINALITY AS given (run_id, key, number)
    JOIN metric ON metric.name = given.key
    JOIN metric_chunk AS chunk ON chunk.run_id = given.run_id AND chunk.metric_id = metric.metric_id
    JOIN writer ON writer.run_id = chunk.run_id AND writer.writer_id = chunk.writer_id
    WHERE chunk.run_id = ANY ($1::uuid[]) AND writer.run_id = ANY ($1::uuid[]) AND
      (writer.hidden_from_step IS NULL OR chunk.step_min < writer.hidden_from_step)
      AND chunk.step_max >= $3::bigint AND chunk.step_min <= $4
    LIMIT $6
), cut AS (
    -- Of each chunk the points [start, until), counted from 0; NULL where that is not known. Steps of a wide one cannot be
    -- counted up in 64 bits.
    SELECT *,
           CASE WHEN step_min >= $3 THEN 0
                WHEN step_stride > 0 THEN div($3::numeric - step_min + step_stride - 1, step_stride)::integer
           END AS start,
           CASE WHEN step_max <= step_to THEN count
                WHEN step_stride > 0 THEN div(step_to::numeric - step_min, step_stride)::integer + 1
           END AS until,
           coalesce(step_min <= lag(step_max) OVER (PARTITION BY number ORDER BY step_min), false) AS is_late,
           greatest(step_max, 0) - 9223372036854775807 > step_min AS is_wide
    FROM chunk
), counted AS MATERIALIZED (
    SELECT *, sum(greatest(until - start, 0)) OVER series AS size,
           sum(greatest(until - start, 0)) OVER passed - greatest(until - start, 0) AS before,
           bool_or(is_late OR is_wide OR start IS NULL OR until IS NULL) OVER series AS is_unclear
    FROM cut
    WINDOW series AS (PARTITION BY number),
           passed AS (PARTITION BY number ORDER BY step_min ROWS UNBOUNDED PRECEDING)
), chosen AS (
    -- Of `wanted` parts of `each` points, `larger` of which have one more, the parts [first, last] begin in the chunk.
    SELECT counted.*, wanted, each, larger,
           least(wanted - 1, CASE WHEN before <= larger * (each + 1) THEN (before + each) / (each + 1)
                                  ELSE (before - larger + each - 1) / each END) AS first,
           CASE WHEN behind = size THEN wanted
                ELSE least(wanted - 1, CASE WHEN behind <= larger * (each + 1) THEN (behind + each) / (each + 1)
                                            ELSE (behind - larger + each - 1) / each END) END - 1 AS last
    FROM counted
    CROSS JOIN LATERAL (
        SELECT before + until - start AS behind, least(size, $5::bigint) AS wanted,
               size / least(size, $5) AS each, size % least(size, $5) AS larger
        OFFSET 0
    ) AS parts
    WHERE until > start AND NOT is_unclear
), picked AS (
    SELECT chosen.number, chosen.before, points.*
    FROM chosen
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
        WHERE chunk.run_id = chosen.run_id AND chunk.metric_id = chosen.metric_id AND chunk.writer_id = chosen.writer_id
          AND chunk.first_position = chosen.first_position AND chunk.part = chosen.part
          AND chunk.run_id = ANY ($1::uuid[])
    ) AS opened
    CROSS JOIN LATERAL (
        -- The places come in order, and what is there is put together so.
        SELECT string_agg(int8send(coalesce(opened.step_min + opened.step_stride * (place - 1), opened.steps[place])), '')
                   AS steps,
               string_agg(int8send(coalesce(opened.time_first_ms + opened.time_offsets_ms[place], opened.times_ms[place])), '')
                   AS times_ms,
               string_agg(float8send(coalesce(opened.narrow[place], opened.wide[place])), '') AS values
        FROM (
            SELECT (CASE WHEN number = wanted - 1 THEN size - 1 ELSE number * each + least(number, larger) END
                    - before + start + 1)::integer AS place
            FROM (SELECT generate_series(first, last) AS number) AS parts
            OFFSET 0
        ) AS places
    ) AS points
    WHERE last >= first
)
SELECT series.*, marks.*, points.*, (SELECT count(*) FROM counted) AS chunks
FROM (
    SELECT array_agg(number ORDER BY number) AS numbers, array_agg(size ORDER BY number) AS sizes
    FROM (SELECT DISTINCT number::integer - 1 AS number, CASE WHEN is_unclear THEN -1 ELSE size END AS size FROM counted)
        AS sizes
) AS series, (
    SELECT array_agg(run_id) AS marked_run_ids, array_agg(mark) AS marks FROM mark
) AS marks, (
    SELECT string_agg(picked.steps, '' ORDER BY number, before) AS steps,
           string_agg(picked.times_ms, '' ORDER BY number, before) AS times_ms,
           string_agg(picked.values, '' ORDER BY number, before) AS values
    FROM picked
) AS points
*/;
