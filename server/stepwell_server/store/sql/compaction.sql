-- paused: the switch
SELECT paused FROM compaction;

-- ranges: who compacts what, and what the last rounds saw. A round that ends yet to come, and who holds for more than a minute,
-- are of before the clock was set back.
SELECT range, holder, held_until_time_ms, fresh_chunks,
       held_until_time_ms - (extract(epoch FROM statement_timestamp()) * 1000)::bigint BETWEEN 1 AND 60000 AS is_held,
       abs((extract(epoch FROM statement_timestamp()) * 1000)::bigint - round_ended_time_ms) AS rested_ms,
       (SELECT paused FROM compaction) AS is_paused
FROM compaction_range
ORDER BY range;

-- take_range: lets a process have a range for so many milliseconds, if it is still held until then and no longer
UPDATE compaction_range
SET holder = $2, held_until_time_ms = (extract(epoch FROM statement_timestamp()) * 1000)::bigint + $3
WHERE range = $1 AND held_until_time_ms = $4
RETURNING range;

-- keep_range: lets a process have its range for so many milliseconds from now, if nobody took it
UPDATE compaction_range
SET held_until_time_ms = (extract(epoch FROM statement_timestamp()) * 1000)::bigint + $3
WHERE range = $1 AND holder = $2 AND held_until_time_ms > 0
RETURNING range;

-- end_round: notes that a round of a range ended, and how many fresh chunks it left; others may take it
UPDATE compaction_range
SET round_ended_time_ms = (extract(epoch FROM statement_timestamp()) * 1000)::bigint,
    fresh_chunks = $3,
    held_until_time_ms = 0
WHERE range = $1 AND holder = $2
RETURNING range;

-- leave_range: lets others take a range
UPDATE compaction_range SET held_until_time_ms = 0 WHERE range = $1 AND holder = $2 RETURNING range;

-- leave_ranges: lets others take what a process holds
UPDATE compaction_range SET held_until_time_ms = 0 WHERE holder = $1 AND held_until_time_ms > 0;

-- set_paused: turns the switch
UPDATE compaction SET paused = $1;

-- fresh_writers: how many small chunks that are not merged yet each writer has, and the one of its series that has most;
-- a page of chunks, from a writer to a run, in order of the index, which knows all of it
SELECT fresh.run_id, fresh.writer_id, fresh.chunks, fresh.fullest,
       abs((extract(epoch FROM now()) * 1000)::bigint - writer.committed_time_ms) AS quiet_ms
FROM (
    SELECT run_id, writer_id, sum(chunks)::bigint AS chunks, max(chunks) AS fullest
    FROM (
        SELECT run_id, writer_id, metric_id, count(*) AS chunks
        FROM (
            SELECT run_id, writer_id, metric_id
            FROM metric_chunk
            WHERE NOT compacted AND count < 3000 AND (run_id, writer_id) >= ($1, $2) AND run_id <= $3
            ORDER BY run_id, writer_id, metric_id
            LIMIT $4
        ) AS page
        GROUP BY run_id, writer_id, metric_id
    ) AS series
    GROUP BY run_id, writer_id
) AS fresh
JOIN writer ON writer.run_id = fresh.run_id AND writer.writer_id = fresh.writer_id
ORDER BY fresh.run_id, fresh.writer_id;

-- fresh_chunks: the small chunks of these writers that are not merged yet, from a series on, by series; those that have been
-- there for so many milliseconds, and all where it is 0. What is of more than a minute hence is of before the clock was set back.
SELECT series.*, abs((extract(epoch FROM now()) * 1000)::bigint - writer.committed_time_ms) AS quiet_ms
FROM (
    SELECT run_id, writer_id, metric_id,
           array_agg(first_position ORDER BY first_position, part) AS first_positions,
           array_agg(part ORDER BY first_position, part) AS parts,
           array_agg(count ORDER BY first_position, part) AS counts,
           min(step_min) AS step_min, max(step_max) AS step_max
    FROM (
        SELECT chunk.run_id, chunk.writer_id, chunk.metric_id, chunk.first_position, chunk.part, chunk.count,
               chunk.step_min, chunk.step_max
        FROM unnest($1::uuid[], $2::uuid[]) AS given (run_id, writer_id)
        JOIN metric_chunk AS chunk ON chunk.run_id = given.run_id AND chunk.writer_id = given.writer_id
        WHERE NOT chunk.compacted AND chunk.count < 3000
          AND (chunk.run_id, chunk.writer_id, chunk.metric_id) >= ($3, $4, $5)
          AND ($7::bigint = 0 OR chunk.committed_time_ms - (extract(epoch FROM statement_timestamp()) * 1000)::bigint
                                 NOT BETWEEN 1 - $7 AND 60000)
          /* distributed: AND chunk.run_id = ANY ($1::uuid[]) */
        ORDER BY chunk.run_id, chunk.writer_id, chunk.metric_id
        LIMIT $6
    ) AS page
    GROUP BY run_id, writer_id, metric_id
) AS series
JOIN writer ON writer.run_id = series.run_id AND writer.writer_id = series.writer_id
/* distributed: WHERE writer.run_id = ANY ($1::uuid[]) */
ORDER BY series.run_id, series.writer_id, series.metric_id;

