-- Background merges of small chunks. Drawn in store/README.md.

-- Set on chunks that a merge made; a commit makes chunks that are not compacted.
ALTER TABLE metric_chunk ADD COLUMN compacted boolean NOT NULL DEFAULT false;

-- What there is to merge: large chunks and merged ones cost nothing here. 2,048 is chunks.SMALL_POINTS_MAX.
CREATE INDEX metric_chunk_fresh ON metric_chunk (run_id, writer_id, metric_id)
    WHERE NOT compacted AND count < 2048;

-- A merge leaves dead rows behind; vacuum makes room of them long before a fifth of the table is dead.
ALTER TABLE metric_chunk SET (
    autovacuum_vacuum_scale_factor = 0.02,
    toast.autovacuum_vacuum_scale_factor = 0.02
);

-- When the writer's last batch was committed: small chunks of one that is quiet are merged without waiting for more.
ALTER TABLE writer ADD COLUMN committed_time_ms bigint NOT NULL DEFAULT 0;

-- One row: the switch that pauses compaction in all servers, and what the last round saw.
CREATE TABLE compaction (
    one_row             boolean PRIMARY KEY DEFAULT true CHECK (one_row),
    paused              boolean NOT NULL DEFAULT false,
    round_ended_time_ms bigint  NOT NULL DEFAULT 0,
    fresh_chunks        bigint  NOT NULL DEFAULT 0   -- small and not merged yet, after the last round
);
INSERT INTO compaction DEFAULT VALUES;
