-- A commit of points in one call. Behind a transaction pooler statements have no names, and PostgreSQL plans each of them
-- anew; the plans of a function it keeps. What it does is what advance_positions, the COPY of chunks, merge_latest and
-- unsettle do (ingest.sql, value_index.sql), each with a look of its own at what others have committed meanwhile.
--
-- Returns false, with nothing stored, unless all writers stand where they should, none is of before a rewind, and no run
-- is deleted. Latest points are in the order of run and metric. Chunks name their writer by its place in the arrays, and
-- their points by the first and last place in `time_offsets_ms`, `values` and (unless all are even) `steps`, which are
-- texts of arrays; those of large commits come by COPY, and are empty here.
CREATE FUNCTION commit_points(
    run_ids uuid[], writer_ids uuid[], first_positions bigint[], end_positions bigint[],
    latest_run_ids uuid[], latest_metric_ids bigint[], latest_steps bigint[], latest_times_ms bigint[],
    latest_values double precision[], latest_counts bigint[], latest_non_finite_counts bigint[],
    latest_minima double precision[], latest_maxima double precision[], latest_sums double precision[],
    writers integer[], metric_ids bigint[], firsts integer[], lasts integer[],
    step_minima bigint[], step_maxima bigint[], step_strides bigint[],
    first_times_ms bigint[], last_times_ms bigint[], time_minima_ms bigint[], time_maxima_ms bigint[],
    first_values double precision[], last_values double precision[],
    minima double precision[], maxima double precision[], sums double precision[],
    non_finite_counts integer[], time_offsets_ms text, numbers text, steps text, are_narrow boolean[]
) RETURNS boolean
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    now_ms  bigint := (extract(epoch FROM now()) * 1000)::bigint;
    joining bigint;
BEGIN
    PERFORM set_config('synchronous_commit', 'on', true);  -- until the end of the transaction
    SELECT count(*) INTO joining
    FROM unnest(run_ids, writer_ids, first_positions) AS given (run_id, writer_id, first_position)
    JOIN writer ON writer.run_id = given.run_id AND writer.writer_id = given.writer_id
    JOIN run ON run.run_id = given.run_id
    WHERE writer.position = given.first_position AND writer.hidden_from_step IS NULL AND run.lifecycle_stage = 'active';
    IF joining < cardinality(run_ids) THEN
        RETURN false;
    END IF;

    UPDATE writer
    SET position = given.end_position, committed_time_ms = now_ms
    FROM unnest(run_ids, writer_ids, first_positions, end_positions)
         AS given (run_id, writer_id, first_position, end_position)
    JOIN run ON run.run_id = given.run_id
    WHERE writer.run_id = given.run_id AND writer.writer_id = given.writer_id
      AND writer.position = given.first_position AND writer.hidden_from_step IS NULL AND run.lifecycle_stage = 'active';
    GET DIAGNOSTICS joining = ROW_COUNT;
    IF joining < cardinality(run_ids) THEN
        RAISE serialization_failure USING MESSAGE = 'a writer was moved, or its run deleted, in this moment';
    END IF;

    IF cardinality(writers) > 0 THEN
        WITH elements AS MATERIALIZED (
            SELECT commit_points.time_offsets_ms::integer[] AS time_offsets_ms,
                   commit_points.numbers::double precision[] AS numbers,
                   commit_points.steps::bigint[] AS steps
        )
        INSERT INTO metric_chunk (
            run_id, metric_id, writer_id, first_position, part, count, step_min, step_max, step_stride,
            time_first_ms, time_last_ms, time_min_ms, time_max_ms, value_first, value_last,
            value_min, value_max, value_sum, non_finite_count, steps, time_offsets_ms, values_float32, values_float64
        )
        SELECT run_ids[chunk.writer], chunk.metric_id, writer_ids[chunk.writer], first_positions[chunk.writer], 0,
               last - first + 1, step_min, step_max, step_stride,
               time_first_ms, time_last_ms, time_min_ms, time_max_ms, value_first, value_last,
               value_min, value_max, value_sum, non_finite_count,
               CASE WHEN step_stride IS NULL THEN elements.steps[first:last] END,
               elements.time_offsets_ms[first:last],
               CASE WHEN is_narrow THEN elements.numbers[first:last]::real[] END,
               CASE WHEN NOT is_narrow THEN elements.numbers[first:last] END
        FROM elements, unnest(
            writers, metric_ids, firsts, lasts, step_minima, step_maxima, step_strides,
            first_times_ms, last_times_ms, time_minima_ms, time_maxima_ms, first_values, last_values,
            minima, maxima, sums, non_finite_counts, are_narrow
        ) AS chunk (
            writer, metric_id, first, last, step_min, step_max, step_stride,
            time_first_ms, time_last_ms, time_min_ms, time_max_ms, value_first, value_last,
            value_min, value_max, value_sum, non_finite_count, is_narrow
        );
    END IF;

    INSERT INTO metric_latest AS stored (
        run_id, metric_id, step, timestamp_ms, value, count, non_finite_count, value_min, value_max, value_sum
    )
    SELECT * FROM unnest(
        latest_run_ids, latest_metric_ids, latest_steps, latest_times_ms, latest_values,
        latest_counts, latest_non_finite_counts, latest_minima, latest_maxima, latest_sums
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
        value_sum = coalesce(saturating_sum(stored.value_sum, excluded.value_sum), stored.value_sum, excluded.value_sum);

    -- The writers are locked, so nobody settles their runs until the end.
    IF EXISTS (SELECT FROM run WHERE run.run_id = ANY (run_ids) AND run.unsettled_time_ms IS NULL) THEN
        PERFORM FROM run WHERE run.run_id = ANY (run_ids) AND run.unsettled_time_ms IS NULL
        ORDER BY run.run_id FOR NO KEY UPDATE;
        UPDATE run SET unsettled_time_ms = now_ms
        WHERE run.run_id = ANY (run_ids) AND run.unsettled_time_ms IS NULL;
    END IF;
    RETURN true;
END
$$;
