-- Several processes compact at once, each a range of run ids of its own for a while. Drawn in store/README.md.

-- The ranges are equally large: the first hexadecimal digit of the run's id.
CREATE TABLE compaction_range (
    range               smallint PRIMARY KEY,
    holder              uuid,                        -- the process that compacts it, or did last
    held_until_time_ms  bigint   NOT NULL DEFAULT 0, -- nobody else takes it before; 0 once it was left
    round_ended_time_ms bigint   NOT NULL DEFAULT 0,
    fresh_chunks        bigint   NOT NULL DEFAULT 0  -- small and not merged yet, after the last round
);
INSERT INTO compaction_range (range) SELECT generate_series(0, 15);

ALTER TABLE compaction DROP COLUMN round_ended_time_ms, DROP COLUMN fresh_chunks;
