-- Summaries of every 64 points of a large chunk of finite values: what a chart needs where the border of a bucket cuts
-- the chunk. Records of three little-endian doubles: minimum, maximum, sum. Without them the chunk is opened.
ALTER TABLE metric_chunk ADD COLUMN blocks bytea;
ALTER TABLE metric_chunk ALTER COLUMN blocks SET STORAGE EXTERNAL;
