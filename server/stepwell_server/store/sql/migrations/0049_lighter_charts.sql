-- Charts of few points, lighter: `thinned_points` of migration 0047, but that a chunk is opened where it was found, and not looked
-- for again by its key, and places are counted up without being put by.
CREATE OR REPLACE FUNCTION thinned_points(
    run_ids uuid[], keys text[], step_from bigint, step_to bigint, points_max bigint, chunks_max bigint
) RETURNS TABLE (
    numbers integer[], sizes bigint[], marked_run_ids uuid[], marks bytea[], steps bytea, times_ms bytea, "values" bytea,
    chunks bigint
)
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
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
               chunk.step_min, chunk.step_max, chunk.step_stride, chunk.ctid AS address,
               least($4::bigint, coalesce(writer.hidden_from_step - 1, 9223372036854775807)) AS step_to
        FROM unnest($1::uuid[], $2::text[]) WITH ORDINALITY AS given (run_id, key, number)
        JOIN metric ON metric.name = given.key
        JOIN metric_chunk AS chunk ON chunk.run_id = given.run_id AND chunk.metric_id = metric.metric_id
        JOIN writer ON writer.run_id = chunk.run_id AND writer.writer_id = chunk.writer_id
        WHERE (writer.hidden_from_step IS NULL OR chunk.step_min < writer.hidden_from_step)
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
            WHERE chunk.ctid = chosen.address
            OFFSET 0
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
    ) AS points;
END
$$;
