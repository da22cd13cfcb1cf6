-- Queries of store/ingest/entries/histograms.py and store/series/histograms.py.

-- add: histograms; one that is there stays. Columns of edges and counts are texts of arrays.
INSERT INTO histogram (run_id, writer_id, position, key, step, time_ms, edges, counts, not_finite)
SELECT run_id, writer_id, position, key, step, time_ms, edges::double precision[], counts::bigint[], not_finite
FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::bigint[], $6::bigint[], $7::text[], $8::text[],
            $9::bigint[])
    AS given (run_id, writer_id, position, key, step, time_ms, edges, counts, not_finite)
ORDER BY run_id, key, step, writer_id, position
ON CONFLICT DO NOTHING;

-- names: the first $3 names of a run behind one, with what shows of them
SELECT histogram.key, count(DISTINCT step) AS steps, min(step) AS first_step, max(step) AS last_step
FROM histogram
JOIN writer ON writer.run_id = histogram.run_id AND writer.writer_id = histogram.writer_id
WHERE histogram.run_id = $1 AND histogram.key > $2
  AND (writer.hidden_from_step IS NULL OR step < writer.hidden_from_step)
GROUP BY histogram.key
ORDER BY histogram.key
LIMIT $3;

-- read: of a name, between two steps: at most $5, evenly over the steps, with the first and the last; of one step the
-- one that was logged last
WITH shown AS (
    SELECT DISTINCT ON (step) step, histogram.writer_id, histogram.position
    FROM histogram
    JOIN writer ON writer.run_id = histogram.run_id AND writer.writer_id = histogram.writer_id
    WHERE histogram.run_id = $1 AND histogram.key = $2 AND step BETWEEN $3 AND $4
      AND (writer.hidden_from_step IS NULL OR step < writer.hidden_from_step)
    ORDER BY step, time_ms DESC, histogram.position DESC
), numbered AS (
    SELECT *, row_number() OVER (ORDER BY step) - 1 AS place, count(*) OVER () AS steps
    FROM shown
)
SELECT histogram.position, histogram.key, histogram.step, histogram.time_ms AS timestamp_ms, edges, counts, not_finite,
       numbered.steps
FROM numbered
JOIN histogram ON histogram.run_id = $1 AND histogram.key = $2 AND histogram.step = numbered.step
              AND histogram.writer_id = numbered.writer_id AND histogram.position = numbered.position
WHERE steps <= $5 OR place = 0
   OR place * ($5 - 1) / (steps - 1) > (place - 1) * ($5 - 1) / (steps - 1)
ORDER BY histogram.step;
