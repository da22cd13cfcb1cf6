-- Finding runs by their values among many. Explained in store/README.md.

-- The latest value as the index has it. Commits leave it alone, so that they don't have to change the index (and an
-- update stays on its page); it equals `value` once the run is settled.
ALTER TABLE metric_latest ADD COLUMN indexed_value double precision;
CREATE INDEX metric_latest_by_value ON metric_latest (metric_id, indexed_value, run_id) WHERE indexed_value IS NOT NULL;

-- Since when the run has latest values that the index lacks; NULL when it is settled.
ALTER TABLE run ADD COLUMN unsettled_time_ms bigint DEFAULT (extract(epoch FROM clock_timestamp()) * 1000)::bigint;
CREATE INDEX run_unsettled ON run (unsettled_time_ms) WHERE unsettled_time_ms IS NOT NULL;

-- Texts may be longer than an index takes; 200 characters are at most 800 bytes.
CREATE INDEX param_by_value ON param (key, left(value, 200), run_id);
CREATE INDEX tag_by_value ON tag (key, left(value, 200), run_id);

-- The number that a text is, NULL when it is none. Never an error: the digits are bounded.
CREATE FUNCTION text_number(value text) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN value ~ '^[+-]?([0-9]{1,255}\.?[0-9]{0,255}|\.[0-9]{1,255})([eE][+-]?[0-9]{1,3})?$'
                THEN value::numeric
                WHEN value ~* '^[+]?inf(inity)?$' THEN 'Infinity'::numeric
                WHEN value ~* '^-inf(inity)?$' THEN '-Infinity'::numeric END
$$;
