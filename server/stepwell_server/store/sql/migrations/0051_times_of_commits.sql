-- When a chunk was committed, by the database's clock: small chunks are left alone until those who watch have read them.
-- Chunks from before have been there long enough.
ALTER TABLE metric_chunk ADD COLUMN committed_time_ms bigint NOT NULL DEFAULT 0;
ALTER TABLE metric_chunk ALTER COLUMN committed_time_ms SET DEFAULT (date_part('epoch', now()) * 1000)::bigint;

-- So nobody has to remember where writers stood.
ALTER TABLE compaction_range DROP COLUMN settling;
