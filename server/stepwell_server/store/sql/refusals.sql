-- note: adds to what was refused. A kind that is new to a run which has $7 of them is counted with the others of its writer,
-- under no key and no code. Writers are locked by the commit, so nobody else adds to the same rows.
WITH kinds AS (
    SELECT run_id, count(*) AS number
    FROM refusal
    WHERE run_id = ANY ($1::uuid[])
    GROUP BY run_id
), given AS (
    SELECT given.*,
           known.run_id IS NOT NULL
           OR coalesce(kinds.number, 0)
              + row_number() OVER (PARTITION BY given.run_id ORDER BY given.number) <= $7 AS is_told_apart
    FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::bigint[], $6::text[])
         WITH ORDINALITY AS given (run_id, writer_id, key, error_code, count, reason, number)
    LEFT JOIN kinds ON kinds.run_id = given.run_id
    LEFT JOIN refusal AS known
      ON known.run_id = given.run_id AND known.writer_id = given.writer_id
     AND known.key = given.key AND known.error_code = given.error_code
     /* distributed: AND known.run_id = ANY ($1::uuid[]) */
)
INSERT INTO refusal AS stored (run_id, writer_id, key, error_code, count, reason, first_time_ms, last_time_ms)
SELECT run_id, writer_id, CASE WHEN is_told_apart THEN key ELSE '' END, CASE WHEN is_told_apart THEN error_code ELSE '' END,
       sum(count)::bigint, max(reason),
       (extract(epoch FROM now()) * 1000)::bigint, (extract(epoch FROM now()) * 1000)::bigint
FROM given
GROUP BY 1, 2, 3, 4
ORDER BY 1, 2, 3, 4
ON CONFLICT (run_id, writer_id, key, error_code) DO UPDATE
SET count = stored.count + excluded.count, reason = excluded.reason, last_time_ms = excluded.last_time_ms;

-- of_run: what was refused of a run, the last first
SELECT refusal.writer_id, writer.rank, writer.host, refusal.key, refusal.error_code, refusal.reason, refusal.count,
       refusal.first_time_ms, refusal.last_time_ms
FROM refusal
JOIN writer ON writer.run_id = refusal.run_id AND writer.writer_id = refusal.writer_id
WHERE refusal.run_id = $1
ORDER BY refusal.last_time_ms DESC, refusal.writer_id, refusal.key, refusal.error_code
LIMIT $2;

-- count: how many points and entries of a run were refused
SELECT coalesce(sum(count), 0)::bigint FROM refusal WHERE run_id = $1;
