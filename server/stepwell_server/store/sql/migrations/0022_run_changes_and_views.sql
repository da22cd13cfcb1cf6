-- When something of a run itself last changed: its name, status, end or stage. So whoever looks at a table of runs asks
-- for what is new, and for nothing else.
ALTER TABLE run ADD COLUMN changed_time_ms bigint;
UPDATE run SET changed_time_ms = coalesce(end_time_ms, start_time_ms);
ALTER TABLE run ALTER COLUMN changed_time_ms SET DEFAULT (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
                ALTER COLUMN changed_time_ms SET NOT NULL;
CREATE INDEX run_by_change ON run (experiment_id, changed_time_ms);

-- Views of tables of runs that people gave names: what stands in the page's address behind the question mark.
CREATE TABLE saved_view (
    view_id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    experiment_ids bigint[] NOT NULL,      -- in order
    name           text     NOT NULL,
    address        text     NOT NULL,
    saved_time_ms  bigint   NOT NULL,
    UNIQUE (experiment_ids, name)
);