-- between: of each series, by its number from 1, what lies between two of its fresh chunks and is none
SELECT given.number, chunk.first_position, chunk.part
FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::smallint[], $6::bigint[], $7::smallint[])
     WITH ORDINALITY
     AS given (run_id, writer_id, metric_id, first_position, part, last_position, last_part, number)
JOIN metric_chunk AS chunk
  ON chunk.run_id = given.run_id AND chunk.metric_id = given.metric_id AND chunk.writer_id = given.writer_id
WHERE (chunk.first_position, chunk.part) > (given.first_position, given.part)
  AND (chunk.first_position, chunk.part) < (given.last_position, given.last_part)
  AND (chunk.compacted OR chunk.count >= 3000)
  /* distributed: AND chunk.run_id = ANY ($1::uuid[]) */
ORDER BY given.number, chunk.first_position, chunk.part;

-- before: of each given series, by its number from 1, so many chunks that come before a position, the last one first, and
-- whether a merge made them that could not fill them
SELECT series.number, tail.first_position, tail.part, tail.count, tail.compacted AND tail.count < 3987 AS is_open
FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::smallint[])
     WITH ORDINALITY
     AS series (run_id, writer_id, metric_id, first_position, part, number)
/* single */ CROSS JOIN LATERAL (
    SELECT * FROM metric_chunk AS chunk
    WHERE chunk.run_id = series.run_id AND chunk.metric_id = series.metric_id AND chunk.writer_id = series.writer_id
      AND (chunk.first_position, chunk.part) < (series.first_position, series.part)
    ORDER BY chunk.first_position DESC, chunk.part DESC
    LIMIT $6
) AS tail
/* distributed: JOIN (
    SELECT chunk.run_id, chunk.writer_id, chunk.metric_id, chunk.first_position, chunk.part, count, compacted,
           row_number() OVER (
               PARTITION BY chunk.run_id, chunk.writer_id, chunk.metric_id, before.first_position, before.part
               ORDER BY chunk.first_position DESC, chunk.part DESC
           ) AS place,
           before.first_position AS before_position, before.part AS before_part
    FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::smallint[])
         AS before (run_id, writer_id, metric_id, first_position, part)
    JOIN metric_chunk AS chunk
      ON chunk.run_id = before.run_id AND chunk.metric_id = before.metric_id AND chunk.writer_id = before.writer_id
     AND (chunk.first_position, chunk.part) < (before.first_position, before.part)
    WHERE chunk.run_id = ANY ($1::uuid[])
) AS tail
  ON tail.run_id = series.run_id AND tail.writer_id = series.writer_id AND tail.metric_id = series.metric_id
 AND tail.before_position = series.first_position AND tail.before_part = series.part AND tail.place <= $6 */
ORDER BY series.number, tail.first_position DESC, tail.part DESC;

-- take_chunks: removes chunks and hands out their points, arrays as their wire form, with the number from 1 of the merge
-- that they are for: of each series all from the one with which it begins, and from the first fresh one on the fresh ones up
-- to its last. So one look into the index finds all of a series, which a look for each chunk would double the cost of.
WITH taken AS (
    DELETE FROM metric_chunk AS chunk
    USING unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::smallint[], $6::bigint[], $7::smallint[],
                 $8::bigint[], $9::smallint[])
          WITH ORDINALITY
          AS given (run_id, writer_id, metric_id, first_position, part, fresh_position, fresh_part, last_position,
                    last_part, number)
    WHERE chunk.run_id = given.run_id AND chunk.metric_id = given.metric_id AND chunk.writer_id = given.writer_id
      AND (chunk.first_position, chunk.part) >= (given.first_position, given.part)
      AND (chunk.first_position, chunk.part) <= (given.last_position, given.last_part)
      AND (
          (NOT chunk.compacted AND chunk.count < 3000)
          OR (chunk.first_position, chunk.part) < (given.fresh_position, given.fresh_part)
      )
      /* distributed: AND chunk.run_id = ANY ($1::uuid[]) */
    RETURNING given.number, chunk.first_position, chunk.part, chunk.count, chunk.step_min, chunk.step_stride,
              chunk.time_first_ms, chunk.steps, chunk.time_offsets_ms, chunk.times_ms, chunk.values_float32,
              chunk.values_float64
)
SELECT number, first_position, part, count, step_min, step_stride, time_first_ms,
       array_send(steps) AS steps, array_send(time_offsets_ms) AS time_offsets_ms, array_send(times_ms) AS times_ms,
       array_send(values_float32) AS values_float32, array_send(values_float64) AS values_float64
FROM taken;

-- merged_until: notes that below a position chunks of a writer may hold points of several commits
INSERT INTO merged_until AS stored (run_id, writer_id, position)
SELECT run_id, writer_id, max(position)
FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS given (run_id, writer_id, position)
GROUP BY run_id, writer_id
ORDER BY run_id, writer_id
ON CONFLICT (run_id, writer_id) DO UPDATE SET position = greatest(stored.position, excluded.position);
