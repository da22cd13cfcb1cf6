-- ANALYZE would count how often each value is there, of 30,000 chunks: a minute of processor where these are full, again
-- whenever a tenth has come. No plan asks for it. Citus does not pass this on, and takes it along when it spreads a table.
-- one machine alone

ALTER TABLE metric_chunk ALTER COLUMN steps SET STATISTICS 0;
ALTER TABLE metric_chunk ALTER COLUMN time_offsets_ms SET STATISTICS 0;
ALTER TABLE metric_chunk ALTER COLUMN times_ms SET STATISTICS 0;
ALTER TABLE metric_chunk ALTER COLUMN values_float32 SET STATISTICS 0;
ALTER TABLE metric_chunk ALTER COLUMN values_float64 SET STATISTICS 0;
ALTER TABLE metric_chunk ALTER COLUMN blocks SET STATISTICS 0;
