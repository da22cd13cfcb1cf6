-- Chunks that fill whole pages have 3,987 points (chunks.CHUNK_POINTS_MAX); what has fewer than three quarters of that is
-- small. 3,000 is chunks.SMALL_POINTS_MAX.
DROP INDEX metric_chunk_fresh;
CREATE INDEX metric_chunk_fresh ON metric_chunk (run_id, writer_id, metric_id)
    WHERE NOT compacted AND count < 3000;
