-- Deleting, restoring and rewinding. Drawn in store/README.md.

-- A deleted experiment gives its name free; there may be many deleted ones of one name.
ALTER TABLE experiment DROP CONSTRAINT experiment_name_key;
CREATE UNIQUE INDEX experiment_active_name ON experiment (name) WHERE lifecycle_stage = 'active';
CREATE INDEX experiment_by_name ON experiment (name, last_update_time_ms DESC);

-- A run that went with its experiment comes back with it; one that somebody deleted does not.
ALTER TABLE run ADD COLUMN deleted_with_experiment boolean NOT NULL DEFAULT false,
                ADD COLUMN deleted_time_ms         bigint;

-- A rewind hides the points with step >= from_step of the writers that there were: a job goes on from a checkpoint.
-- Taking a rewind back deletes its rows.
CREATE TABLE rewind (
    run_id          uuid    NOT NULL,
    rewind_number   integer NOT NULL,
    writer_id       uuid    NOT NULL,
    from_step       bigint  NOT NULL,
    created_time_ms bigint  NOT NULL,
    PRIMARY KEY (run_id, rewind_number, writer_id),
    FOREIGN KEY (run_id, writer_id) REFERENCES writer ON DELETE CASCADE
);

-- The least from_step of the writer's rewinds, kept here for those who read: NULL hides nothing.
ALTER TABLE writer ADD COLUMN hidden_from_step bigint;

-- The chunks that have a point to show. Where hidden_from_step is set, the points from that step on are hidden.
CREATE VIEW visible_chunk AS
SELECT chunk.*,
       CASE WHEN chunk.step_max >= writer.hidden_from_step THEN writer.hidden_from_step END AS hidden_from_step
FROM metric_chunk AS chunk
JOIN writer USING (run_id, writer_id)
WHERE writer.hidden_from_step IS NULL OR chunk.step_min < writer.hidden_from_step;

-- As before, without what is hidden.
CREATE OR REPLACE VIEW metric_points AS
SELECT chunk.run_id,
       metric.name AS key,
       writer.rank,
       chunk.writer_id,
       coalesce(point.step, chunk.step_min + chunk.step_stride * point.index)       AS step,
       coalesce(point.time_ms, chunk.time_first_ms + point.time_offset_ms)           AS timestamp_ms,
       coalesce(point.value_float64, point.value_float32::double precision)          AS value
FROM metric_chunk AS chunk
JOIN metric USING (metric_id)
JOIN writer USING (run_id, writer_id)
CROSS JOIN LATERAL ROWS FROM (
    generate_series(0, chunk.count - 1),
    unnest(chunk.steps),
    unnest(chunk.time_offsets_ms),
    unnest(chunk.times_ms),
    unnest(chunk.values_float32),
    unnest(chunk.values_float64)
) AS point (index, step, time_offset_ms, time_ms, value_float32, value_float64)
WHERE writer.hidden_from_step IS NULL
   OR coalesce(point.step, chunk.step_min + chunk.step_stride * point.index) < writer.hidden_from_step;

-- Sums as IEEE 754 does; over no value it is NULL. The function is strict, so that NULL is passed over.
CREATE FUNCTION saturating_add(a double precision, b double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS 'SELECT saturating_sum(a, b)';
CREATE AGGREGATE saturating_total(double precision) (SFUNC = saturating_add, STYPE = double precision);
