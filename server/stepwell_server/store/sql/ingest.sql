-- open_writer: registers a writer unless it is known, and returns its committed position. Who delivers for a process
-- that is gone ($6) does not take its place. The first secret ($7, its SHA-256) binds the writer; with another one, or
-- without it, nothing is returned. `binds` tells that the writer was there without one. The first account ($8) that is
-- not 0 binds it likewise, but for accounts that manage the experiment ($9).
INSERT INTO writer (
    run_id, writer_id, rank, host, process_id, opened_time_ms, secret_sha256, secret_is_original, account_id
)
VALUES ($1, $2, $3, $4, $5, (extract(epoch FROM now()) * 1000)::bigint, $7, $7::bytea IS NOT NULL, $8)
ON CONFLICT (run_id, writer_id) DO UPDATE
SET host = CASE WHEN $6 THEN writer.host ELSE excluded.host END,
    process_id = CASE WHEN $6 THEN writer.process_id ELSE excluded.process_id END,
    secret_sha256 = excluded.secret_sha256,
    account_id = CASE WHEN writer.account_id = 0 THEN excluded.account_id ELSE writer.account_id END
WHERE (writer.secret_sha256 IS NULL OR writer.secret_sha256 = excluded.secret_sha256)
  AND ($9 OR writer.account_id IN (0, excluded.account_id))
RETURNING position,
          secret_is_original,
          secret_sha256 IS NOT NULL AND EXISTS (
              SELECT FROM writer AS before
              WHERE before.run_id = $1 AND before.writer_id = $2 AND before.secret_sha256 IS NULL
          ) AS binds;

-- knows_run: tells whether a run exists
SELECT EXISTS (SELECT FROM run WHERE run_id = $1);

-- advance_positions: moves the writers whose batches join what is committed; the others are not returned
WITH given AS (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[])
                  AS given (run_id, writer_id, first_position, end_position)
)
UPDATE writer
SET position = given.end_position,
    committed_time_ms = (extract(epoch FROM now()) * 1000)::bigint
FROM given JOIN run ON run.run_id = given.run_id
WHERE writer.run_id = given.run_id
  AND writer.writer_id = given.writer_id
  AND writer.position = given.first_position
  /* distributed: AND writer.run_id = ANY ($1::uuid[]) AND run.run_id = ANY ($1::uuid[]) */
RETURNING writer.run_id, writer.writer_id, run.lifecycle_stage, writer.hidden_from_step;

-- committed_positions: where writers stand
SELECT writer.run_id, writer.writer_id, writer.position
FROM unnest($1::uuid[], $2::uuid[]) AS given (run_id, writer_id)
JOIN writer ON writer.run_id = given.run_id AND writer.writer_id = given.writer_id
/* distributed: WHERE writer.run_id = ANY ($1::uuid[]) */;

-- known_metrics: ids of the metric names that have one
SELECT name, metric_id FROM metric WHERE name = ANY ($1::text[]);

-- metric_names: names of metrics
SELECT metric_id, name FROM metric WHERE metric_id = ANY ($1::bigint[]);

-- add_metrics: gives ids to new metric names, in name order so that two servers never wait for each other
INSERT INTO metric AS added (name)
SELECT name FROM unnest($1::text[]) AS given (name) ORDER BY name
ON CONFLICT (name) DO NOTHING
RETURNING added.name, added.metric_id;

-- merge_latest: moves latest points forward and adds to the summaries, in key order so that ranks never deadlock;
-- returns those of the runs $11 that are settled, and are not any more. Of $11 there are PLANNED_ELEMENTS at least.
WITH merged AS (
    INSERT INTO metric_latest AS stored (
        run_id, metric_id, step, timestamp_ms, value, count, non_finite_count, value_min, value_max, value_sum
    )
    SELECT * FROM unnest(
        $1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::double precision[],
        $6::bigint[], $7::bigint[], $8::double precision[], $9::double precision[], $10::double precision[]
    )
    ORDER BY 1, 2
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
)
SELECT run_id FROM run WHERE run_id = ANY ($11::uuid[]) AND unsettled_time_ms IS NULL;

-- commit_points: a whole commit of points, or its part beside COPY, in one call, pooler or not; see migration 0046
SELECT commit_points(
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
    $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35
);

-- add_params: writes params that are not there yet
INSERT INTO param (run_id, key, value)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[]) ORDER BY 1, 2
ON CONFLICT (run_id, key) DO NOTHING;

-- changed_params: of the given params, by number from 1, those that differ from what is stored
SELECT given.number, param.value
FROM unnest($1::uuid[], $2::text[], $3::text[]) WITH ORDINALITY AS given (run_id, key, value, number)
JOIN param ON param.run_id = given.run_id AND param.key = given.key
WHERE param.value <> given.value /* distributed: AND param.run_id = ANY ($1::uuid[]) */;

-- set_tags: writes tags over what is there
INSERT INTO tag (run_id, key, value)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[]) ORDER BY 1, 2
ON CONFLICT (run_id, key) DO UPDATE SET value = excluded.value;

-- touch_tags: as set_tags; returns which of them were not there
INSERT INTO tag AS touched (run_id, key, value)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[]) ORDER BY 1, 2
ON CONFLICT (run_id, key) DO UPDATE SET value = excluded.value
RETURNING touched.run_id, touched.key, touched.xmax = 0 AS is_new;

-- remove_tags: removes tags that the transaction has touched
DELETE FROM tag
USING unnest($1::uuid[], $2::text[]) AS given (run_id, key)
WHERE tag.run_id = given.run_id AND tag.key = given.key /* distributed: AND tag.run_id = ANY ($1::uuid[]) */;

-- lock_runs: locks runs in order, before names and statuses change, so that commits never deadlock; see `sql.by_run`
SELECT FROM run
WHERE /* single */ run_id = ANY ($1::uuid[]) ORDER BY run_id /* distributed: run_id = $1 */
FOR NO KEY UPDATE;

-- rename_runs: names runs after their tag mlflow.runName
UPDATE run SET name = given.name, changed_time_ms = (extract(epoch FROM now()) * 1000)::bigint
FROM unnest($1::uuid[], $2::text[]) AS given (run_id, name)
WHERE run.run_id = given.run_id /* distributed: AND run.run_id = ANY ($1::uuid[]) */;

-- set_statuses: moves runs to a new status; an end time that is not given leaves the old one. Who says how a run stands
-- overrules that it was taken for lost: the tag $4 goes.
WITH untagged AS (
    DELETE FROM tag WHERE run_id = ANY ($1::uuid[]) AND key = $4
)
UPDATE run SET status = given.status, end_time_ms = coalesce(given.end_time_ms, run.end_time_ms),
    changed_time_ms = (extract(epoch FROM now()) * 1000)::bigint
FROM unnest($1::uuid[], $2::smallint[], $3::bigint[]) AS given (run_id, status, end_time_ms)
WHERE run.run_id = given.run_id /* distributed: AND run.run_id = ANY ($1::uuid[]) */;
