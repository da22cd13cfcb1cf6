-- As many servers can compact at once: what 100,000 writers leave behind needs some 60.
INSERT INTO compaction_range (range) SELECT generate_series(16, 63);
